"""`gaussmix fit --algorithm`: what Python's argument does."""

from __future__ import annotations

import json

import pytest

import gaussmix as gm


@pytest.mark.parametrize("algorithm", ["em", "cem", "sem"])
def test_the_algorithm_is_passed_on(cli, faithful, algorithm):
    answer = cli("fit", faithful, "-k", "2", "--covariance", "EEE", "--algorithm", algorithm, "--json")
    wanted = gm.fit(faithful, 2, "EEE", algorithm=algorithm)
    facts = json.loads(answer.out)
    assert answer.code == 0
    assert (facts["algorithm"], facts["passes"]) == (algorithm, wanted.passes)
    assert facts["log_likelihood"] == wanted.log_likelihood


def test_a_search_takes_it_too(cli, faithful):
    answer = cli("fit", faithful, "-k", "1:2", "--covariance", "EII", "--algorithm", "cem", "--json")
    assert json.loads(answer.out)["algorithm"] == "cem"


@pytest.mark.parametrize("effort", ["quick", "default", "thorough"])
def test_the_effort_is_passed_on(cli, faithful, effort):
    answer = cli("fit", faithful, "-k", "3", "--covariance", "VVI", "--effort", effort, "--json")
    facts = json.loads(answer.out)
    assert facts["log_likelihood"] == gm.fit(faithful, 3, "VVI", effort=effort).log_likelihood


def test_an_unknown_algorithm_is_a_usage_error(cli, faithful):
    answer = cli("fit", faithful, "--algorithm", "mcmc")
    assert answer.code == 2
    assert "mcmc" in answer.err and "sem" in answer.err

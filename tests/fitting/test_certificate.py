"""What speaks for a fit."""

from __future__ import annotations

import numpy as np
import pytest

import gaussmix as gm


def rows() -> np.ndarray:
    rng = np.random.default_rng(8)
    return np.concatenate([rng.standard_normal((80, 2)) + centre for centre in ([0, 0], [6, 0], [0, 6])])


def test_most_starts_end_at_an_obvious_optimum() -> None:
    certificate = gm.fit(rows(), 3, "EII").certificate
    assert certificate.reached >= 5
    assert certificate.starts > certificate.reached
    assert certificate.remaining <= 1e-8
    assert certificate.gradient <= 1e-4  # a gain of 1e-8 goes with a step of its root
    assert certificate.condition < 1.5


def test_the_runner_up_is_the_next_best_objective() -> None:
    result = gm.fit(rows(), 5, "EII")
    ended = sorted({round(start.objective, 1) for start in result.starts if start.reason == "converged"})
    certificate = result.certificate
    assert len(ended) > 1
    assert certificate.runner_up == pytest.approx(ended[-1] - ended[-2], abs=0.2)
    assert f"{certificate.reached} of {certificate.starts}" in certificate.sentence()


def test_one_start_knows_nothing_of_others() -> None:
    certificate = gm.fit(rows(), 3, n_starts=1).certificate
    assert certificate.runner_up is None
    assert "one start" in certificate.sentence()


def test_the_gradient_is_that_of_the_likelihood_by_the_means() -> None:
    x = rows()
    result = gm.fit(x, 3, "VVV", max_passes=3, n_starts=1, regularization=None)
    mixture = result.mixture
    factors = np.linalg.cholesky(mixture.covariances)
    gradient = np.empty((3, 2))
    for k in range(3):
        for i in range(2):
            ends = []
            for step in (-1e-5, 1e-5):
                means = mixture.means.copy()
                means[k] += step * factors[k, :, i]  # along a whitened axis
                ends.append(gm.Mixture(mixture.weights, means, mixture.covariances).log_prob(x).mean())
            gradient[k, i] = (ends[1] - ends[0]) / 2e-5
    assert result.certificate.gradient == pytest.approx(np.linalg.norm(gradient), rel=1e-4)


def test_facts_carry_the_certificate() -> None:
    facts = gm.summarize(gm.fit(rows(), 2))
    assert set(facts["certificate"]) == {"remaining", "gradient", "starts", "reached", "runner_up", "condition"}


def test_spurious_optima_do_not_count_as_the_one_returned() -> None:
    rng = np.random.default_rng(2)
    x = np.concatenate([rng.standard_normal((90, 2)), 4.0 + 1e-3 * rng.standard_normal((3, 2))])
    result = gm.fit(x, 2, "VVV")
    higher = [start for start in result.starts if start.objective > result.log_likelihood + 1.0]
    assert higher  # three rows buy much likelihood
    assert not result.degenerate
    near = [start for start in result.starts if abs(start.objective - result.trace[-1]) < 0.009]
    assert result.certificate.reached == sum(start.reason == "converged" for start in near)

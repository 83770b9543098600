"""A start that the user gives is made a member of the structure that is fitted."""

from __future__ import annotations

import numpy as np
import pytest

import gaussmix as gm
from gaussmix.covariance import FAMILIES, NAMES


@pytest.mark.parametrize("rows", [200, 40_000])
@pytest.mark.parametrize("name", NAMES)
def test_the_result_is_of_the_structure_asked_for(name, rows, rng):
    x = np.concatenate([rng.normal(size=(rows // 2, 3)) @ rng.normal(size=(3, 3)) + shift for shift in (0.0, 6.0)])
    start = gm.fit(x, 2, "VVV", n_starts=2, max_passes=20, tol=1e-3)
    result = gm.fit(x, 2, name, start=start, max_passes=30, tol=1e-6)
    mixture = result.mixture
    # The constructor refuses covariances that are not of the structure.
    again = gm.Mixture(mixture.weights, mixture.means, mixture.covariances, structure=name)
    assert again.structure == name
    assert result.n_parameters == 1 + 6 + FAMILIES[name].n_parameters(2, 3)
    assert result.reason != "precision"
    # A narrower structure is no better than the general one (0.01: both stop by a rule).
    assert result.log_likelihood <= gm.fit(x, 2, "VVV", start=start, tol=1e-6).log_likelihood + 0.01


def test_a_mixture_whose_covariances_are_not_of_its_structure_is_refused():
    with pytest.raises(gm.errors.ParameterError, match="not of it"):
        gm.Mixture([0.5, 0.5], [[0, 0], [4, 4]], [[[2, 0.9], [0.9, 1]]] * 2, structure="EII")


def test_importance_weights_need_no_advice_to_use_importance_weights(rng, recwarn):
    x = rng.normal(size=(180, 2))
    gm.fit(x, 1, weights=rng.uniform(0.0, 1.0, 180) ** 4, weight_kind="importance")
    assert not [warning for warning in recwarn if "importance" in str(warning.message)]

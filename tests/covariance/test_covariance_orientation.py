"""Common orientations: known answers, saddles, shared narrow axes, and many features."""

from __future__ import annotations

import numpy as np
import pytest

from gaussmix.covariance import FAMILIES, Dense, Diagonal, Moment, Scalar, Scatter, descent
from gaussmix.covariance.descent import descend, is_dense
from gaussmix.covariance.orientation import EqualVolume, VariableVolume, orientations_of

# A criterion at its optimum: rounding of logs of numbers up to the condition number.
VALUE = 1e-9


def random_rotation(rng: np.random.Generator, n_features: int) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((n_features, n_features)))[0]


def unit_roots(rng: np.random.Generator, n_components: int, n_features: int) -> np.ndarray:
    roots = rng.standard_normal((n_components, n_features, 2 * n_features))
    roots = np.linalg.cholesky(roots @ roots.transpose(0, 2, 1))
    return roots / np.exp(np.linalg.slogdet(roots)[1] / n_features)[:, None, None]


def is_permutation(matrix: np.ndarray, tolerance: float) -> bool:
    entries = np.abs(matrix)
    return bool(
        (np.abs(entries.max(axis=0) - 1.0) < tolerance).all() and (np.abs(entries.sum(axis=0) - 1.0) < tolerance).all()
    )


@pytest.mark.parametrize("name", ["EVE", "VVE"])
@pytest.mark.parametrize("n_features", [2, 3, 6, 14])
def test_axes_that_are_common_are_found(name: str, n_features: int) -> None:
    """By Hadamard's inequality they are the global optimum; 14 features take the conjugate gradients."""
    rng = np.random.default_rng(n_features)
    assert is_dense(n_features) == (n_features < 14)
    rotation = random_rotation(rng, n_features)
    squares = np.exp(rng.standard_normal((4, n_features)))
    mass = np.array([10.0, 20.0, 0.3, 5.0])
    scatter = Scatter(Moment.FULL, mass, (rotation * (mass[:, None] * squares)[:, None, :]) @ rotation.T, n_features)
    best = FAMILIES[name].estimate(scatter, None)
    if name == "VVE":
        np.testing.assert_allclose(best.dense(), scatter.values / mass[:, None, None], rtol=1e-9, atol=1e-11)
    assert is_permutation(rotation.T @ orientations_of(best)[0], 1e-6)


@pytest.mark.parametrize("n_features", [3, 5, 10])
@pytest.mark.parametrize("equal", [False, True])
def test_conjugate_gradients_end_as_deep_as_elimination(
    n_features: int, equal: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(n_features)
    roots = unit_roots(rng, 3, n_features)
    criterion = (
        EqualVolume(np.array([0.0, 0.5, -1.0]), n_features) if equal else VariableVolume(np.array([0.5, 0.3, 0.2]))
    )
    start, dense_value = descend(criterion, roots, random_rotation(rng, n_features)[None])
    nudge = np.linalg.qr(np.eye(n_features) + 0.02 * rng.standard_normal((n_features, n_features)))[0]
    monkeypatch.setattr(descent, "_MAX_DENSE_PLANES", 0)
    end, value = descend(criterion, roots, start @ nudge)
    assert abs(value[0] - dense_value[0]) < VALUE
    assert is_permutation(start[0].T @ end[0], 1e-6)


def test_a_saddle_is_left() -> None:
    """At the identity both gradients vanish, and every rotation is downhill."""
    scatter = np.array([[[1.0, 0.8], [0.8, 1.0]], [[2.0, 0.2], [0.2, 2.0]]])
    roots = np.linalg.cholesky(scatter)
    criterion = VariableVolume(np.array([0.5, 0.5]))
    _, values = descend(criterion, roots, np.eye(2)[None])
    wanted = 0.5 * np.linalg.slogdet(scatter)[1].sum()
    assert abs(values[0] - wanted) < VALUE


def test_round_components_have_no_orientation_and_need_none() -> None:
    roots = np.eye(4)[None].repeat(3, axis=0)
    start = random_rotation(np.random.default_rng(0), 4)[None]
    end, values = descend(VariableVolume(np.full(3, 1 / 3)), roots, start)
    assert abs(values[0]) < VALUE
    np.testing.assert_allclose(end[0].T @ end[0], np.eye(4), atol=1e-12)


@pytest.mark.parametrize("narrow", [1e-4, 1e-8, 1e-11])
def test_a_narrow_axis_that_components_share_does_not_stop_the_others_from_turning(narrow: float) -> None:
    """Given the shared axis, what is left is a plane, searched here by force."""
    rng = np.random.default_rng(4)
    rotation = random_rotation(rng, 3)
    blocks = np.array([[[5.0, 1.0], [1.0, 1.0]], [[2.0, -1.5], [-1.5, 3.0]]])
    values = np.zeros((2, 3, 3))
    values[:, 0, 0] = narrow
    values[:, 1:, 1:] = blocks
    mass = np.array([3.0, 4.0])
    scatter = Scatter(Moment.FULL, mass, rotation @ values @ rotation.T, 3)
    best = FAMILIES["VVE"].estimate(scatter, None)

    angles = np.linspace(0.0, np.pi / 2, 100_001)
    axes = np.stack(
        [np.stack([np.cos(angles), -np.sin(angles)], -1), np.stack([np.sin(angles), np.cos(angles)], -1)], -2
    )
    spreads = np.square(np.linalg.cholesky(blocks).transpose(0, 2, 1) @ axes[:, None]).sum(axis=2)
    wanted = (mass * (np.log(narrow / mass) + np.log(spreads / mass[:, None]).sum(axis=2))).sum(axis=1).min()
    # Building the scatter rounds its narrow axis by 1e-16 / narrow.
    assert abs(mass @ best.log_determinants() - wanted) < 1e-8 + 1e-14 / narrow


def test_an_orientation_is_recovered_where_every_component_has_equal_eigenvalues() -> None:
    rotation = random_rotation(np.random.default_rng(1), 4)
    squares = np.array([[1.0, 1.0, 2.0, 3.0], [1e-8, 2e-8, 1.0, 1.0]])
    covariances = Dense.from_roots(rotation * np.sqrt(squares)[:, None, :])
    for found in orientations_of(covariances):
        assert is_permutation(rotation.T @ found, 1e-6)


@pytest.mark.parametrize(
    "covariances", [Scalar(3, np.array([2.0])), Diagonal(3, np.array([[1.0, 2.0, 3.0], [3.0, 1.0, 1.0]]))]
)
def test_any_covariances_may_be_the_previous_ones(covariances: Scalar | Diagonal) -> None:
    roots = unit_roots(np.random.default_rng(2), 4, 3)
    scatter = Scatter(Moment.FULL, np.ones(4), roots @ roots.transpose(0, 2, 1), 3)
    for found in orientations_of(covariances):
        np.testing.assert_allclose(found.T @ found, np.eye(3), atol=1e-12)
    for name in ("EVE", "VVE"):
        warm, cold = (FAMILIES[name].estimate(scatter, previous) for previous in (covariances, None))
        assert warm.log_determinants().sum() <= cold.log_determinants().sum() + 0.05 * 4


@pytest.mark.parametrize("seed", range(4))
def test_with_many_features_a_far_start_ends_where_elimination_sees_no_slope(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On the way the curvature is negative in many directions, where conjugate gradients must stop."""
    rng = np.random.default_rng(seed)
    stretch = np.exp(2.0 * rng.standard_normal((4, 14, 1)))
    roots = unit_roots(rng, 4, 14) * stretch / np.exp(np.log(stretch).mean(axis=1, keepdims=True))
    criterion = VariableVolume(np.full(4, 0.25))
    end, value = descend(criterion, roots, random_rotation(rng, 14)[None])
    monkeypatch.setattr(descent, "_MAX_DENSE_PLANES", 1000)
    _, lower = descend(criterion, roots, end)
    assert value[0] - lower[0] < VALUE

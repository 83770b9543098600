"""M-steps against hand-made numbers and against the alternations of Celeux & Govaert (1995)."""

from __future__ import annotations

import numpy as np
import pytest

from gaussmix.covariance import FAMILIES, NAMES, Moment, Scatter

# The alternations stop where their linear convergence meets rounding.
ALTERNATED = 1e-10


def scatter_of(seed: int, n_components: int = 3, n_features: int = 4) -> Scatter:
    rng = np.random.default_rng(seed)
    rows = rng.standard_normal((n_components, n_features, 3 * n_features)) * np.exp(
        rng.standard_normal((n_components, n_features, 1))
    )
    mass = 5.0 + 20.0 * rng.random(n_components)
    return Scatter(Moment.FULL, mass, rows @ rows.transpose(0, 2, 1), n_features)


def alternated(values: np.ndarray, mass: np.ndarray, n_steps: int = 20_000) -> np.ndarray:
    """lambda_k C (K, D, D): volumes given the shape, and the shape given the volumes, over and over."""
    n_features = values.shape[1]
    volumes = np.ones(len(mass))
    for _ in range(n_steps):
        shape = (values / volumes[:, None, None]).sum(axis=0)
        shape /= np.exp(np.linalg.slogdet(shape)[1] / n_features)
        before = volumes
        volumes = np.trace(np.linalg.solve(shape, values), axis1=1, axis2=2) / (mass * n_features)
        if (np.abs(volumes / before - 1.0) < 1e-15).all():
            break
    return volumes[:, None, None] * shape


@pytest.mark.parametrize("seed", range(5))
def test_proportional_families_end_where_the_alternations_do(seed: int) -> None:
    scatter = scatter_of(seed)
    eigenvalues, vectors = np.linalg.eigh(scatter.values)
    ordered = alternated(eigenvalues[:, :, None] * np.eye(4), scatter.mass)
    wanted = {
        "VEI": alternated(scatter.values * np.eye(4), scatter.mass),
        "VEE": alternated(scatter.values, scatter.mass),
        "VEV": vectors @ ordered @ vectors.transpose(0, 2, 1),
    }
    for name, matrices in wanted.items():
        estimate = FAMILIES[name].estimate(scatter, None).dense()
        np.testing.assert_allclose(estimate, matrices, rtol=ALTERNATED, atol=ALTERNATED * matrices.max(), err_msg=name)


def test_closed_forms_on_numbers_that_can_be_checked_by_hand() -> None:
    """Two components of masses 1 and 3, with axes of squares (4, 1) and, turned by a right angle, (4, 64)."""
    values = np.array([np.diag([4.0, 1.0]), np.diag([4.0, 64.0])])
    scatter = Scatter(Moment.FULL, np.array([1.0, 3.0]), values, 2)
    # |W_1|^(1/2) = 2, |W_2|^(1/2) = 16: their sum over n = 4 is the common volume 4.5.
    own_shapes = 4.5 * np.array([np.diag([2.0, 0.5]), np.diag([0.25, 4.0])])
    # The ordered eigenvalues (4, 1) and (64, 4) add to (68, 5).
    ordered = np.array([np.diag([17.0, 1.25]), np.diag([1.25, 17.0])])
    wanted = {
        "EII": np.eye(2)[None] * 73.0 / 8.0,
        "VII": np.array([2.5 * np.eye(2), 68.0 / 6.0 * np.eye(2)]),
        "EEI": np.diag([2.0, 65.0 / 4.0])[None],
        "EVI": own_shapes,
        "VVI": np.array([values[0], values[1] / 3.0]),
        "EEE": np.diag([2.0, 65.0 / 4.0])[None],
        "EEV": ordered,
        "EVV": own_shapes,
        "VVV": np.array([values[0], values[1] / 3.0]),
        "EVE": own_shapes,
        "VVE": np.array([values[0], values[1] / 3.0]),
    }
    for name, matrices in wanted.items():
        estimate = FAMILIES[name].estimate(scatter, None).dense()
        np.testing.assert_allclose(estimate, matrices, rtol=1e-12, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan])
def test_a_scatter_that_is_not_positive_definite_is_refused(name: str, bad: float) -> None:
    values = np.tile(bad * np.eye(2), (2, 1, 1))
    with pytest.raises(np.linalg.LinAlgError):
        FAMILIES[name].estimate(Scatter(Moment.FULL, np.ones(2), values, 2), None)


@pytest.mark.parametrize("name", NAMES)
def test_components_of_very_different_size_and_mass_are_all_fitted(name: str) -> None:
    """Scaling one component's rows by 1e60 and its mass to 1e-6 leaves a finite, symmetric answer."""
    scatter = scatter_of(7)
    mass = scatter.mass * np.array([1e-6, 1.0, 1.0])
    values = scatter.values * np.array([1e-6, 1.0, 1e120])[:, None, None]
    estimate = FAMILIES[name].estimate(Scatter(Moment.FULL, mass, values, 4), None)
    assert np.isfinite(estimate.log_determinants()).all()
    if FAMILIES[name].volume == "V":
        own = np.linalg.slogdet(values / mass[:, None, None])[1] / 4
        # A component's volume never falls below that of its own best fit.
        assert (estimate.log_determinants() / 4 >= own - 1e-9).all()


def test_nearly_disjoint_shapes_still_converge() -> None:
    """Where the alternation crawls: each component owns one feature, and masses fit no such division."""
    squares = np.array([[1.0, 1e-12], [1e-12, 1.0]])
    mass = np.array([3.0, 1.0])
    estimate = FAMILIES["VEI"].estimate(Scatter(Moment.DIAGONAL, mass, squares, 2), None)
    # tr(Sigma_k^-1 W_k) = D n_k, and the features' shares of it are equal in the sum: the conditions themselves.
    shares = squares / estimate.variances()
    np.testing.assert_allclose(shares.sum(axis=1), 2.0 * mass, rtol=1e-12)
    np.testing.assert_allclose(shares.sum(axis=0), mass.sum(), rtol=1e-9)

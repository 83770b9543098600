"""What the laws are tried on: random mixtures of every structure, and rows from tame to nasty."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from hypothesis import strategies as st

import gaussmix as gm
from gaussmix.covariance import FAMILIES, NAMES, Moment, Scatter

ALL = NAMES
DIAGONALS = ("EII", "VII", "EEI", "VEI", "EVI", "VVI")

seeds = st.integers(0, 2**32 - 1)


def random_mixture(rng: np.random.Generator, structure: str, k: int, d: int, apart: float = 3.0) -> gm.Mixture:
    """A mixture of the structure: weights from 0.1 up, axes between about 0.3 and 3, means `apart` on average."""
    roots = np.linalg.qr(rng.standard_normal((k, d, d)))[0] * np.exp(0.5 * rng.standard_normal((k, 1, d)))
    mass = 100.0 * (rng.dirichlet(np.full(k, 3.0)) + 0.1)
    scatter = Scatter(Moment.FULL, mass, roots @ roots.transpose(0, 2, 1) * mass[:, None, None], d)
    name = structure[0] if d == 1 else structure
    spread = FAMILIES[name].estimate(scatter, None)
    means = apart * rng.standard_normal((k, d))
    return gm.Mixture(mass / mass.sum(), means, spread, structure=name)


def tame(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return random_mixture(rng, "VVV", 3, d, apart=2.0).sample(n, rng)


def duplicated(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return tame(rng, n, d)[rng.integers(0, max(6, n // 3), n)]


def heavy_tailed(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return rng.standard_t(1.5, (n, d))


def nearly_collinear(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    x = tame(rng, n, d)
    x[:, -1] = x[:, 0] + 1e-5 * x[:, -1]
    return x


def whole_numbers(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return rng.poisson(2.0, (n, d)).astype(float)


def constant_column(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    x = tame(rng, n, d)
    x[:, d - 1 if d > 1 else 1 :] = 3.7
    return x


def far_away(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return tame(rng, n, d) + 1e8


def uneven_scales(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return tame(rng, n, d) * 10.0 ** rng.uniform(-3, 3, d)


def with_outliers(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    x = tame(rng, n, d)
    x[: n // 20 + 1] *= 1e4
    return x


NASTY: dict[str, Callable[[np.random.Generator, int, int], np.ndarray]] = {
    kind.__name__: kind
    for kind in (
        tame,
        duplicated,
        heavy_tailed,
        nearly_collinear,
        whole_numbers,
        constant_column,
        far_away,
        uneven_scales,
        with_outliers,
    )
}


def reference(d: int) -> np.ndarray:
    """Variances (D,) for pseudo-observations, all different: equal ones leave a dying component's axes to chance."""
    return np.linspace(1.0, 2.0, d)


def fit_from(start: gm.Mixture, x: np.ndarray, *, passes: int = 5, **call: object) -> gm.FitResult:
    """A few passes from given parameters, with a regularization that does not depend on the rows."""
    structure = call.pop("covariance", start.structure)
    options: dict[str, object] = {
        "regularization": gm.PseudoObservations(1e-3, reference(x.shape[1])),
        "max_passes": passes,
    }
    return gm.fit(x, start.n_components, str(structure), start=start, **(options | call))  # type: ignore[arg-type]


def problem(seed: int) -> tuple[np.ndarray, str, int]:
    """Rows of an overlapping mixture, a structure, and a number of components that need not be theirs."""
    rng = np.random.default_rng(seed)
    d, k = int(rng.integers(2, 6)), int(rng.integers(2, 7))
    x = random_mixture(rng, "VVV", k, d).sample(int(rng.integers(100, 600)), rng)
    return x, ALL[seed % len(ALL)], k

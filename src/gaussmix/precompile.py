"""Compile what fits are going to need, once for this machine: ``python -m gaussmix.precompile``.

Installing from source does it too. After installing a wheel that was made elsewhere, small fits are NumPy's until a
process in the background has compiled; this does it at a moment of one's choosing, such as the making of an image.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np

from gaussmix._linalg import Array
from gaussmix.api import fit, select
from gaussmix.engine.kernels.choose import compiled, waiting
from gaussmix.errors import GaussmixWarning
from gaussmix.prediction import predict

_NEEDLE = 1e-9  # spread of one feature about another: too thin for the quadratic form
_FORMS = ("VII", "VVI", "EEE", "VVV")
"""A structure for each kind of second moments."""


def precompile() -> None:
    """Make small and large fits of every form, so that the compiled code of each is kept on disk; note that it is."""
    with waiting(), warnings.catch_warnings():
        warnings.simplefilter("ignore", GaussmixWarning)
        select(_rows(60, 2), range(1, 4), prune=False)
        for x in _large():
            for structure in _FORMS:
                predict(fit(x, 2, structure, n_starts=1, max_passes=3), x)
        if compiled():
            from gaussmix.engine.kernels.ahead import note_ready

            note_ready()


def _large() -> Iterator[Array]:
    """Rows of more features than small problems have: few, many, and so that the quadratic form loses its digits."""
    for n_features in (17, 49):
        x = _rows(300, n_features)
        yield x
        x[:, 1] = x[:, 0] + _NEEDLE * x[:, 1]
        yield x


def _rows(n_rows: int, n_features: int) -> Array:
    rng = np.random.default_rng(0)
    return rng.standard_normal((n_rows, n_features)) + 5.0 * rng.integers(0, 2, (n_rows, 1))


if __name__ == "__main__":
    precompile()

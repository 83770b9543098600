"""Pure array functions: batched triangular algebra, packed symmetric matrices, log-sum-exp."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

LOG_2PI = float(np.log(2.0 * np.pi))


def read_only(values: object) -> Array:
    """Return `values` as a float64 array that cannot be written to; an array already float64 is not copied."""
    array = np.asarray(values, dtype=np.float64)
    if array.flags.writeable:
        array = array.view()
        array.setflags(write=False)
    return array


def invert_lower(factors: Array) -> Array:
    """Invert lower triangular matrices (..., D, D) by forward substitution, one row of all of them at a time."""
    inverse = np.zeros_like(factors)
    for i in range(factors.shape[-1]):
        pivot = factors[..., i, i, None]
        inverse[..., i, :i] = -(factors[..., i, None, :i] @ inverse[..., :i, :i])[..., 0, :] / pivot
        inverse[..., i, i] = 1.0 / pivot[..., 0]
    return inverse


def solve_lower(factor: Array, rows: Array) -> Array:
    """Solve L y = r for every row r of `rows` (N, D), with one lower triangular `factor` (D, D)."""
    solution = np.empty_like(rows)
    for i in range(factor.shape[0]):
        solution[:, i] = (rows[:, i] - solution[:, :i] @ factor[i, :i]) / factor[i, i]
    return solution


def log_determinants(factors: Array) -> Array:
    """Log determinants of L L' for lower triangular `factors` (..., D, D)."""
    return 2.0 * np.log(np.diagonal(factors, axis1=-2, axis2=-1)).sum(axis=-1)


def factor_of_root(roots: Array) -> Array:
    """Lower triangular L with positive diagonal and L L' = R R', for `roots` R (..., D, M) with M >= D."""
    upper = np.linalg.qr(np.swapaxes(roots, -1, -2), mode="r")
    signs = np.where(np.diagonal(upper, axis1=-2, axis2=-1) < 0.0, -1.0, 1.0)
    return np.swapaxes(upper * signs[..., :, None], -1, -2)


def symmetric(matrices: Array) -> Array:
    """Return the symmetric part of `matrices` (..., D, D)."""
    return 0.5 * (matrices + np.swapaxes(matrices, -1, -2))


@lru_cache(maxsize=64)
def packed_indices(n_features: int) -> tuple[Integers, Integers]:
    """Rows and columns, i >= j, of the packed order of a symmetric D x D matrix."""
    rows, columns = np.tril_indices(n_features)
    return rows.astype(np.int64), columns.astype(np.int64)


def pack(matrices: Array) -> Array:
    """Return the lower triangles (..., D(D+1)/2) of symmetric `matrices` (..., D, D)."""
    rows, columns = packed_indices(matrices.shape[-1])
    return matrices[..., rows, columns]


def unpack(packed: Array, n_features: int) -> Array:
    """Symmetric matrices (..., D, D) from their lower triangles (..., D(D+1)/2)."""
    rows, columns = packed_indices(n_features)
    matrices = np.empty((*packed.shape[:-1], n_features, n_features))
    matrices[..., rows, columns] = packed
    matrices[..., columns, rows] = packed
    return matrices


def log_sum_exp(values: Array) -> Array:
    """Row-wise log of the sum of exponentials of `values` (N, K); a row of -inf gives -inf."""
    top = values.max(axis=1)
    safe = np.where(np.isfinite(top), top, 0.0)
    with np.errstate(divide="ignore"):
        return safe + np.log(np.exp(values - safe[:, None]).sum(axis=1))


def row_norms(rows: Array) -> Array:
    """Euclidean norms (N,) of `rows` (N, D), by a scaling that keeps squares from overflowing."""
    largest = np.abs(rows).max(axis=1, keepdims=True)
    scaled = rows / np.where(largest > 0.0, largest, 1.0)
    return largest[:, 0] * np.sqrt(np.square(scaled).sum(axis=1))

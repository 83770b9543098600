"""Small vectors and symmetric matrices, compiled: scalar loops, which compile in a tenth of array expressions' time."""

from __future__ import annotations

import numpy as np

from gaussmix._linalg import Array
from gaussmix.engine.kernels.compiling import inner


@inner
def sum_of(values: Array) -> float:
    """Return the sum of a vector."""
    total = 0.0
    for value in values:
        total += value
    return total


@inner
def geometric_mean(values: Array) -> float:
    """Return the geometric mean of a positive vector."""
    logs = 0.0
    for value in values:
        logs += np.log(value)
    return np.exp(logs / values.shape[0])


@inner
def scale(values: Array, factor: float) -> None:
    """Multiply a vector in place."""
    for i in range(values.shape[0]):
        values[i] *= factor


@inner
def trace_of(matrix: Array) -> float:
    """Return the trace of a square matrix."""
    trace = 0.0
    for i in range(matrix.shape[0]):
        trace += matrix[i, i]
    return trace


@inner
def size_of(lower: Array) -> float:
    """|L L'|^(1/D)."""
    logs = 0.0
    for i in range(lower.shape[0]):
        logs += np.log(lower[i, i])
    return np.exp(2.0 * logs / lower.shape[0])


@inner
def whitened_trace(inverse: Array, scatter: Array) -> float:
    """tr(L^-1 W L^-T)."""
    d = scatter.shape[0]
    trace = 0.0
    for i in range(d):
        for j in range(i + 1):
            partial = 0.0
            for m in range(i + 1):
                partial += inverse[i, m] * scatter[m, j]
            trace += partial * inverse[i, j]
    return trace


@inner
def turn(axes: Array, matrix: Array, work: Array) -> None:
    """Replace M by axes' M axes."""
    d = axes.shape[0]
    for i in range(d):
        for j in range(d):
            work[i, j] = 0.0
            for m in range(d):
                work[i, j] += matrix[i, m] * axes[m, j]
    for i in range(d):
        for j in range(d):
            matrix[i, j] = 0.0
            for m in range(d):
                matrix[i, j] += axes[m, i] * work[m, j]


@inner
def fill_identity(matrix: Array) -> None:
    """Fill a square matrix with the identity."""
    for i in range(matrix.shape[0]):
        for j in range(matrix.shape[0]):
            matrix[i, j] = 1.0 if i == j else 0.0


@inner
def sort_descending(diagonal: Array, vectors: Array) -> None:
    """Order the diagonal, and the columns of `vectors` with it, largest first."""
    d = diagonal.shape[0]
    for i in range(d):
        best = i
        for j in range(i + 1, d):
            if diagonal[j, j] > diagonal[best, best]:
                best = j
        if best != i:
            diagonal[i, i], diagonal[best, best] = diagonal[best, best], diagonal[i, i]
            for m in range(d):
                vectors[m, i], vectors[m, best] = vectors[m, best], vectors[m, i]


@inner
def compose(axes: Array, variances: Array, out: Array) -> None:
    """Axes diag(variances) axes'."""
    d = axes.shape[0]
    for i in range(d):
        for j in range(i + 1):
            value = 0.0
            for m in range(d):
                value += axes[i, m] * variances[m] * axes[j, m]
            out[i, j] = value
            out[j, i] = value


@inner
def rotate(matrix: Array, i: int, j: int, cosine: float, sine: float) -> None:
    """J' M J for the turn that takes axis i to cosine i + sine j."""
    rotate_columns(matrix, i, j, cosine, sine)
    for m in range(matrix.shape[0]):
        first, second = matrix[i, m], matrix[j, m]
        matrix[i, m] = cosine * first + sine * second
        matrix[j, m] = cosine * second - sine * first


@inner
def rotate_columns(matrix: Array, i: int, j: int, cosine: float, sine: float) -> None:
    """Turn columns i and j of a matrix towards each other."""
    for m in range(matrix.shape[0]):
        first, second = matrix[m, i], matrix[m, j]
        matrix[m, i] = cosine * first + sine * second
        matrix[m, j] = cosine * second - sine * first


@inner
def jacobi(matrix: Array, vectors: Array) -> None:
    """Diagonalise a symmetric matrix in place by Jacobi's method; its eigenvectors become columns of `vectors`."""
    d = matrix.shape[0]
    fill_identity(vectors)
    for _ in range(50):
        off = 0.0
        for i in range(d - 1):
            for j in range(i + 1, d):
                off = max(off, abs(matrix[i, j]) / np.sqrt(abs(matrix[i, i] * matrix[j, j]) + 1e-300))
                if matrix[i, j] != 0.0:
                    theta = 0.5 * (matrix[j, j] - matrix[i, i]) / matrix[i, j]
                    tangent = -1.0 / (abs(theta) + np.sqrt(theta * theta + 1.0))
                    if theta < 0.0:
                        tangent = -tangent
                    cosine = 1.0 / np.sqrt(tangent * tangent + 1.0)
                    sine = tangent * cosine
                    rotate(matrix, i, j, cosine, sine)
                    rotate_columns(vectors, i, j, cosine, sine)
        if off < 1e-15:
            break


@inner
def cholesky(matrix: Array, lower: Array) -> bool:
    """Fill `lower` with the Cholesky factor; say whether the matrix is positive definite."""
    d = matrix.shape[0]
    for i in range(d):
        for j in range(i + 1):
            value = matrix[i, j]
            for m in range(j):
                value -= lower[i, m] * lower[j, m]
            if i == j:
                if not (value > 0.0 and np.isfinite(value)):
                    return False
                lower[i, i] = np.sqrt(value)
            else:
                lower[i, j] = value / lower[j, j]
        for j in range(i + 1, d):
            lower[i, j] = 0.0
    return True


@inner
def invert(lower: Array, inverse: Array) -> None:
    """Fill `inverse` with the inverse of a lower triangular matrix."""
    d = lower.shape[0]
    for i in range(d):
        for j in range(d):
            inverse[i, j] = 0.0
        for j in range(i + 1):
            value = 1.0 if i == j else 0.0
            for m in range(j, i):
                value -= lower[i, m] * inverse[m, j]
            inverse[i, j] = value / lower[i, i]

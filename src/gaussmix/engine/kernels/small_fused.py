"""Parts of the small E-step for two to four features, written out so that a row stays in registers.

With loops over features every step goes through memory; for more features than these that no longer matters.
"""

from __future__ import annotations

from gaussmix._linalg import Array
from gaussmix.engine.kernels.compiling import inner_summing


@inner_summing
def log_density_of_2(
    rows: Array, start: int, stop: int, constant: float, centre: Array, w: Array, out: Array, top: Array
) -> None:
    """Fill in log densities of rows of two features, and raise `top` to them; `w` is the whitener."""
    z0, z1 = rows[0][start:stop], rows[1][start:stop]
    m0, m1 = centre[0], centre[1]
    w00, w10, w11 = w[0, 0], w[1, 0], w[1, 1]
    for n in range(stop - start):
        x0, x1 = z0[n] - m0, z1[n] - m1
        y0, y1 = w00 * x0, w10 * x0 + w11 * x1
        log_density = constant - 0.5 * (y0 * y0 + y1 * y1)
        out[n] = log_density
        top[n] = max(top[n], log_density)


@inner_summing
def log_density_of_3(
    rows: Array, start: int, stop: int, constant: float, centre: Array, w: Array, out: Array, top: Array
) -> None:
    """Fill in log densities of rows of three features, and raise `top` to them."""
    z0, z1, z2 = rows[0][start:stop], rows[1][start:stop], rows[2][start:stop]
    m0, m1, m2 = centre[0], centre[1], centre[2]
    w00, w10, w11, w20, w21, w22 = w[0, 0], w[1, 0], w[1, 1], w[2, 0], w[2, 1], w[2, 2]
    for n in range(stop - start):
        x0, x1, x2 = z0[n] - m0, z1[n] - m1, z2[n] - m2
        y0, y1, y2 = w00 * x0, w10 * x0 + w11 * x1, w20 * x0 + w21 * x1 + w22 * x2
        log_density = constant - 0.5 * (y0 * y0 + y1 * y1 + y2 * y2)
        out[n] = log_density
        top[n] = max(top[n], log_density)


@inner_summing
def log_density_of_4(
    rows: Array, start: int, stop: int, constant: float, centre: Array, w: Array, out: Array, top: Array
) -> None:
    """Fill in log densities of rows of four features, and raise `top` to them."""
    z0, z1, z2, z3 = rows[0][start:stop], rows[1][start:stop], rows[2][start:stop], rows[3][start:stop]
    m0, m1, m2, m3 = centre[0], centre[1], centre[2], centre[3]
    w00, w10, w11, w20, w21, w22 = w[0, 0], w[1, 0], w[1, 1], w[2, 0], w[2, 1], w[2, 2]
    w30, w31, w32, w33 = w[3, 0], w[3, 1], w[3, 2], w[3, 3]
    for n in range(stop - start):
        x0, x1, x2, x3 = z0[n] - m0, z1[n] - m1, z2[n] - m2, z3[n] - m3
        y0, y1, y2 = w00 * x0, w10 * x0 + w11 * x1, w20 * x0 + w21 * x1 + w22 * x2
        y3 = w30 * x0 + w31 * x1 + w32 * x2 + w33 * x3
        log_density = constant - 0.5 * (y0 * y0 + y1 * y1 + y2 * y2 + y3 * y3)
        out[n] = log_density
        top[n] = max(top[n], log_density)


@inner_summing
def add_moments_of_2(
    rows: Array, start: int, stop: int, centre: Array, shares: Array, scales: Array, totals: Array
) -> float:
    """Add up moments of rows of two features about a centre; return the sum of squares of `shares` times `scales`."""
    z0, z1 = rows[0][start:stop], rows[1][start:stop]
    m0, m1 = centre[0], centre[1]
    s, s0, s1, s00, s10, s11, squares = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for n in range(stop - start):
        r = shares[n] * scales[n]
        x0, x1 = z0[n] - m0, z1[n] - m1
        r0, r1 = r * x0, r * x1
        squares += r * r
        s += r
        s0 += r0
        s1 += r1
        s00 += r0 * x0
        s10 += r1 * x0
        s11 += r1 * x1
    _add(totals, (s, s0, s1, s00, s10, s11))
    return squares


@inner_summing
def add_moments_of_3(
    rows: Array, start: int, stop: int, centre: Array, shares: Array, scales: Array, totals: Array
) -> float:
    """Add up moments of rows of three features about a centre; return the sum of squares of `shares` times `scales`."""
    z0, z1, z2 = rows[0][start:stop], rows[1][start:stop], rows[2][start:stop]
    m0, m1, m2 = centre[0], centre[1], centre[2]
    s, s0, s1, s2, squares = 0.0, 0.0, 0.0, 0.0, 0.0
    s00, s10, s11, s20, s21, s22 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for n in range(stop - start):
        r = shares[n] * scales[n]
        x0, x1, x2 = z0[n] - m0, z1[n] - m1, z2[n] - m2
        r0, r1, r2 = r * x0, r * x1, r * x2
        squares += r * r
        s += r
        s0 += r0
        s1 += r1
        s2 += r2
        s00 += r0 * x0
        s10 += r1 * x0
        s11 += r1 * x1
        s20 += r2 * x0
        s21 += r2 * x1
        s22 += r2 * x2
    _add(totals, (s, s0, s1, s2, s00, s10, s11, s20, s21, s22))
    return squares


@inner_summing
def add_moments_of_4(
    rows: Array, start: int, stop: int, centre: Array, shares: Array, scales: Array, totals: Array
) -> float:
    """Add up moments of rows of four features about a centre; return the sum of squares of `shares` times `scales`."""
    z0, z1, z2, z3 = rows[0][start:stop], rows[1][start:stop], rows[2][start:stop], rows[3][start:stop]
    m0, m1, m2, m3 = centre[0], centre[1], centre[2], centre[3]
    s, s0, s1, s2, s3, squares = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    s00, s10, s11, s20, s21, s22, s30, s31, s32, s33 = 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    for n in range(stop - start):
        r = shares[n] * scales[n]
        x0, x1, x2, x3 = z0[n] - m0, z1[n] - m1, z2[n] - m2, z3[n] - m3
        r0, r1, r2, r3 = r * x0, r * x1, r * x2, r * x3
        squares += r * r
        s += r
        s0 += r0
        s1 += r1
        s2 += r2
        s3 += r3
        s00 += r0 * x0
        s10 += r1 * x0
        s11 += r1 * x1
        s20 += r2 * x0
        s21 += r2 * x1
        s22 += r2 * x2
        s30 += r3 * x0
        s31 += r3 * x1
        s32 += r3 * x2
        s33 += r3 * x3
    _add(totals, (s, s0, s1, s2, s3, s00, s10, s11, s20, s21, s22, s30, s31, s32, s33))
    return squares


@inner_summing
def _add(totals: Array, sums: tuple[float, ...]) -> None:
    for i in range(len(sums)):
        totals[i] += sums[i]

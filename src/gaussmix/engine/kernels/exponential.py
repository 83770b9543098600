"""Exponentials and logarithms of numbers and of whole vectors.

NumPy's own `exp` computes one number at a time where there is no AVX-512. The functions here have no branches and
no tables: reduction by powers of two, a polynomial, and the power of two put back by integer arithmetic on the bits.
They are written as instructions, the same ones for a number, of which a compiler may make vectors, and for a vector.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from gaussmix._linalg import Array
from gaussmix.engine.kernels.compiling import exact
from gaussmix.engine.kernels.vectors import Arithmetic, Bundle

SMALLEST_ARGUMENT = -708.0  # of `exponential`: exp(-708) is the last power that a normal float64 holds with room

_LOG2_E = 1.4426950408889634
# log 2 in two parts; the first has 42 bits, so that its product with any exponent is exact.
_LOG_2_HIGH = 0.6931471805598903
_LOG_2_LOW = 5.497923018708371e-14
_LOG_2 = 0.6931471805599453
# 1.5 * 2**52: adding it rounds to an integer and leaves that integer in the lowest bits.
_TO_INTEGER = 6755399441055744.0
# Bits of sqrt(1/2): mantissas are taken between it and sqrt(2).
_ROOT_HALF = 0x3FE6A09E667F3BCD
_EXPONENTIAL = (
    2.500006162553128e-08,
    2.763024838532302e-07,
    2.755758637378518e-06,
    2.480149309888739e-05,
    0.00019841269506578723,
    0.0013888888943630134,
    0.008333333333494461,
    0.041666666666530155,
    0.16666666666666413,
    0.5000000000000011,
)
_LOGARITHM = (
    0.1479750793138197,
    0.15313903213156663,
    0.18183569741670932,
    0.22222198475936597,
    0.28571428743263344,
    0.3999999999941109,
    0.6666666666666735,
)


def exponential_of(builder: Any, x: Bundle) -> Bundle:
    """Return exp(x) for x <= 0 within 2 ulp; 0 below -708.

    The polynomial (exp(r) - 1 - r) / r^2 of degree 9 minimises the largest relative error of the exponential for
    |r| <= log(2)/2, by Remez' exchange in 50 digits: 3.6e-18.
    """
    code = Arithmetic(builder, x)
    shifted = code.fused(x, _LOG2_E, _TO_INTEGER)
    count = code.minus(shifted, _TO_INTEGER)
    r = code.fused(count, -_LOG_2_LOW, code.fused(count, -_LOG_2_HIGH, x))
    square = code.times(r, r)
    significand = code.plus(code.fused(square, code.polynomial(r, square, _EXPONENTIAL), r), 1.0)
    exponent = code.each("shl", code.bits(shifted), code.integer(52))
    power = code.number(code.each("add", code.bits(significand), exponent))
    return code.where_less(x, SMALLEST_ARGUMENT, 0.0, power)


def logarithm_of(builder: Any, x: Bundle) -> Bundle:
    """Return log(x) for normal x > 0, within 2 ulp of the result or of log 2, whichever is larger.

    With x = 2^e m and f = (m - 1)/(m + 1), log m = 2f + f^3 R(f^2); R of degree 6 by Remez' exchange: 1.3e-18.
    """
    code = Arithmetic(builder, x)
    exponent = code.each("ashr", code.each("sub", code.bits(x), code.integer(_ROOT_HALF)), code.integer(52))
    m = code.number(code.each("sub", code.bits(x), code.each("shl", exponent, code.integer(52))))
    f = code.each("fdiv", code.minus(m, 1.0), code.plus(m, 1.0))
    t = code.times(f, f)
    q = code.polynomial(t, code.times(t, t), _LOGARITHM)
    # Not every processor has an instruction that makes numbers of integers; adding bits does it where they are small.
    power = code.minus(code.number(code.each("add", exponent, code.bits(code.constant(_TO_INTEGER)))), _TO_INTEGER)
    return code.fused(power, _LOG_2, code.fused(code.times(f, t), q, code.plus(f, f)))


def _of_numbers(generate: Callable[[Any, Bundle], Bundle]) -> Any:
    """Make an intrinsic function of one float64."""

    def emit(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return generate(builder, list(arguments))[0]

    def function(_context: Any, _x: Any) -> Any:
        return types.float64(types.float64), emit

    return intrinsic(function)


_exponential, _logarithm = _of_numbers(exponential_of), _of_numbers(logarithm_of)


@exact
def exponential(x: float) -> float:
    """exp(x) for x <= 0 within 2 ulp; 0 below -708."""
    return _exponential(x)


@exact
def logarithm(x: float) -> float:
    """log(x) for normal x > 0, within 2 ulp of the result or of log 2, whichever is larger."""
    return _logarithm(x)


@exact
def exponentials(x: Array) -> Array:
    """`exponential` of every element of x (n,)."""
    values = np.empty_like(x)
    for i in range(x.shape[0]):
        values[i] = exponential(x[i])
    return values


@exact
def logarithms(x: Array) -> Array:
    """`logarithm` of every element of x (n,)."""
    values = np.empty_like(x)
    for i in range(x.shape[0]):
        values[i] = logarithm(x[i])
    return values

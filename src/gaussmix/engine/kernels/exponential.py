"""Exponentials and logarithms that a compiler can turn into vector instructions.

NumPy's own `exp` computes one number at a time where there is no AVX-512. The functions here have no branches and
no tables: reduction by powers of two, a polynomial, and the power of two put back by integer arithmetic on the bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from gaussmix._linalg import Array
from gaussmix.engine.kernels.compiling import exact

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


def _as_integer(_context: Any, _value: Any) -> Any:
    """Type and code of the bits of a float64, read as an int64."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), generate


def _as_number(_context: Any, _bits: Any) -> Any:
    """Type and code of the float64 that has the bits of an int64."""

    def generate(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


# A type checker would take these for functions of two arguments.
_bits: Any = intrinsic(_as_integer)
_number: Any = intrinsic(_as_number)


@exact
def exponential(x: float) -> float:
    """exp(x) for x <= 0 within 2 ulp; 0 below -708.

    The polynomial (exp(r) - 1 - r) / r^2 of degree 9 minimises the largest relative error of the exponential for
    |r| <= log(2)/2, by Remez' exchange in 50 digits: 3.6e-18.
    """
    shifted = x * _LOG2_E + _TO_INTEGER
    count = shifted - _TO_INTEGER
    r = (x - count * _LOG_2_HIGH) - count * _LOG_2_LOW
    q = 2.500006162553128e-08
    q = q * r + 2.763024838532302e-07
    q = q * r + 2.755758637378518e-06
    q = q * r + 2.480149309888739e-05
    q = q * r + 0.00019841269506578723
    q = q * r + 0.0013888888943630134
    q = q * r + 0.008333333333494461
    q = q * r + 0.041666666666530155
    q = q * r + 0.16666666666666413
    q = q * r + 0.5000000000000011
    power = _number(_bits(1.0 + (r + r * r * q)) + (_bits(shifted) << 52))
    return 0.0 if x < SMALLEST_ARGUMENT else power


@exact
def logarithm(x: float) -> float:
    """log(x) for normal x > 0, within 2 ulp of the result or of log 2, whichever is larger.

    With x = 2^e m and f = (m - 1)/(m + 1), log m = 2f + f^3 R(f^2); R of degree 6 by Remez' exchange: 1.3e-18.
    """
    exponent = (_bits(x) - _ROOT_HALF) >> 52
    m = _number(_bits(x) - (exponent << 52))
    f = (m - 1.0) / (m + 1.0)
    t = f * f
    q = 0.1479750793138197
    q = q * t + 0.15313903213156663
    q = q * t + 0.18183569741670932
    q = q * t + 0.22222198475936597
    q = q * t + 0.28571428743263344
    q = q * t + 0.3999999999941109
    q = q * t + 0.6666666666666735
    return exponent * _LOG_2 + (2.0 * f + f * t * q)


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

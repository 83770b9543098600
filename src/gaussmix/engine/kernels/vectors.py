"""Vector registers of the processor that is compiled for, and the few instructions that tiles are written in.

A compiler makes vectors of plain loops along rows, but keeps no table of sums in registers over such a loop; where that
is wanted, instructions are written out. They name no processor: LLVM finds the ones that there are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, final

from llvmlite import ir
from numba.core import cgutils
from numba.core.registry import cpu_target

Value = Any
"""An LLVM value; llvmlite has no types that a checker could use."""


def _lanes(features: str) -> int:
    """Return how many float64 numbers a register holds, by the names of the processor's features."""
    if "+avx512f" in features:
        return 8
    return 4 if "+avx2" in features else 2


_TARGET: Any = cpu_target
LANES = _lanes(_TARGET.target_context.codegen().magic_tuple()[2])
# Vectors of rows, or features, in a tile of four components: below AVX-512 there are 16 registers, with it 32.
WIDTH = 6 if LANES == 8 else 3

INDEX = ir.IntType(64)
_NUMBER = ir.DoubleType()
_FUSED = ("contract",)


def index(number: int) -> Value:
    """Return a constant."""
    return ir.Constant(INDEX, number)


def zeros(lanes: int = LANES) -> Value:
    """Return a vector of zeros."""
    return ir.Constant(vector(lanes), [0.0] * lanes)


def vector(lanes: int = LANES) -> Value:
    """Return the type of a vector."""
    return ir.VectorType(_NUMBER, lanes)


@final
class Matrix:
    """A C-ordered argument (rows, columns) of an intrinsic."""

    def __init__(self, context: Any, builder: Any, kind: Any, value: Value) -> None:
        array = context.make_array(kind)(context, builder, value)
        self._builder, self._data = builder, array.data
        self._width = cgutils.unpack_tuple(builder, array.shape)[-1]

    def at(self, row: Value, column: Value) -> Value:
        """Return the address of an element."""
        position = self._builder.add(self._builder.mul(row, self._width), column)
        return self._builder.gep(self._data, [position])


def load(builder: Any, address: Value, lanes: int = LANES) -> Value:
    """Return consecutive numbers."""
    loaded = builder.load(builder.bitcast(address, vector(lanes).as_pointer()))
    loaded.align = 8
    return loaded


def store(builder: Any, value: Value, address: Value) -> None:
    """Write consecutive numbers."""
    builder.store(value, builder.bitcast(address, value.type.as_pointer())).align = 8


def repeated(builder: Any, number: Value) -> Value:
    """Return a vector of one number."""
    empty = ir.Constant(vector(), ir.Undefined)
    first = builder.insert_element(empty, number, ir.Constant(ir.IntType(32), 0))
    return builder.shuffle_vector(first, empty, _positions([0] * LANES))


def multiply_add(builder: Any, a: Value, b: Value, c: Value) -> Value:
    """Return a b + c, rounded once where the processor can."""
    return builder.fadd(c, builder.fmul(a, b, flags=_FUSED), flags=_FUSED)


Bundle = list[Value]
"""Numbers or vectors that go through the same instructions side by side: each has to wait for its own last result."""


@final
class Arithmetic:
    """Instructions on bundles of float64 numbers, or of vectors of them; constants are Python's."""

    def __init__(self, builder: Any, like: Bundle) -> None:
        self._builder, self._type, self._size = builder, like[0].type, len(like)
        self._lanes = getattr(self._type, "count", 0)
        self._integers = ir.VectorType(INDEX, self._lanes) if self._lanes else INDEX

    def constant(self, number: float) -> Bundle:
        """Return a constant number."""
        return [ir.Constant(self._type, [number] * self._lanes if self._lanes else number)] * self._size

    def integer(self, number: int) -> Bundle:
        """Return a constant integer."""
        return [ir.Constant(self._integers, [number] * self._lanes if self._lanes else number)] * self._size

    def bits(self, numbers: Bundle) -> Bundle:
        """Return the bits of numbers, read as integers."""
        return [self._builder.bitcast(each, self._integers) for each in numbers]

    def number(self, bits: Bundle) -> Bundle:
        """Return the numbers that have the bits of integers."""
        return [self._builder.bitcast(each, self._type) for each in bits]

    def each(self, instruction: str, a: Bundle, b: Bundle, **options: Any) -> Bundle:
        """Return what an instruction of the builder makes of a and b."""
        emit = getattr(self._builder, instruction)
        return [emit(left, right, **options) for left, right in zip(a, b, strict=True)]

    def plus(self, a: Bundle, b: Bundle | float) -> Bundle:
        """Return a + b."""
        return self.each("fadd", a, self._made(b), flags=_FUSED)

    def minus(self, a: Bundle, b: Bundle | float) -> Bundle:
        """Return a - b."""
        return self.each("fsub", a, self._made(b), flags=_FUSED)

    def times(self, a: Bundle, b: Bundle | float) -> Bundle:
        """Return a b."""
        return self.each("fmul", a, self._made(b), flags=_FUSED)

    def fused(self, a: Bundle, b: Bundle | float, c: Bundle | float) -> Bundle:
        """Return a b + c, rounded once where the processor can."""
        return self.plus(self.times(a, b), c)

    def where_less(self, a: Bundle, b: Bundle | float, then: Bundle | float, otherwise: Bundle | float) -> Bundle:
        """Return `then` where a < b, else `otherwise`."""
        operands = zip(a, self._made(b), self._made(then), self._made(otherwise), strict=True)
        builder = self._builder
        return [builder.select(builder.fcmp_ordered("<", x, y), left, right) for x, y, left, right in operands]

    def polynomial(self, x: Bundle, square: Bundle, coefficients: Sequence[float]) -> Bundle:
        """Return the polynomial with `coefficients`, the highest first, at x: even and odd powers by themselves.

        So the result is waited for half as long.
        """
        odd, even = coefficients[-2::-2][::-1], coefficients[::-2][::-1]
        return self.fused(self._powers(square, odd), x, self._powers(square, even))

    def _powers(self, x: Bundle, coefficients: Sequence[float]) -> Bundle:
        value = self.constant(coefficients[0])
        for each in coefficients[1:]:
            value = self.fused(value, x, each)
        return value

    def _made(self, number: Bundle | float) -> Bundle:
        return number if isinstance(number, list) else self.constant(number)


def sums(builder: Any, vectors: Sequence[Value]) -> Value:
    """Return the sums of the elements of each of one, two or four vectors, as one vector."""
    left, lanes = list(vectors), LANES
    for _ in range(LANES.bit_length() - 1):  # each time half as many elements belong to a sum
        if len(left) > 1:
            left = [_neighbours(builder, a, b) for a, b in zip(left[::2], left[1::2], strict=True)]
        else:
            lanes //= 2
            left = [_halves(builder, left[0], lanes)]
    while len(left) > 1:
        everything = _positions(range(2 * left[0].type.count))
        left = [builder.shuffle_vector(a, b, everything) for a, b in zip(left[::2], left[1::2], strict=True)]
    return left[0]


def _neighbours(builder: Any, a: Value, b: Value) -> Value:
    """Return the sums of neighbours in a, then in b."""
    even, odd = (_positions(range(first, 2 * LANES, 2)) for first in (0, 1))
    return builder.fadd(builder.shuffle_vector(a, b, even), builder.shuffle_vector(a, b, odd))


def _halves(builder: Any, a: Value, lanes: int) -> Value:
    """Return the `lanes` sums of neighbours in a, which has twice as many."""
    even, odd = (_positions(range(first, 2 * lanes, 2)) for first in (0, 1))
    return builder.fadd(builder.shuffle_vector(a, a, even), builder.shuffle_vector(a, a, odd))


def _positions(numbers: Sequence[int]) -> Value:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(numbers)), list(numbers))


def unpacked(context: Any, builder: Any, signature: Any, arguments: Any) -> tuple[list[Matrix], list[Value]]:
    """Return the three matrices and the integers that are an intrinsic's first arguments."""
    kinds = signature.args[:3]
    matrices = [Matrix(context, builder, kind, each) for kind, each in zip(kinds, arguments[:3], strict=True)]
    return matrices, cgutils.unpack_tuple(builder, arguments[3])


def loop(
    builder: Any,
    start: Value,
    stop: Value,
    step: int,
    begun: list[Value],
    terms: Callable[[Value, list[Value]], list[Value]],
) -> list[Value]:
    """Let `terms` add to the vectors `begun` for all numbers from `start` to `stop`; there must be one."""
    before, body, after = builder.block, builder.append_basic_block("body"), builder.append_basic_block("after")
    builder.branch(body)
    builder.position_at_end(body)
    number = builder.phi(INDEX)
    totals = [builder.phi(vector()) for _ in begun]
    added = terms(number, totals)
    following = builder.add(number, index(step))
    for phi, old, new in zip([number, *totals], [start, *begun], [following, *added], strict=True):
        phi.add_incoming(old, before)
        phi.add_incoming(new, body)
    builder.cbranch(builder.icmp_signed("<", following, stop), body, after)
    builder.position_at_end(after)
    return added

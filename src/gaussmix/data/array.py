"""Arrays, memory maps and nested lists as tables without column names."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from numbers import Real
from pathlib import Path
from typing import Any, cast, final

import numpy as np
from numpy.typing import NDArray

from gaussmix.data.table import PART_ROWS, ROWS_PER_READ, Part, Refusal, Rows, Table, Wrapped
from gaussmix.errors import EmptyDataError, NotNumericError, ShapeError, SourceError

AnyArray = NDArray[Any]


@final
class ArrayTable(Table):
    """Rows of an array (rows, columns), or of a vector (rows,) as one column.

    float64 and float32 are handed out as views, all rows at once; every other kind of number is converted
    piece by piece.

    Parameters
    ----------
    array : array
        Booleans, integers or real floating-point numbers. The masked values of a masked array are missing.
    description : str
        What to call it in messages.

    Raises
    ------
    NotNumericError
        If the values are complex, text, dates or arbitrary objects.
    ShapeError
        If there are not one or two dimensions.
    EmptyDataError
        If there are no rows or no columns.
    """

    def __init__(self, array: AnyArray, description: str = "array") -> None:
        _require_real(array, description)
        if array.ndim not in (1, 2):
            raise ShapeError(
                f"{description} has {array.ndim} dimensions, shape {array.shape}; expected (rows, columns). Reshape it."
            )
        if array.size == 0:
            raise EmptyDataError(f"{description} is empty, shape {array.shape}. Give at least one row and one column.")
        if not isinstance(array, np.ma.MaskedArray):
            array = array.view(np.ndarray)
        self._array = array if array.ndim == 2 else array[:, None]
        self._description = description

    @property
    def description(self) -> str:
        """What the array is called in messages."""
        return self._description

    @property
    def names(self) -> None:
        """Arrays have no column names."""
        return None

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return self._array.shape[1]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self._array.shape[0]

    @property
    def ready(self) -> bool:
        """Whether rows are handed out as views."""
        native = self._array.dtype in (np.dtype(np.float64), np.dtype(np.float32))
        return native and not isinstance(self._array, np.ma.MaskedArray)

    def refusals(self, positions: Sequence[int]) -> list[Refusal]:
        """None: what is not numeric has been refused as a whole."""
        return []

    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        """Read all rows: in one piece where that takes no copy."""
        index = _as_slice(features)
        rows = self.n_rows if self.ready and isinstance(index, slice) else ROWS_PER_READ
        for start in range(0, self.n_rows, rows):
            block = self._array[start : start + rows]
            weights = None if weight is None else _floats(block[:, weight]).astype(np.float64, copy=False)
            yield _floats(block[:, index]), weights


def _as_slice(positions: Sequence[int]) -> slice | list[int]:
    """Adjacent columns in order are a view; others have to be gathered."""
    first, last = positions[0], positions[-1]
    return slice(first, last + 1) if list(positions) == list(range(first, last + 1)) else list(positions)


def _floats(block: AnyArray) -> NDArray[np.floating]:
    """Return native floats, masked values as NaN."""
    if isinstance(block, np.ma.MaskedArray):
        return np.ma.filled(block.astype(np.float64), np.nan)
    if block.dtype in (np.dtype(np.float64), np.dtype(np.float32)):
        return block
    with np.errstate(over="ignore"):  # a long double beyond float64 becomes infinite, and is reported as that
        return block.astype(np.float64, order="C")


def _require_real(array: AnyArray, description: str) -> None:
    if array.dtype.names is not None:
        raise NotNumericError(
            f"{description} is a structured array with fields {', '.join(array.dtype.names)}. "
            "Give pandas.DataFrame(array), or numpy.lib.recfunctions.structured_to_unstructured(array)."
        )
    if array.dtype.kind in "buif":
        return
    if array.dtype.kind == "c":
        raise NotNumericError(
            f"{description} holds complex numbers ({array.dtype}); expected real ones. "
            "Give real and imaginary parts as two columns: numpy.column_stack([z.real, z.imag])."
        )
    raise NotNumericError(
        f"{description} has dtype {array.dtype}{_first_stranger(array)}; expected real numbers. "
        "Write missing values as NaN, put tables with text into a dataframe and choose columns with "
        "features=[...], or convert with .astype(float)."
    )


def _first_stranger(array: AnyArray) -> str:
    """Where the first value stands that is not a number, for the message."""
    for index, value in np.ndenumerate(array):
        if not _is_number(value):
            place = f"row {index[0]}" + (f", column {index[1]}" if len(index) > 1 else "") if index else "the value"
            return f" ({place}, counting from 0: {str(value)!r:.60})"
    return ""


def _is_number(value: object) -> bool:
    if isinstance(value, str):
        try:
            float(value)
        except ValueError:
            return False
        return True
    return isinstance(value, Real)


def array_from(data: object, description: str) -> ArrayTable:
    """Read a nested list, or an object that knows how to become an array.

    Raises
    ------
    ShapeError
        If the rows of a nested list differ in length.
    SourceError
        If the object refuses to become an array.
    """
    try:
        array = np.asarray(data)
    except (TypeError, ValueError, RuntimeError) as error:
        _require_even(data)
        raise SourceError(
            f"{description} cannot be turned into an array: {error}. Give an array of shape (rows, columns)."
        ) from error
    return ArrayTable(array, description)


def _require_even(data: object) -> None:
    if not isinstance(data, list | tuple):
        return
    rows = cast("Sequence[object]", data)
    widths = [len(cast("Sequence[object]", row)) if isinstance(row, Sequence) else 1 for row in rows]
    odd = next((i for i, width in enumerate(widths) if width != widths[0]), None)
    if odd is not None:
        raise ShapeError(
            f"row {odd} (counting from 0) has {widths[odd]} values where row 0 has {widths[0]}; "
            "expected rows of one length. Write missing values as float('nan')."
        )


@final
class NpyTable(Wrapped):
    """The rows of a `.npy` file, or some of them, mapped into memory: read from disk as they are needed.

    It travels to other processes as a path, and is opened there.

    Parameters
    ----------
    path : Path
    first, stop : int, optional
        The rows; all by default.

    Raises
    ------
    SourceError
        If the file is damaged, or holds pickled objects, which gaussmix never loads.
    """

    def __init__(self, path: Path, first: int = 0, stop: int | None = None) -> None:
        rows = _mapped(path)
        super().__init__(ArrayTable(rows if (first, stop) == (0, None) else rows[first:stop], str(path)))
        self._opened = path, first, stop

    def __reduce__(self) -> tuple[type[NpyTable], tuple[Path, int, int | None]]:
        return NpyTable, self._opened

    def parts(self, positions: Sequence[int]) -> list[Part]:
        """Return stretches of rows."""
        path, start, _ = self._opened
        n_rows = self.n_rows or 0
        cuts = [*range(0, n_rows, PART_ROWS), n_rows]
        return [Part(NpyTable(path, start + i, start + j), j - i) for i, j in pairwise(cuts)]


def _mapped(path: Path) -> AnyArray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # the header is read as Python, and fails in as many ways
        raise SourceError(
            f"{path} is not a usable .npy file: {error} "
            "Write it again with numpy.save(path, array) from an array of numbers."
        ) from error
    return array

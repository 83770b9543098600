"""Arrow tables and Arrow IPC files, read batch by batch through pyarrow."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias, final

import numpy as np
from numpy.typing import NDArray

from gaussmix.data.shelf import Shelf
from gaussmix.data.table import ROWS_PER_READ, Refusal, Rows, Table
from gaussmix.errors import EmptyDataError, SourceError

ArrowArray: TypeAlias = Any
ArrowSchema: TypeAlias = Any
ArrowType: TypeAlias = Any
"""pyarrow ships no types for a checker to know; these names tell the reader."""

Columns: TypeAlias = Iterator[Sequence[ArrowArray]]
Batches = Callable[[Sequence[int]], Columns]
"""Read the columns at some positions once, in that order, a piece of all of them at a time."""


@final
class ArrowTable(Table):
    """Columns that come as Arrow arrays, from memory or from a file.

    Nulls become NaN; the result is float32 where all features are, else float64.

    Parameters
    ----------
    schema : pyarrow.Schema
    batches : callable
        Reads chosen columns; called once for every reading.
    n_rows : int or None
        Number of rows where it is known.
    description : str
        What to call it in messages.
    peek : bool
        Whether rows may be read for an example in a message.
    """

    def __init__(
        self, schema: ArrowSchema, batches: Batches, n_rows: int | None, description: str, *, peek: bool = True
    ) -> None:
        if n_rows == 0 or len(schema) == 0:
            found = f"{description} has {n_rows} rows and {len(schema)} columns"
            raise EmptyDataError(f"{found}. Give at least one row and one column.")
        self._schema = schema
        self._names = tuple(schema.names)
        self._batches = batches
        self._n_rows = n_rows
        self._description = description
        self._peek = peek

    @property
    def description(self) -> str:
        """A path, or what an object in memory is called in messages."""
        return self._description

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all columns."""
        return self._names

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return len(self._schema)

    @property
    def n_rows(self) -> int | None:
        """Number of rows where the file's head or foot tells."""
        return self._n_rows

    @property
    def ready(self) -> bool:
        """Columns lie apart and have to be gathered."""
        return False

    def refusals(self, positions: Sequence[int]) -> list[Refusal]:
        """Those columns whose type is neither numeric nor boolean."""
        return [
            Refusal(i, str(self._schema.field(i).type), self._example(i))
            for i in positions
            if not is_numeric(self._schema.field(i).type)
        ]

    def _example(self, position: int) -> str | None:
        """Return the first value of a column that is not null, within the first piece."""
        if not self._peek:
            return None
        with unreadable(self._description):
            for (column,) in self._batches([position]):
                present = column.drop_null()
                return f"{present[0].as_py()!r:.60}" if len(present) else None
        return None

    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        """Read all rows, at most 65,536 at a time."""
        dtype = float_type(self._schema, features)
        wanted = [*features] if weight is None else [*features, weight]
        with unreadable(self._description):
            for columns in self._batches(wanted):
                for start in range(0, len(columns[0]), ROWS_PER_READ):
                    part = [column.slice(start, ROWS_PER_READ) for column in columns]
                    weights = None if weight is None else floats(part.pop())
                    yield matrix(part, dtype), weights


def float_type(schema: ArrowSchema, features: Sequence[int]) -> np.dtype[np.floating[Any]]:
    """Return float32 where all features are, else float64."""
    import pyarrow as pa

    single = all(schema.field(i).type == pa.float32() for i in features)
    return np.dtype(np.float32 if single else np.float64)


def is_numeric(kind: ArrowType) -> bool:
    """Whether values of a type are numbers, or truth values, or all missing."""
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(kind):
        return is_numeric(kind.value_type)
    tests = (types.is_floating, types.is_integer, types.is_boolean, types.is_decimal, types.is_null)
    return any(test(kind) for test in tests)


def floats(column: ArrowArray) -> NDArray[np.float64]:
    """Return the values of an Arrow array as float64, nulls as NaN."""
    import pyarrow as pa

    if column.type != pa.float64():
        column = column.cast(pa.float64(), safe=False)
    if column.null_count == 0:
        # Without letting go of the interpreter, which threads at work would be slow to give back.
        return np.asarray(np.from_dlpack(column), dtype=np.float64)
    return column.to_numpy(zero_copy_only=False)


def matrix(columns: Sequence[ArrowArray], dtype: np.dtype[np.floating[Any]]) -> NDArray[np.floating]:
    """Return columns as rows (rows, columns), column by column in memory as they came."""
    lying = np.empty((len(columns), len(columns[0])), dtype=dtype)
    for j, column in enumerate(columns):
        lying[j] = floats(column)
    return lying.T


def stretches(pieces: Columns, n_rows: int, dtype: np.dtype[np.floating[Any]], weighted: bool) -> Iterator[Rows]:
    """Yield columns of pieces of any lengths as stretches of `n_rows` rows, column by column in memory.

    Parameters
    ----------
    pieces : iterator of columns
    n_rows : int
        Of all stretches but the last.
    dtype : dtype
        Of the features.
    weighted : bool
        Whether the last column has the weights.
    """
    shelf, at = Shelf(), 0
    lying, weights = np.empty((0, 0), dtype), None
    for piece in pieces:
        columns = [floats(column) for column in piece]
        first, length = 0, len(columns[0])
        while first < length:
            if at == 0:
                lying = shelf.empty((len(columns) - weighted, n_rows), dtype)
                weights = np.empty(n_rows) if weighted else None
            count = min(n_rows - at, length - first)
            targets = [*lying] if weights is None else [*lying, weights]
            for target, column in zip(targets, columns, strict=True):
                target[at : at + count] = column[first : first + count]
            first, at = first + count, at + count
            if at == n_rows:
                yield lying.T, weights
                at = 0
    if at:
        yield lying[:, :at].T, None if weights is None else weights[:at]


@contextmanager
def unreadable(description: str, where: str = "") -> Generator[None]:
    """Turn what pyarrow and the operating system raise into a SourceError; `where` says where in it."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, OSError, EOFError, UnicodeDecodeError) as error:
        raise SourceError(
            f"{description} cannot be read{where}: {str(error).rstrip('.')}. "
            "The file may be damaged, cut short, or of another format than its name says; write it again."
        ) from error


def arrow_from(data: object) -> ArrowTable | None:
    """Return the table of a pyarrow object that holds columns, or None for anything else."""
    if not type(data).__module__.startswith("pyarrow"):
        return None
    import pyarrow as pa

    if isinstance(data, pa.RecordBatch):
        data = pa.Table.from_batches([data])
    return arrow_table(data) if isinstance(data, pa.Table) else _dataset(data)


def _dataset(data: Any) -> ArrowTable | None:
    """Return the table of a pyarrow dataset, read anew at every pass."""
    from pyarrow import dataset

    if not isinstance(data, dataset.Dataset):
        return None

    def batches(positions: Sequence[int]) -> Columns:
        names = [data.schema.names[i] for i in positions]
        for batch in data.to_batches(columns=names, batch_size=ROWS_PER_READ):
            yield batch.columns

    return ArrowTable(data.schema, batches, data.count_rows(), "Arrow dataset")


def exported(data: Any) -> ArrowTable | None:
    """Return the table of an object that exports an Arrow array or speaks the dataframe protocol, else None.

    Raises
    ------
    SourceError
        If the export fails.
    """
    import pyarrow as pa
    from pyarrow import interchange

    try:
        if hasattr(data, "__arrow_c_array__"):
            return arrow_table(pa.table(data), type(data).__name__)
        if hasattr(data, "__dataframe__"):
            return arrow_table(interchange.from_dataframe(data), type(data).__name__)
    except Exception as error:  # a foreign exporter may raise anything
        raise SourceError(
            f"a {type(data).__name__} cannot be exported to Arrow: {error}. Give an array or a pyarrow.Table."
        ) from error
    return None


def arrow_table(table: Any, description: str = "Arrow table") -> ArrowTable:
    """Take an Arrow table that lies in memory."""

    def batches(positions: Sequence[int]) -> Columns:
        for batch in table.select(list(positions)).to_batches(max_chunksize=ROWS_PER_READ):
            yield batch.columns

    return ArrowTable(table.schema, batches, table.num_rows, description)

"""Arrow streams (DuckDB relations, database cursors, record-batch readers): taken from their makers once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, final

from gaussmix.data.arrow import ArrowTable, Columns, unreadable
from gaussmix.data.table import Rows, Wrapped
from gaussmix.errors import EmptyDataError, SourceError


@final
class StreamTable(Wrapped):
    """The columns of an Arrow stream, which can be read once: its rows have to be kept by whoever reads them.

    That holds for streams that could be asked for again too, for a query asked again may give the same rows in another
    order, or other rows.

    Parameters
    ----------
    data : object
        Whatever exports `__arrow_c_stream__`.

    Raises
    ------
    SourceError
        When the export fails.
    """

    def __init__(self, data: Any) -> None:
        import pyarrow as pa

        self._kind = type(data).__name__
        try:
            self._reader = pa.RecordBatchReader.from_stream(data)
        except Exception as error:  # a foreign exporter may raise anything
            raise SourceError(
                f"a {self._kind} cannot be exported to Arrow: {error}. Give an array, a pyarrow.Table or a path; "
                "of a stream that was read before, a new one."
            ) from error
        self._started = False
        super().__init__(ArrowTable(self._reader.schema, self._batches, None, self._kind, peek=False))

    @property
    def costly(self) -> bool:
        """There is no second reading."""
        return True

    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        """Read all rows, once.

        Raises
        ------
        SourceError
            At a second reading, or when the stream breaks off.
        """
        if self._started:
            raise SourceError(
                f"a {self._kind} is a stream, which can be read only once, and an earlier reading of it was broken "
                "off. Open it again, or give a function that opens it: lambda: open_stream()."
            )
        self._started = True
        yield from self._table.read(features, weight)

    def _batches(self, positions: Sequence[int]) -> Columns:
        with unreadable(f"a {self._kind}"):
            found = False
            for batch in self._reader:
                found = found or batch.num_rows > 0
                yield [batch.column(i) for i in positions]
        if not found:
            raise EmptyDataError(f"a {self._kind} gave no rows. Check its query.")


def stream_from(data: object) -> StreamTable | None:
    """Return the table of an object that exports an Arrow stream, or None for anything else."""
    return StreamTable(data) if hasattr(data, "__arrow_c_stream__") else None

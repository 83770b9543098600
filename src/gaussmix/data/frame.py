"""Dataframes of any make, through narwhals."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, final

import numpy as np
from numpy.typing import NDArray

from gaussmix.data.table import ROWS_PER_READ, Refusal, Rows, Table
from gaussmix.errors import ColumnError, EmptyDataError, SourceError

if TYPE_CHECKING:
    import narwhals as nw


@final
class FrameTable(Table):
    """The columns of a dataframe that lies in memory (pandas, polars, modin, cuDF ...).

    Rows are converted a piece at a time, nulls to NaN; the result is float32 where all features are, else
    float64.

    Parameters
    ----------
    frame : narwhals.DataFrame
    description : str
        What to call it in messages.
    """

    def __init__(self, frame: nw.DataFrame[Any], description: str = "dataframe") -> None:
        rows, columns = frame.shape
        if rows == 0 or columns == 0:
            raise EmptyDataError(
                f"{description} has {rows} rows and {columns} columns. Give at least one row and one column."
            )
        self._frame = frame
        self._description = description

    @property
    def description(self) -> str:
        """What the frame is called in messages."""
        return self._description

    @property
    def names(self) -> tuple[str, ...] | None:
        """The labels as text; None where no label is a text, as in a frame made from an array."""
        labels: list[object] = list(self._frame.columns)
        named = any(isinstance(label, str) for label in labels)
        return tuple(str(label) for label in labels) if named else None

    @property
    def n_columns(self) -> int:
        """Number of columns."""
        return self._frame.shape[1]

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self._frame.shape[0]

    @property
    def ready(self) -> bool:
        """A frame's columns lie apart and have to be gathered."""
        return False

    def refusals(self, positions: Sequence[int]) -> list[Refusal]:
        """Those columns whose type is neither numeric nor boolean."""
        return [
            Refusal(i, type(self._frame[:, i].dtype).__name__.lower(), _example(self._frame[:, i]))
            for i in positions
            if not _is_numeric(self._frame[:, i])
        ]

    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        """Convert all rows, 65,536 at a time."""
        import narwhals as nw

        single = all(self._frame[:, i].dtype == nw.Float32 for i in features)
        dtype = nw.Float32() if single else nw.Float64()
        for start in range(0, self.n_rows, ROWS_PER_READ):
            block = self._frame[start : start + ROWS_PER_READ]
            x = np.empty((block.shape[0], len(features)), dtype=np.float32 if single else np.float64)
            for j, i in enumerate(features):
                x[:, j] = block[:, i].cast(dtype).to_numpy()
            yield x, None if weight is None else _column(block[:, weight])


def _column(series: nw.Series[Any]) -> NDArray[np.float64]:
    import narwhals as nw

    return np.asarray(series.cast(nw.Float64).to_numpy(), dtype=np.float64)


def _is_numeric(series: nw.Series[Any]) -> bool:
    import narwhals as nw

    if series.dtype.is_numeric() or series.dtype == nw.Boolean:
        return True
    if series.dtype != nw.Unknown:
        return False
    try:  # types that narwhals has no word for: polars' all-null columns, pandas' sparse floats
        _column(series.head(1))
    except Exception:
        return False
    return True


def _example(series: nw.Series[Any]) -> str | None:
    present = series.drop_nulls().head(1).to_list()
    return f"{present[0]!r:.60}" if present else None


def frame_from(data: object) -> FrameTable | None:
    """Return the table of an eager dataframe or of a single named column, or None for anything else.

    Raises
    ------
    SourceError
        If the frame is lazy: it would be computed again at every pass.
    ColumnError
        If two columns share a name.
    """
    import narwhals as nw
    from narwhals.exceptions import DuplicateError

    try:
        native: Any = data
        frame: Any = nw.from_native(native, pass_through=True, allow_series=True)
        if isinstance(frame, nw.Series):
            frame = frame.to_frame()
    except DuplicateError as error:
        names = [str(name) for name in getattr(data, "columns", [])]
        repeated = sorted({name for name in names if names.count(name) > 1})
        raise ColumnError(
            f"the dataframe has several columns called {', '.join(map(repr, repeated))}. "
            "Give every column its own name."
        ) from error
    if isinstance(frame, nw.LazyFrame) and hasattr(data, "__arrow_c_stream__"):
        return None  # its rows can be had as a stream
    if isinstance(frame, nw.LazyFrame):
        how = next((name for name in ("collect", "compute", "to_arrow_table") if hasattr(data, name)), "collect")
        raise SourceError(
            f"a {type(data).__name__} has no rows yet and would be computed again at every pass. "
            f"Compute it first: pass data.{how}(), or write it to Parquet and pass the path."
        )
    return FrameTable(frame) if isinstance(frame, nw.DataFrame) else None

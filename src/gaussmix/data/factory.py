"""A function that makes batches of rows, called anew for every reading."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, cast, final

from gaussmix.data.aligned import places_of
from gaussmix.data.table import Refusal, Rows, Table
from gaussmix.errors import EmptyDataError, SourceError

Opener = Callable[[object], Table]
"""Opens one batch."""


@final
class FactoryTable(Table):
    """The batches that a function makes, one under the other; columns are those of the first, found by name.

    Parameters
    ----------
    make : callable
        Returns an iterable of arrays, dataframes or Arrow batches; the same rows at every call.
    open_batch : callable
        Opens one of them.

    Raises
    ------
    SourceError
        When it returns no iterable.
    EmptyDataError
        When it returns an empty one.
    """

    def __init__(self, make: Callable[[], Any], open_batch: Opener) -> None:
        self._make = make
        self._open = open_batch
        self._name = f"{getattr(make, '__name__', type(make).__name__)}()"
        self._require_anew()
        first = next(self._batches(), None)
        if first is None:
            raise EmptyDataError(f"{self._name} makes no batches. Let it return an iterable of at least one array.")
        self._first = first

    @property
    def description(self) -> str:
        """The function's name."""
        return self._name

    @property
    def names(self) -> tuple[str, ...] | None:
        """Names of the first batch's columns."""
        return self._first.names

    @property
    def n_columns(self) -> int:
        """Number of the first batch's columns."""
        return self._first.n_columns

    @property
    def n_rows(self) -> None:
        """Only reading tells."""
        return None

    @property
    def ready(self) -> bool:
        """Batches have to be made."""
        return False

    def refusals(self, positions: Sequence[int]) -> list[Refusal]:
        """Those columns that are no numbers in the first batch."""
        return self._first.refusals(positions)

    def read(self, features: Sequence[int], weight: int | None) -> Iterator[Rows]:
        """Make all batches once, and read them."""
        wanted = [*features] if weight is None else [*features, weight]
        for number, batch in enumerate(self._batches()):
            places = places_of(self._first, batch, wanted, f"batch {number} of {self._name}")
            yield from batch.read(places[: len(features)], None if weight is None else places[-1])

    def _require_anew(self) -> None:
        made = self._make()
        if isinstance(made, Iterator) and made is self._make():
            raise SourceError(
                f"{self._name} returns the same {type(made).__name__} at every call, which can be read only once. "
                "Let it open its data anew each time."
            )

    def _batches(self) -> Iterator[Table]:
        made = self._make()
        if isinstance(made, str | bytes) or not hasattr(made, "__iter__") or hasattr(made, "__array__"):
            raise SourceError(
                f"{self._name} returned a {type(made).__name__}; expected an iterable of batches: arrays, dataframes "
                "or Arrow batches. Let it yield them."
            )
        for batch in cast("Iterable[Any]", made):
            if not hasattr(batch, "__len__") or len(batch) > 0:
                yield self._open(batch)

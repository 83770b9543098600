"""The table of a selection: one row per candidate, failures included."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, cast, final

from gaussmix import criteria

ELIGIBLE = frozenset({"converged", "max_passes", "precision", "interrupted"})
"""Reasons with which a candidate may be the winner."""


@final
@dataclass(frozen=True)
class Row:
    """One candidate. Of every criterion lower is better; NaN where there is no mixture.

    Parameters
    ----------
    structure : str
        Name of the covariance family.
    n_components : int
        K asked for.
    log_likelihood, n_parameters : float, int
        Of the mixture found.
    bic, icl, aic, aicc, heldout : float
        Criteria; `heldout` is minus twice the log-likelihood of rows left out of the fit, NaN unless asked for.
    entropy : float
        Of the responsibilities.
    reason : str
        Why it stopped: ``converged``, ``max_passes``, ``pruned``, ``dropped``, ``infeasible`` ...
    degenerate : bool
        Whether a component rests on the regularization, or on too few rows.
    passes : int
        Passes of the returned start.
    """

    structure: str
    n_components: int
    log_likelihood: float
    n_parameters: int
    bic: float
    icl: float
    aic: float
    aicc: float
    heldout: float
    entropy: float
    reason: str
    degenerate: bool
    passes: int

    def value(self, criterion: str) -> float:
        """Return the value of a criterion by its name."""
        return float(getattr(self, criterion))

    @property
    def eligible(self) -> bool:
        """Whether this candidate may be the winner: a whole mixture, neither degenerate nor stopped early."""
        return self.may_win()

    def may_win(self, allow_spurious: bool = False) -> bool:
        """Whether this candidate may be the winner, where degenerate ones are allowed."""
        return self.reason in ELIGIBLE and (allow_spurious or not self.degenerate)


CRITERIA = (*criteria.NAMES, "heldout")


@final
@dataclass(frozen=True)
class Table:
    """Every candidate of a selection, in the order in which structures and numbers were given.

    Parameters
    ----------
    rows : tuple of Row
        The candidates.
    allow_spurious : bool
        Whether degenerate ones may win.
    """

    rows: tuple[Row, ...]
    allow_spurious: bool = False

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def ranked(self, criterion: str) -> list[Row]:
        """Return the rows, best first: those that may win, then the rest; without a value last."""
        return sorted(self.rows, key=lambda row: _rank(row, criterion, self.allow_spurious))

    def columns(self) -> dict[str, list[Any]]:
        """Return the table as lists by column name."""
        return {field.name: [getattr(row, field.name) for row in self.rows] for field in fields(Row)}

    def records(self) -> list[dict[str, Any]]:
        """Return the table as one dictionary per candidate."""
        return [asdict(row) for row in self.rows]

    def to_frame(self, backend: str | None = None) -> Any:
        """Return the table as a dataframe.

        Parameters
        ----------
        backend : {"pandas", "polars", "pyarrow"}, optional
            Whose dataframe; by default the first of these that is installed.

        Raises
        ------
        ParameterError
            When the backend is unknown or not installed.
        """
        from importlib.util import find_spec

        import narwhals as nw

        from gaussmix.errors import ParameterError

        known = ("pandas", "polars", "pyarrow")
        installed = [name for name in known if find_spec(name)]
        chosen = installed[0] if backend is None else backend
        if chosen not in installed:
            raise ParameterError(f"backend={backend!r}: expected one of {', '.join(installed)}, or install it")
        return nw.from_dict(self.columns(), backend=cast(Any, chosen)).to_native()


def best_row(rows: Sequence[Row], criterion: str, allow_spurious: bool = False) -> Row | None:
    """Return the row with the least value among those that may win; among all with a value if none may."""
    ranked = sorted(rows, key=lambda row: _rank(row, criterion, allow_spurious))
    if not ranked or math.isnan(ranked[0].value(criterion)):
        return None
    return ranked[0]


def _rank(row: Row, criterion: str, allow_spurious: bool) -> tuple[bool, bool, float, int]:
    value = row.value(criterion)
    none = math.isnan(value)
    return none, not row.may_win(allow_spurious), math.inf if none else value, row.n_parameters

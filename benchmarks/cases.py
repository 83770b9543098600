"""What is measured: every case is a few words and a seed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from benchmarks.choice import chosen

Kind = Literal["passes", "predict", "select", "startup"]
Covariance = Literal["full", "tied", "diagonal"]


@dataclass(frozen=True)
class Case:
    """One line of a table.

    Parameters
    ----------
    name : str
        As on the command line.
    kind : {"passes", "predict", "select", "startup"}
        What is done: EM passes from a given start, responsibilities of all rows, a search over 14 structures and 1 to 9
        components, or the start of a process.
    n_rows, n_features, n_components : int
        Of the data, and of the mixture fitted.
    structure : {"full", "tied", "diagonal"}
        Covariances of the mixture fitted.
    passes : int
        M-steps of the longer of the two runs whose difference is timed.
    condition : float
        Condition number of a common transformation's covariance, which correlates the columns.
    seed : int
        Of the data and of the start.
    file : str
        A CSV file of the repository instead of simulated data.
    """

    name: str
    kind: Kind
    n_rows: int = 0
    n_features: int = 0
    n_components: int = 0
    structure: Covariance = "full"
    passes: int = 4
    condition: float = 1.0
    seed: int = 0
    file: str = ""

    def quick(self) -> Case:
        """Return the same case with few rows, to see that everything works: 4,000, or 80 per feature."""
        return replace(self, n_rows=min(self.n_rows, max(4_000, 80 * self.n_features)), passes=min(self.passes, 4))

    @property
    def flops(self) -> float:
        """Floating-point operations of the matrix products of one pass: both products, two operations each."""
        d = self.n_features
        features = {"full": 1 + d + d * (d + 1) // 2, "tied": d + 1, "diagonal": 2 * d + 1}[self.structure]
        return 4.0 * self.n_rows * self.n_components * features


CASES: tuple[Case, ...] = (
    Case("rows-1e6-d2-k8-full", "passes", 1_000_000, 2, 8, passes=21),
    Case("rows-1e6-d8-k16-full", "passes", 1_000_000, 8, 16),
    Case("rows-3e5-d16-k32-full", "passes", 300_000, 16, 32),
    Case("rows-1e5-d64-k32-full", "passes", 100_000, 64, 32),
    Case("rows-2e4-d256-k16-full", "passes", 20_000, 256, 16),
    Case("rows-1e6-d16-k32-diagonal", "passes", 1_000_000, 16, 32, "diagonal"),
    Case("rows-1e6-d16-k32-tied", "passes", 1_000_000, 16, 32, "tied"),
    Case("rows-1e6-d8-k16-full-condition-1e8", "passes", 1_000_000, 8, 16, condition=1e8),
    Case("predict-1e6-d8-k16-full", "predict", 1_000_000, 8, 16),
    Case("select-iris", "select", 150, 4, file="tests/oracles/data/iris.csv"),
    Case("select-faithful", "select", 272, 2, file="tests/oracles/data/faithful.csv"),
    Case("select-1e3-d4", "select", 1_000, 4, n_components=4),
    Case("select-1e4-d4", "select", 10_000, 4, n_components=4),
    Case("startup", "startup"),
)


def named(names: list[str]) -> list[Case]:
    """Return the cases of those names, as `choice.chosen` does."""
    cases = {case.name: case for case in CASES}
    return [cases[name] for name in chosen(names, list(cases), "case")]

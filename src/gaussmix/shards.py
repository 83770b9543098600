"""EM by way of files: statistics of some rows at a time, added up, and made into the next model.

For whoever has a queue of jobs in place of a cluster: one job per file of rows collects statistics, one adds them up
and updates the model, and so on for as many passes as it takes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self, final

from gaussmix import serialization
from gaussmix.arguments import mixture_of
from gaussmix.covariance import family
from gaussmix.covariance.regularization import Regularization, Unregularized, from_facts, to_facts
from gaussmix.data.open import columns_for
from gaussmix.engine.evaluator import expect_source
from gaussmix.engine.executors.choose import usual_engine
from gaussmix.engine.executors.executor import Engine
from gaussmix.engine.records import digest, pack, unpack
from gaussmix.engine.summary import Pilot, Summary, SummaryFold
from gaussmix.errors import FitError, ModelFileError, ParameterError, StatisticsError
from gaussmix.fitting.fit import require_rows, usual_regularization
from gaussmix.fitting.maximize import Collapsed, Died, Model
from gaussmix.fitting.result import FitResult
from gaussmix.mixture import Mixture
from gaussmix.selection.search import Selection
from gaussmix.statistics import Statistics

AnyModel = Mixture | FitResult | Selection | str | Path
"""A model, or the file of one."""


@final
@dataclass(frozen=True, eq=False)
class PassStatistics:
    """What one pass over some rows found out about a model; two of different rows add.

    Parameters
    ----------
    statistics : Statistics
        Masses, moments and the log-likelihood of the rows under the model.
    summary : Summary
        Counts, means and spreads of the rows.
    model : str
        Stands for the model that was asked about.
    shards : tuple of str
        Stand for the statistics that were added up.
    regularization : mapping
        What the model was fitted with, as its file tells; empty where nothing is known.
    """

    statistics: Statistics
    summary: Summary
    model: str
    shards: tuple[str, ...]
    regularization: Mapping[str, Any]

    @property
    def n_rows(self) -> int:
        """Rows of weight above zero."""
        return self.summary.n_rows

    @property
    def weight(self) -> float:
        """Sum of their weights."""
        return self.summary.weight

    @property
    def log_likelihood(self) -> float:
        """Sum of weight times log density, of the model that was asked about."""
        return self.statistics.log_likelihood

    @property
    def score(self) -> float:
        """Mean log density per unit of weight, of the model that was asked about."""
        return self.log_likelihood / self.weight

    def __add__(self, other: PassStatistics) -> PassStatistics:
        if self.model != other.model or dict(self.regularization) != dict(other.regularization):
            raise StatisticsError(
                "these statistics are of different models, or of one with different regularizations; collect all of "
                "them from one model file before it is updated"
            )
        twice = set(self.shards) & set(other.shards)
        if twice:
            raise StatisticsError(
                f"{len(twice)} of {len(self.shards) + len(other.shards)} collections of rows would be counted twice; "
                "give every file of statistics once"
            )
        try:
            statistics = self.statistics + other.statistics
        except ValueError as error:
            raise StatisticsError(f"{error}: collect all of them from one model file") from error
        summary = SummaryFold(0, 1).merge(self.summary, other.summary)
        return PassStatistics(statistics, summary, self.model, (*self.shards, *other.shards), dict(self.regularization))

    def save(self, path: str | Path) -> None:
        """Write them to one file, which is replaced atomically where it exists."""
        arrays: dict[str, Any] = {}
        headers: dict[str, Any] = {}
        for name in ("statistics", "summary"):
            found, headers[name] = pack(getattr(self, name))
            arrays |= {f"{name}.{each}": array for each, array in found.items()}
        told = {"model": self.model, "shards": list(self.shards), "regularization": dict(self.regularization)}
        serialization.write(path, arrays, {**headers, **told}, kind="statistics")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote, to the bit.

        Raises
        ------
        ModelFileError
            When the file holds no statistics, is damaged, or comes from a newer release.
        """
        arrays, header = serialization.read(path, kind="statistics")
        try:
            statistics, summary = (_unpacked(name, arrays, header) for name in ("statistics", "summary"))
            return cls(statistics, summary, header["model"], tuple(header["shards"]), header["regularization"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"{path}: the file says it holds statistics, but its content does not fit together ({error}); it was "
                "damaged or edited: collect them again"
            ) from error


@final
@dataclass(frozen=True, eq=False)
class Update:
    """One step of EM.

    Parameters
    ----------
    mixture : Mixture
        Where it led to; components in the order that they had.
    score : float
        Mean log density per unit of weight of the model before the step.
    n_rows : int
        Rows that it rests on.
    regularization : mapping
        What it was made with.
    """

    mixture: Mixture
    score: float
    n_rows: int
    regularization: Mapping[str, Any]

    def save(self, path: str | Path) -> None:
        """Write the mixture as a model file; what it was made with goes along, for the next step."""
        self.mixture.save(path, facts={"penalty": dict(self.regularization)})


def collect(
    model: AnyModel,
    data: object,
    *,
    weights: object = None,
    missing: Literal["error", "drop"] = "error",
    engine: Engine | None = None,
) -> PassStatistics:
    """Make one pass over some rows: the statistics by which EM updates a model.

    Parameters
    ----------
    model : Mixture, FitResult, Selection or path of a model file
        Asked about.
    data, missing, engine
        As in `predict`.
    weights : array (N,) or column name, optional
        Row weights; they count as frequencies.

    Raises
    ------
    DataError
        When the rows cannot be used as they are.
    """
    mixture, facts = _told(model)
    source = columns_for(data, mixture.feature_names, n_features=mixture.n_features, weights=weights, missing=missing)
    moment = family(mixture.structure, mixture.n_features).moment
    statistics, summary = expect_source(mixture, moment, source, engine or usual_engine(data))
    require_rows(summary, source, mixture.feature_names or [f"x{i + 1}" for i in range(mixture.n_features)])
    shard = digest(statistics, summary).hex()
    return PassStatistics(statistics, summary, _name(mixture), (shard,), facts.get("penalty") or {})


def add_up(statistics: Iterable[PassStatistics | str | Path]) -> PassStatistics:
    """Add up statistics of different rows under one model.

    Parameters
    ----------
    statistics : iterable of PassStatistics or paths
        At least one; sums are rounded in the order given.

    Raises
    ------
    StatisticsError
        When they are of different models, or some are given twice.
    """
    total: PassStatistics | None = None
    for each in statistics:
        part = each if isinstance(each, PassStatistics) else PassStatistics.load(each)
        total = part if total is None else total + part
    if total is None:
        raise ParameterError("there are no statistics to add up; give at least one")
    return total


def update(
    model: AnyModel,
    statistics: PassStatistics | str | Path,
    *,
    regularization: Regularization | Literal["auto"] | None = "auto",
) -> Update:
    """Make the next model of EM out of one and the statistics of all rows under it.

    Parameters
    ----------
    model : Mixture, FitResult, Selection or path of a model file
        That the statistics are of.
    statistics : PassStatistics or path
        As `collect` and `add_up` return them.
    regularization : "auto", None or Regularization
        "auto" takes what the model was fitted with, as its file tells, or else what `fit` would take for rows of these
        spreads; None is plain maximum likelihood.

    Raises
    ------
    StatisticsError
        When the statistics are of another model.
    ParameterError
        When the regularization, given or of the model's file, needs more than files hold: a prior, a ratio.
    FitError
        When a component has lost its rows, or a covariance has become singular.
    """
    mixture, _ = _told(model)
    found = statistics if isinstance(statistics, PassStatistics) else PassStatistics.load(statistics)
    if found.model != _name(mixture):
        raise StatisticsError(
            "the statistics are of another model than the one given; give the file that they were collected from"
        )
    penalty = _penalty(regularization, found)
    structure = family(mixture.structure, mixture.n_features)
    units = mixture.coordinates.scale
    pilot = Pilot(mixture.coordinates, found.summary.standard_deviations / units)
    try:
        following = Model(structure, penalty.in_units(units), pilot, 0.0).maximize(found.statistics, mixture.spread)
    except Died as died:
        listed = ", ".join(str(k + 1) for k in died.components)
        raise FitError(
            f"components {listed} have lost all their rows; go on with Mixture.without, or from another start"
        ) from died
    except Collapsed as error:
        raise FitError(f"{error}; use the default regularization, or fewer components") from error
    following = following.renamed(mixture.structure, mixture.feature_names)
    return Update(following, found.score, found.n_rows, to_facts(penalty))


def _unpacked(name: str, arrays: Mapping[str, Any], header: Mapping[str, Any]) -> Any:
    mine = {each.removeprefix(f"{name}."): array for each, array in arrays.items() if each.startswith(f"{name}.")}
    return unpack(mine, header[name])


def _told(model: AnyModel) -> tuple[Mixture, Mapping[str, Any]]:
    """Return the mixture, and what is known of its fit."""
    if isinstance(model, str | Path):
        return Mixture.load_with_facts(model)
    result = model.best if isinstance(model, Selection) else model
    return mixture_of(model), result.facts if isinstance(result, FitResult) else {}


def _name(mixture: Mixture) -> str:
    """Return what stands for a mixture: other parameters, other name."""
    parts = mixture.weights, mixture.centres, mixture.spread.arrays, mixture.coordinates, mixture.structure
    return digest(parts).hex()


def _penalty(regularization: object, found: PassStatistics) -> Regularization:
    if regularization is None:
        return Unregularized()
    told = to_facts(regularization) if isinstance(regularization, Regularization) else found.regularization
    if told and from_facts(told) is None:
        raise ParameterError(
            f"the regularization {told.get('kind')} needs more of the data than statistics in files hold; fit in one "
            "process, or give regularization=None, PseudoObservations or AddedDiagonal"
        )
    if isinstance(regularization, Regularization):
        return regularization
    if regularization != "auto":
        raise ParameterError(f'regularization={regularization!r}: expected "auto", None or a Regularization')
    return from_facts(told) or usual_regularization(found.summary)

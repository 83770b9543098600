"""A fit from a source to a result: what `gaussmix.fit` does once its arguments are understood."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, final

import numpy as np

from gaussmix.covariance import Family, Moment, Scatter
from gaussmix.covariance.regularization import PseudoObservations, Regularization, to_facts
from gaussmix.data.source import Source
from gaussmix.engine.assignment import Assignment
from gaussmix.engine.evaluator import Appraise, Evaluator
from gaussmix.engine.summary import Summary, rounding_variance
from gaussmix.errors import EmptyDataError, FitError, MissingValuesError, ParameterError, ScaleError, TooFewRowsError
from gaussmix.fitting.candidate import Candidates, Fitted, Recipe
from gaussmix.fitting.certificate import Certificate, certify
from gaussmix.fitting.drive import Driver
from gaussmix.fitting.em import begin
from gaussmix.fitting.maximize import Collapsed, Died, Model
from gaussmix.fitting.method import Outcome
from gaussmix.fitting.result import FitResult
from gaussmix.fitting.starts.seeds import Seeds
from gaussmix.fitting.stopping import Reason
from gaussmix.mixture import Mixture

_STRENGTH = 1e-6
_STRENGTH_PER_ROW = 1e-12
_LARGEST = 1e150  # squares of larger deviations overflow
_SMALLEST = 1e-150


@final
@dataclass(frozen=True, eq=False)
class Ground:
    """What all candidates of one source stand on.

    Parameters
    ----------
    candidates : Candidates
        How mixtures are fitted to the source.
    feature_names : tuple of str
        Names of the features, made up where the source has none.
    facts : dict
        What to tell about the data and the call.
    held_out : Source or None
        Rows that were kept from the fits, to judge them by.
    """

    candidates: Candidates
    feature_names: tuple[str, ...]
    facts: dict[str, Any]
    held_out: Source | None = None

    @property
    def evaluator(self) -> Evaluator:
        """Passes over the source."""
        return self.candidates.evaluator

    @classmethod
    def survey(
        cls,
        evaluator: Evaluator,
        regularization: Regularization | None,
        recipe: Recipe,
        seed: int,
        facts: dict[str, Any],
        held_out: Source | None = None,
    ) -> Self:
        """Check the summary of a source, and prepare what every fit to it needs.

        Raises
        ------
        EmptyDataError, MissingValuesError, ScaleError
            When no mixture can be fitted to such rows.
        """
        summary, source = evaluator.summary, evaluator.source
        names = source.feature_names or tuple(f"x{i + 1}" for i in range(source.n_features))
        require_rows(summary, source, names)
        if regularization is None:
            regularization = usual_regularization(summary)
        covariance = evaluator.covariance() if regularization.needs_covariance else None
        regularization = regularization.informed(summary.means, covariance)
        facts["penalty"] = to_facts(regularization)
        return cls(Candidates(evaluator, regularization, Seeds(summary, seed), recipe), names, facts, held_out)

    def feasible(self, n_components: int) -> bool:
        """Whether there are as many distinct rows as components."""
        return self.candidates.seeds.has_distinct(n_components)

    def result(self, fitted: Fitted) -> FitResult:
        """Return the result for the user.

        Raises
        ------
        TooFewRowsError
            When there are fewer distinct rows than components.
        FitError
            When no start gave a valid mixture.
        KeyboardInterrupt
            When the fit was stopped before there was a mixture.
        """
        outcome, appraisal, summary = fitted.outcome, fitted.appraisal, self.evaluator.summary
        if outcome is None or appraisal is None:
            raise KeyboardInterrupt if fitted.reason is Reason.INTERRUPTED else self._no_mixture(fitted)
        if math.isnan(appraisal.log_likelihood) and not self.candidates.recipe.algorithm.by_likelihood:
            # It was stopped, and the passes until then were about labels.
            (appraisal,) = self.evaluator.answer([Appraise(outcome.mixture)])
        names = self.evaluator.source.feature_names
        return FitResult(
            outcome.mixture.renamed(fitted.family.name, names),
            appraisal.log_likelihood,
            appraisal.classification,
            appraisal.entropy,
            summary.weight,
            summary.n_rows,
            fitted.n_components,
            appraisal.mass,
            appraisal.kish_rows,
            appraisal.assigned,
            outcome.passes,
            outcome.reason is Reason.CONVERGED,
            outcome.reason.value,
            outcome.trace,
            outcome.remaining,
            fitted.starts,
            self._certificate(fitted, outcome),
            bool(fitted.degenerate),
            tuple(self._warnings(fitted)),
            self.facts,
        )

    def _certificate(self, fitted: Fitted, outcome: Outcome) -> Certificate:
        evaluator = self.evaluator
        # Objectives of the row sample and of all rows do not compare: the latter tell more, where there are any.
        whole = [start for start in fitted.starts if not start.on_sample]
        weight = (evaluator if whole else evaluator.sample).summary.weight
        spreads = evaluator.pilots[fitted.family.axis_equivariant].spreads
        same = self.candidates.same * weight
        return certify(outcome, whole or fitted.starts, spreads, same, outcome.objective if whole else math.inf)

    def _no_mixture(self, fitted: Fitted) -> TooFewRowsError | FitError:
        name, k = fitted.family.name, fitted.n_components
        if not self.feasible(k):
            return TooFewRowsError(
                f"{k} components need at least as many distinct rows, found {self.candidates.seeds.n_distinct} among "
                f"{self.evaluator.summary.n_rows} rows; lower the number of components"
            )
        return FitError(
            f"no start of {name} with {k} components gave covariances that are positive definite in float64; bring "
            "the columns to similar scales, leave out redundant ones, or use the default regularization, VVV or VVI"
        )

    def _warnings(self, fitted: Fitted) -> list[str]:
        outcome = fitted.outcome
        assert outcome is not None
        left = outcome.mixture.n_components
        steps = self.evaluator.summary.steps() if any(each.rounded for each in fitted.degenerate) else None
        messages = [each.sentence(self.feature_names, steps) for each in fitted.degenerate]
        if left < fitted.n_components:
            messages.append(
                f"{fitted.n_components - left} of {fitted.n_components} components lost all their rows and were "
                f"left out; use {left} components or another start"
            )
        if outcome.reason is Reason.INTERRUPTED:
            messages.append(
                "interrupted: what is told of the fit is what was known by then, in part from a sample of the rows; "
                "fit again to the end before you rely on it"
            )
        known = math.isfinite(outcome.remaining)
        left_to_gain = f" (about {outcome.remaining:.2g} log-likelihood per row left to gain)" if known else ""
        if outcome.reason is Reason.MAX_PASSES:
            messages.append(f"not converged after {outcome.passes} passes{left_to_gain}; raise max_passes or tol")
        if outcome.reason is Reason.PRECISION:
            messages.append(
                "stopped at the precision of float64 arithmetic; leave out redundant columns or use fewer components"
            )
        if outcome.reason is Reason.COLLAPSED:
            messages.append(
                "a covariance became singular and the last valid mixture is returned; use the default regularization, "
                "fewer components or a simpler structure"
            )
        return messages


def given_start(start: Mixture | Assignment, n_components: int, structure: Family, ground: Ground) -> Mixture:
    """Return the mixture that a user's start stands for, in the fit's coordinates.

    Raises
    ------
    TooFewRowsError
        When labels or responsibilities leave a component without rows or without spread.
    """
    model = ground.candidates.model(structure)
    if isinstance(start, Mixture):
        return _projected(start, model, ground.evaluator.summary.weight)
    try:
        (mixture,) = Driver(ground.evaluator).run([begin(start, n_components, model)])
    except (Died, Collapsed) as error:
        raise TooFewRowsError(
            f"the start leaves a component without rows or spread ({error}); give each of them several different rows"
        ) from error
    if mixture is None:
        raise KeyboardInterrupt
    return mixture


def _projected(start: Mixture, model: Model, weight: float) -> Mixture:
    """Return the start itself where it is of the model's structure, else the member nearest in likelihood.

    That is the M-step for rows that are spread just as the start's components say.
    """
    mixture = start.expressed_in(model.pilot.coordinates)
    if start.structure == model.structure.name and not model.regularization.constrains:
        return mixture
    mass = weight * mixture.weights
    dense = np.broadcast_to(mixture.spread.dense(), (len(mass), mixture.n_features, mixture.n_features))
    scatter = Scatter(Moment.FULL, mass, mass[:, None, None] * dense, mixture.n_features)
    try:
        return model.fitted(scatter, mixture.centres, None)
    except Collapsed as error:
        raise ParameterError(
            f"start: its covariances have no counterpart of structure {model.structure.name} in float64 ({error}); "
            "start from a mixture of that structure"
        ) from error


def infeasible(structure: Family, n_components: int) -> Fitted:
    """Return the candidate that has no mixture, for want of rows."""
    return Fitted(structure, n_components, None, None, (), ())


def usual_regularization(summary: Summary) -> Regularization:
    """Return what stands in for rows that are not there unless the caller says otherwise, in data units.

    A rounded column varies by a twelfth of the square of its step at least, whatever its sample says.
    """
    variances = np.maximum(summary.reference_variances(), rounding_variance(summary.steps()))
    return PseudoObservations(_STRENGTH + _STRENGTH_PER_ROW * summary.weight, variances)


def require_rows(summary: Summary, source: Source, names: Sequence[str]) -> None:
    """Refuse rows to which no mixture can be fitted.

    Raises
    ------
    EmptyDataError, MissingValuesError, ScaleError
        Saying in which features.
    """
    where = source.description
    if summary.n_rows == 0:
        read = f"{summary.rows_read} rows, all of weight zero" if summary.rows_read else "no rows"
        raise EmptyDataError(f"{where}: found {read}; at least one row with a weight above 0 is needed")
    for counts, what in ((summary.missing, "missing"), (summary.infinite, "infinite")):
        if counts.any():
            listed = ", ".join(f"{names[int(i)]} ({counts[i]})" for i in np.flatnonzero(counts))
            cure = (
                'drop such rows with missing="drop" (--missing drop), or fill them in'
                if what == "missing"
                else "replace them with numbers, or with missing values and drop those"
            )
            found = f"{listed} of {summary.rows_read} rows, the first in {source.place(summary.first_gap)}"
            raise MissingValuesError(f"{where}: {what} values in {found}; {cure}")
    spread = summary.standard_deviations
    largest = np.maximum(np.abs(summary.minima), np.abs(summary.maxima))
    with np.errstate(invalid="ignore"):
        wrong = ~(largest < _LARGEST) | ~np.isfinite(spread) | ((largest > 0.0) & (largest < _SMALLEST))
    if wrong.any():
        listed = ", ".join(f"{names[int(i)]} (up to {largest[i]:.3g})" for i in np.flatnonzero(wrong))
        raise ScaleError(
            f"{where}: values of {listed} are outside the range {_SMALLEST:g} to {_LARGEST:g} in which float64 can "
            "square them; multiply the column by a constant"
        )

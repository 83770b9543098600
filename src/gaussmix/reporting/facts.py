"""The numbers and the sentences of a report, JSON-ready; whoever renders them adds nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, TypeAlias, cast

import numpy as np

from gaussmix import criteria
from gaussmix.covariance import family
from gaussmix.engine.regions import separation
from gaussmix.errors import ParameterError
from gaussmix.fitting.result import FitResult
from gaussmix.mixture import Mixture
from gaussmix.selection.search import Selection

Facts: TypeAlias = dict[str, Any]
"""Always the same keys; None stands for what is not known."""

_OF_FIT = (
    *("data", "n_rows", "rows_read", "weight", "weight_kind", "effective_size", "requested", "log_likelihood", "score"),
    *(
        "bic",
        "icl",
        "aic",
        "aicc",
        "entropy",
        "passes",
        "converged",
        "reason",
        "remaining",
        "certificate",
        "degenerate",
    ),
    *("effective_rows", "kish_rows", "assigned", "warnings", "effort", "algorithm", "tol", "max_passes", "seed"),
    *("acceleration", "allow_spurious"),
    *("missing", "weights_from", "columns", "regularization", "start", "n_starts", "trace", "starts"),
    *("gaussmix", "kernel"),
)
_OF_SEARCH = ("criterion", "candidates", "structures", "counts", "prune", "holdout")

_REASONS = {
    "converged": "converged after {passes}: what is left to gain is below the tolerance",
    "max_passes": "not converged: stopped at the limit of {passes}{left}",
    "precision": "stopped after {passes}, at the precision of float64 arithmetic",
    "dropped": "converged after {passes}, without the components that lost all their rows",
    "collapsed": "stopped after {passes}: a covariance became singular, the last valid mixture is given",
    "interrupted": "interrupted after {passes}; this is the best mixture so far",
    "pruned": "stopped early after {passes}: it could no longer become the best",
}
_FORMS = {"I": "spherical", "E": "ellipsoidal", "V": "ellipsoidal"}


def summarize(model: Mixture | FitResult | Selection, facts: Mapping[str, Any] | None = None) -> Facts:
    """Tell all there is to tell of a fit, ready for JSON.

    Parameters
    ----------
    model : Mixture, FitResult or Selection
        What was fitted.
    facts : mapping, optional
        For a Mixture: what its model file says of the fit, as from `Mixture.load_with_facts`.

    Returns
    -------
    dict
        Parameters, criteria, candidates and sentences, always under the same keys; None stands for what is not known
        or not finite.

    Raises
    ------
    ParameterError
        When it is none of these.
    """
    if isinstance(model, Selection):
        return facts_of_selection(model)
    if isinstance(model, FitResult):
        return facts_of_result(model)
    if not isinstance(model, Mixture):  # pyright: ignore[reportUnnecessaryIsInstance] - callers may not check types
        raise ParameterError(
            f"expected a Mixture, a FitResult or a Selection, found {type(model).__name__}; "
            "read a file with gaussmix.load"
        )
    return facts_of_mixture(model, facts)


def facts_of_result(result: FitResult) -> Facts:
    """Return the facts of a fit."""
    return facts_of_mixture(result.mixture, {**result.summary(), "remaining": result.remaining})


def facts_of_selection(selection: Selection) -> Facts:
    """Return the facts of a search: those of its best fit, and all candidates, best first."""
    ranked = selection.table.ranked(selection.criterion)
    candidates = [{name: getattr(row, name) for name in row.__dataclass_fields__} for row in ranked]
    search = {
        "criterion": selection.criterion,
        "candidates": candidates,
        "structures": list(dict.fromkeys(row.structure for row in selection.table)),
        "counts": list(dict.fromkeys(row.n_components for row in selection.table)),
    }
    return {**facts_of_result(selection.best), **cast(Facts, json_ready(search))}


def facts_of_mixture(mixture: Mixture, kept: Mapping[str, Any] | None = None) -> Facts:
    """Return the facts of a mixture.

    Parameters
    ----------
    mixture : Mixture
    kept : mapping, optional
        What is known of its fit, as in `FitResult.summary` and model files.
    """
    known = dict(kept or {})
    facts: Facts = {name: known.get(name) for name in (*_OF_FIT, *_OF_SEARCH)}
    facts |= _facts_of_parameters(mixture)
    for name in ("candidates", "warnings"):
        facts[name] = list(known.get(name) or [])
    if facts["log_likelihood"] is not None and facts["weight"]:
        facts["aicc"] = criteria.aicc(facts["log_likelihood"], mixture.n_parameters, facts["weight"])
    if facts["requested"] is None:
        facts["requested"] = mixture.n_components
    ready = cast(Facts, json_ready(facts))
    ready["structure_in_words"] = structure_in_words(mixture.structure, mixture.n_features, mixture.n_components)
    ready["reason_in_words"] = reason_in_words(ready)
    ready["data_in_words"] = data_in_words(ready)
    ready["components_in_words"] = [component_in_words(ready, k) for k in range(mixture.n_components)]
    return ready


def _facts_of_parameters(mixture: Mixture) -> Facts:
    names = mixture.feature_names or tuple(f"x{i + 1}" for i in range(mixture.n_features))
    return {
        "structure": mixture.structure,
        "n_components": mixture.n_components,
        "n_features": mixture.n_features,
        "n_parameters": mixture.n_parameters,
        "features": list(names),
        "weights": mixture.weights,
        "means": mixture.means,
        "standard_deviations": mixture.standard_deviations,
        "covariances": mixture.covariances,
        "separation": separation(mixture),
    }


def structure_in_words(structure: str, n_features: int, n_components: int) -> str:
    """Say what a covariance structure means, such as "ellipsoidal, all clusters of the same volume and shape ..."."""
    triple = family(structure, n_features)
    if n_features == 1:
        return _one_or_many("one variance", "variance", triple.volume == "E", n_components)
    form = "diagonal" if triple.orientation == "I" and triple.shape != "I" else _FORMS[triple.shape]
    form += " (axis-aligned)" if form == "diagonal" else ""
    if n_components == 1:
        return f"a single {form} cluster"
    letters = (("volume", triple.volume), ("shape", triple.shape), ("orientation", triple.orientation))
    same = [name for name, letter in letters if letter == "E"]
    own = [name for name, letter in letters if letter == "V"]
    parts = [f"all clusters of the same {_and(same)}"] if same else []
    if own:
        parts.append(f"each of its own {_and(own)}" if same else f"each cluster of its own {_and(own)}")
    return f"{form}, {', '.join(parts)}"


def _one_or_many(single: str, what: str, equal: bool, n_components: int) -> str:
    if n_components == 1:
        return f"a single cluster with {single}"
    return f"all clusters of the same {what}" if equal else f"each cluster of its own {what}"


def reason_in_words(facts: Facts) -> str | None:
    """Say why a fit stopped; None where it is not known."""
    if facts["reason"] is None:
        return None
    passes = counted(facts["passes"], "pass", "passes")
    remaining = facts["remaining"]
    left = "" if remaining is None else f", with about {remaining:.2g} log-likelihood per row left to gain"
    reason: str = facts["reason"]
    return _REASONS.get(reason, reason).format(passes=passes, left=left)


def data_in_words(facts: Facts) -> str | None:
    """Say what was fitted: "faithful.csv: 272 rows, 2 features (eruptions, waiting)"; None where it is not known."""
    if facts["n_rows"] is None:
        return None
    rows = counted(facts["n_rows"], "row")
    if facts["rows_read"] is not None and facts["rows_read"] > facts["n_rows"]:
        rows += f" of {facts['rows_read']:,} (the others are missing values or have weight 0)"
    if facts["weight_kind"] == "importance":
        rows += f" with importance weights, worth {facts['weight']:,.6g} equal ones"
    elif facts["weight"] != facts["n_rows"]:
        rows += f" of total weight {facts['weight']:,.10g}"
    return f"{facts['data']}: {rows}, {counted(facts['n_features'], 'feature')} ({shortened(facts['features'])})"


def component_in_words(facts: Facts, k: int) -> str:
    """Say how large a component is: "component 2: 96.8 rows (35.6 %)"."""
    share = f"{100.0 * facts['weights'][k]:.1f} %"
    rows = facts["effective_rows"]
    return f"component {k + 1}: {share}" if rows is None else f"component {k + 1}: {rows[k]:,.1f} rows ({share})"


def counted(number: int, noun: str, plural: str | None = None) -> str:
    """Return "1 row", "2 rows"."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


def shortened(names: list[str], most: int = 8) -> str:
    """Return names as a list, the end of a long one left out."""
    shown = names if len(names) <= most else [*names[: most - 1], f"... {names[-1]}"]
    return ", ".join(shown)


def json_ready(value: object) -> object:
    """Return `value` as JSON has it: lists for arrays and tuples, null for what is not finite."""
    if isinstance(value, np.ndarray):
        return json_ready(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): json_ready(each) for key, each in cast("Mapping[str, object]", value).items()}
    if isinstance(value, list | tuple):
        return [json_ready(each) for each in cast("list[object]", value)]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _and(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)

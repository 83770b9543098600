"""Bad and ugly inputs: each ends in a named error that says the cure, or in a valid mixture and a warning that names
the component. Never in a LinAlgError, a NaN or (pytest turns them into errors) a RuntimeWarning."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gaussmix as gm
from gaussmix.errors import (
    ColumnError,
    DataError,
    EmptyDataError,
    FitError,
    GaussmixError,
    GaussmixWarning,
    MissingValuesError,
    ModelFileError,
    NotNumericError,
    ParameterError,
    ScaleError,
    ShapeError,
    SourceError,
    TooFewRowsError,
    WeightError,
)

STRUCTURES = ("VVV", "EEE", "VII", "VEV")
GRID = ("EII", "VVI", "EEE", "VVE")
FLEXIBLE = ("VVV", "VEV")  # structures with directions of their own, which flat or tiny clusters ruin first
NO_BALLS = ("VVV", "EEE", "VEV")  # structures that can be flat in one direction

Make = Callable[[Path], Any]


def blobs(n: int = 60, d: int = 2, seed: int = 0) -> np.ndarray:
    """Two clear clusters, rows in no order."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((n, d)) + 6.0 * rng.integers(0, 2, (n, 1))


def with_column(column: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    x = blobs()
    return np.column_stack([x, column(x)])


def with_value(value: float, row: int = 7, column: int = 1) -> np.ndarray:
    x = blobs()
    x[row, column] = value
    return x


def one_hot() -> np.ndarray:
    return np.column_stack([blobs(), np.eye(3)[np.random.default_rng(1).integers(0, 3, 60)]])


def text(content: str, name: str = "data.csv") -> Make:
    def make(folder: Path) -> Path:
        path = folder / name
        path.write_text(content)
        return path

    return make


def constantly(value: object) -> Make:
    return lambda folder: value


@dataclass(frozen=True)
class Model:
    """A valid mixture is expected; with a `warning` about a component for the structures named."""

    warning: str = ""
    structures: tuple[str, ...] = STRUCTURES


@dataclass(frozen=True)
class Refused:
    """An error of this class is expected, whose message has this fragment of its cure."""

    error: type[GaussmixError]
    cure: str


@dataclass(frozen=True)
class Case:
    name: str
    make: Make
    expected: Model | Refused
    k: int = 2
    call: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


ROWS = [
    Case("two blobs", constantly(blobs()), Model()),
    Case("no rows", constantly(np.empty((0, 2))), Refused(EmptyDataError, "at least one row")),
    Case("no columns", constantly(np.empty((5, 0))), Refused(EmptyDataError, "one column")),
    Case("one row", constantly(blobs(1)), Model("component 1 rests on"), k=1),
    Case("one row, two components", constantly(blobs(1)), Refused(TooFewRowsError, "lower the number")),
    Case("two rows", constantly(blobs(2)), Model("component 1 rests on"), k=1),
    Case("two rows, two components", constantly(blobs(2)), Model("component 1 rests on")),
    Case("fewer rows than components", constantly(blobs(3)), Refused(TooFewRowsError, "lower the number"), k=4),
    Case("fewer rows than features", constantly(blobs(5, 8)), Model("component 1", NO_BALLS)),
    Case("as many rows as features", constantly(blobs(4, 4)), Model("component 1", NO_BALLS)),
    Case(
        "fewer distinct rows than components",
        constantly(np.repeat(blobs(3), 20, axis=0)),
        Refused(TooFewRowsError, "lower the number"),
        k=4,
    ),
    Case("as many distinct rows as components", constantly(np.repeat(blobs(3), 20, axis=0)), Model("component"), k=3),
    Case("a constant column", constantly(with_column(lambda x: np.full(60, 7.0))), Model("x3", NO_BALLS)),
    Case("a column of zeros", constantly(with_column(lambda x: np.zeros(60))), Model("x3", NO_BALLS)),
    Case("a constant column far out", constantly(with_column(lambda x: np.full(60, 1e9))), Model("x3", NO_BALLS)),
    Case("a duplicate column", constantly(with_column(lambda x: x[:, 0])), Model("x1, x3", NO_BALLS)),
    Case("a multiple of a column", constantly(with_column(lambda x: 1e6 * x[:, 0])), Model("x1, x3", NO_BALLS)),
    Case("a sum of columns", constantly(with_column(lambda x: x.sum(axis=1))), Model("x3", NO_BALLS)),
    Case("all rows equal", constantly(np.full((30, 2), 3.0)), Model("component 1 has almost no spread"), k=1),
    Case("all rows zero", constantly(np.zeros((30, 2))), Model("component 1 has almost no spread"), k=1),
    Case("all rows equal, K = 2", constantly(np.full((30, 2), 3.0)), Refused(TooFewRowsError, "lower the number")),
    Case(
        "a cluster of two rows",
        constantly(np.concatenate([blobs(80), [[50.0, 50.0], [50.1, 50.0]]])),
        Model("rests on 2 rows", FLEXIBLE),
        k=3,
    ),
    Case(
        "a cluster of equal rows",
        constantly(np.concatenate([blobs(), np.full((20, 2), 30.0)])),
        Model("component 3 has almost no spread", ("VVV", "VII", "VEV")),
        k=3,
    ),
    Case("one sentinel", constantly(with_value(999999.0)), Model("component 1 has almost no spread in x2", ("VVV",))),
    Case(
        "many sentinels",
        constantly(np.concatenate([blobs(), np.full((9, 2), -999.0)])),
        Model("component 3 has almost no spread", FLEXIBLE),
        k=3,
    ),
    Case("one-hot columns", constantly(one_hot()), Model("component", NO_BALLS)),
    Case("integer columns", constantly(np.random.default_rng(3).integers(0, 4, (80, 3))), Model()),
    Case("boolean columns", constantly(np.random.default_rng(3).random((80, 2)) < 0.5), Model()),
    Case("small integers of one byte", constantly(blobs().astype(np.int8)), Model()),
    Case("float32", constantly(blobs().astype(np.float32)), Model()),
    Case("scales 1e12 apart", constantly(blobs() * [1e-6, 1e6]), Model()),
    Case("scales 1e100 apart", constantly(blobs() * [1e-50, 1e50]), Model()),
    Case("far from zero", constantly(blobs() + 1e8), Model()),
    Case("very far from zero", constantly(blobs() + 1e12), Model()),
    Case("values of 1e200", constantly(blobs() * 1e200), Refused(ScaleError, "multiply the column")),
    Case("one value of 1e200", constantly(with_value(1e200)), Refused(ScaleError, "multiply the column")),
    Case("one value of 1e308", constantly(with_value(1e308)), Refused(ScaleError, "multiply the column")),
    Case("one value of 1e140", constantly(with_value(1e140)), Model("component 1", ("VVV",))),
    Case("values of 1e-200", constantly(blobs() * 1e-200), Refused(ScaleError, "multiply the column")),
    Case("denormal values", constantly(blobs() * 1e-310), Refused(ScaleError, "multiply the column")),
    Case("one denormal value", constantly(with_value(5e-324)), Model()),
    Case("values of 1e140", constantly(blobs() * 1e140), Model()),
    Case("values of 1e-140", constantly(blobs() * 1e-140), Model()),
    Case("rows on one point per cluster", constantly(np.repeat(blobs(2), 30, axis=0)), Model("component 1")),
    Case("a step of rounding size", constantly(1.0 + 1e-15 * (blobs() > 3.0)), Model("component 1")),
    Case("one NaN", constantly(with_value(np.nan)), Refused(MissingValuesError, 'missing="drop"')),
    Case("only NaN", constantly(np.full((9, 2), np.nan)), Refused(MissingValuesError, 'missing="drop"')),
    Case("one NaN, dropped", constantly(with_value(np.nan)), Model(), call={"missing": "drop"}),
    Case(
        "only NaN, dropped",
        constantly(np.full((9, 2), np.nan)),
        Refused(EmptyDataError, "weight above 0"),
        call={"missing": "drop"},
    ),
    Case("an infinity", constantly(with_value(np.inf)), Refused(MissingValuesError, "replace them")),
    Case(
        "an infinity, dropped",
        constantly(with_value(-np.inf)),
        Refused(MissingValuesError, "infinite"),
        call={"missing": "drop"},
    ),
    Case("None among numbers", constantly([[1.0, None], [2.0, 3.0]]), Refused(NotNumericError, "NaN")),
    Case("None", constantly(None), Refused(SourceError, "Give an array")),
    Case("strings", constantly([["a", "b"], ["c", "d"]]), Refused(NotNumericError, "real numbers")),
    Case("complex numbers", constantly(blobs() * 1j), Refused(NotNumericError, "two columns")),
    Case("objects", constantly(np.array([[object(), 1.0]])), Refused(NotNumericError, "real numbers")),
    Case("dates", constantly(np.array([["2020-01-01"]], dtype="datetime64[D]")), Refused(NotNumericError, "numbers")),
    Case("ragged rows", constantly([[1.0, 2.0], [3.0]]), Refused(ShapeError, "one length")),
    Case("three dimensions", constantly(np.zeros((2, 3, 4))), Refused(ShapeError, "Reshape")),
    Case("a number", constantly(3.0), Refused(DataError, "array")),
    Case("a generator", constantly(iter([[1.0, 2.0]])), Refused(SourceError, "array")),
    Case("an empty CSV file", text(""), Refused(DataError, "")),
    Case("a CSV file of a header alone", text("a,b\n"), Refused(EmptyDataError, "at least one row")),
    Case("a ragged CSV file", text("a,b\n1,2\n3\n"), Refused(DataError, "row")),
    Case("a CSV file with words", text("a,b\n1,2\n3,x\n"), Refused(DataError, "")),
    Case("a CSV file with gaps", text("a,b\n1,2\n3,\n4,5\n"), Refused(MissingValuesError, 'missing="drop"')),
    Case("a missing file", constantly("no/such/file.csv"), Refused(SourceError, "")),
    Case("a folder without tables", lambda folder: folder, Refused(SourceError, "")),
    Case("a file of another kind", text("%PDF", "data.pdf"), Refused(SourceError, "")),
    Case("a damaged .npy file", text("not numpy", "data.npy"), Refused(SourceError, "numpy.save")),
    Case("a damaged Parquet file", text("PAR1 or not", "data.parquet"), Refused(SourceError, "")),
    Case("negative weights", constantly(blobs(3)), Refused(WeightError, "not negative"), call={"weights": [1, 1, -1]}),
    Case("NaN weights", constantly(blobs(3)), Refused(WeightError, "finite"), call={"weights": [1, 1, np.nan]}),
    Case(
        "all weights zero", constantly(blobs(3)), Refused(WeightError, "at least one row"), call={"weights": [0, 0, 0]}
    ),
    Case("too few weights", constantly(blobs(3)), Refused(ShapeError, "one weight per row"), call={"weights": [1, 1]}),
    Case("weights in a table", constantly(blobs(3)), Refused(ShapeError, "ravel"), call={"weights": [[1, 1, 1]]}),
    Case(
        "weights of words",
        constantly(blobs(3)),
        Refused(WeightError, "non-negative number"),
        call={"weights": list("abc")},
    ),
    Case("weights by name, without names", constantly(blobs(3)), Refused(DataError, ""), call={"weights": "w"}),
    Case("huge weights", constantly(blobs()), Model(), call={"weights": np.full(60, 1e100)}),
    Case(
        "tiny weights",
        constantly(blobs()),
        Model('use weight_kind="importance"'),
        call={"weights": np.full(60, 1e-100)},
    ),
    Case(
        "most weights zero",
        constantly(blobs()),
        Model("component 2 rests on 1 rows", ("VVV",)),
        call={"weights": np.r_[np.ones(5), np.zeros(55)]},
    ),
    Case(
        "one heavy row",
        constantly(blobs()),
        Model("component 1 rests on 1 rows"),
        call={"weights": np.r_[1e6, np.ones(59)]},
    ),
    Case("an unknown column", constantly(blobs()), Refused(DataError, ""), call={"features": [5]}),
    Case("a column twice", constantly(blobs()), Refused(DataError, ""), call={"features": [0, 0]}),
    Case("no column chosen", constantly(blobs()), Refused(DataError, ""), call={"features": []}),
    Case(
        "collinear, unregularized",
        constantly(with_column(lambda x: x[:, 0])),
        # Whether the factor of a singular matrix fails, or its likelihood falls first, is for rounding to say.
        Model("covariance became singular|precision of float64", NO_BALLS),
        call={"regularization": None},
    ),
    Case(
        "few rows, unregularized", constantly(blobs(6, 4)), Model("component", FLEXIBLE), call={"regularization": None}
    ),
    Case(
        "a zero weight beside a huge value",
        constantly(with_value(1e140)),
        Model(),
        call={"weights": np.where(np.arange(60) == 7, 0.0, 1.0)},
    ),
    Case(
        "a zero weight beside NaN",
        constantly(with_value(np.nan)),
        Model(),
        call={"weights": np.where(np.arange(60) == 7, 0.0, 1.0)},
    ),
]


FINISHED = ("converged", "max_passes", "precision", "collapsed", "dropped")
INSOLUBLE = ("one value of 1e140", "scales 1e100 apart", "collinear, unregularized")
"""Where a fit may also end without a mixture: no rotation joins such scales in float64, no likelihood has a maximum."""


def ids(case: Case) -> str:
    return case.name


def assert_valid(result: gm.FitResult) -> None:
    mixture = result.mixture
    assert np.isfinite(mixture.means).all()
    assert (mixture.weights > 0.0).all()
    assert mixture.weights.sum() == pytest.approx(1.0, abs=1e-12)
    # Factors exist, so the covariances are positive definite where the factors' diagonals are above zero.
    assert np.isfinite(mixture.spread.arrays).all()
    assert np.isfinite(mixture.spread.log_determinants()).all()
    assert (mixture.standard_deviations > 0.0).all()
    assert np.isfinite([result.log_likelihood, result.bic, result.icl, result.entropy, *result.trace]).all()
    assert 1 <= mixture.n_components <= result.requested


def assert_refused(expected: Refused, call: Callable[[], object]) -> None:
    with pytest.raises(expected.error) as caught:
        call()
    assert expected.cure in str(caught.value)


@pytest.mark.parametrize("structure", STRUCTURES)
@pytest.mark.parametrize("case", ROWS, ids=ids)
def test_a_fit_of_ugly_rows_is_refused_by_name_or_valid(case: Case, structure: str, tmp_path: Path) -> None:
    expected, data = case.expected, case.make(tmp_path)
    if isinstance(expected, Refused):
        assert_refused(expected, lambda: gm.fit(data, case.k, structure, **case.call))
        return
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", GaussmixWarning)
        try:
            result = gm.fit(data, case.k, structure, **case.call)
        except FitError as error:
            assert case.name in INSOLUBLE
            assert "similar scales" in str(error)
            return
    assert_valid(result)
    assert result.reason in FINISHED
    if structure in expected.structures:
        assert re.search(expected.warning, "\n".join(str(warning.message) for warning in caught))


@pytest.mark.parametrize("case", ROWS, ids=ids)
def test_a_search_over_ugly_rows_is_refused_by_name_or_valid(case: Case, tmp_path: Path) -> None:
    expected, data = case.expected, case.make(tmp_path)
    if isinstance(expected, Refused):
        assert_refused(expected, lambda: gm.select(data, case.k, GRID, **case.call))
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", GaussmixWarning)
        selection = gm.select(data, [1, case.k], GRID, **case.call)
    assert_valid(selection.best)
    assert selection.best.reason in FINISHED
    best = next(row for row in selection.table if (row.structure, row.n_components) == best_key(selection))
    assert not any(row.eligible and row.bic < best.bic for row in selection.table)
    assert best.eligible or not any(row.eligible for row in selection.table)
    for result in selection.results.values():
        assert_valid(result)


def best_key(selection: gm.Selection) -> tuple[str, int]:
    return selection.best.mixture.structure, selection.best.requested


@pytest.mark.parametrize("structure", FLEXIBLE)
def test_an_added_diagonal_rescues_collinear_columns(structure: str) -> None:
    collinear = with_column(lambda x: x[:, 0])
    assert_valid(gm.fit(collinear, 2, structure, regularization=gm.AddedDiagonal(np.full(3, 1e-6))))


X = blobs()
HALVES = np.full((60, 2), 0.5)
OTHER = gm.fit(blobs(60, 3), 2, "EII").mixture

FIT_CALLS: list[tuple[str, dict[str, Any], Refused]] = [
    ("no components", {"n_components": 0}, Refused(ParameterError, "an integer of at least 1")),
    ("negative components", {"n_components": -2}, Refused(ParameterError, "an integer of at least 1")),
    ("half a component", {"n_components": 2.5}, Refused(ParameterError, "an integer of at least 1")),
    ("components in words", {"n_components": "two"}, Refused(ParameterError, "an integer of at least 1")),
    ("components as a truth value", {"n_components": True}, Refused(ParameterError, "an integer of at least 1")),
    ("no number of components", {"n_components": None}, Refused(ParameterError, "an integer of at least 1")),
    ("an unknown structure", {"covariance": "VVX"}, Refused(ParameterError, "choose one of")),
    ("a structure for one feature", {"covariance": "V"}, Refused(ParameterError, "VII")),
    ("a structure as a number", {"covariance": 3}, Refused(ParameterError, "a structure's name")),
    ("an empty structure", {"covariance": ""}, Refused(ParameterError, "choose one of")),
    ("an unknown start", {"start": "best"}, Refused(ParameterError, "kmeans")),
    ("a start of None", {"start": None}, Refused(ParameterError, "one integer per row")),
    ("ragged responsibilities", {"start": [[1.0, 0.0], [1.0]]}, Refused(ParameterError, "responsibilities (rows, K)")),
    ("labels of one row too many", {"start": np.arange(61) % 2}, Refused(ShapeError, "give one for each")),
    ("labels of one row too few", {"start": np.arange(59) % 2}, Refused(ShapeError, "give one for each")),
    ("labels without a 1", {"start": np.zeros(60, int)}, Refused(ParameterError, "no row has label(s) [1]")),
    ("labels beyond K", {"start": np.arange(60) % 3}, Refused(ParameterError, "0..1")),
    ("labels below 0", {"start": np.arange(60) % 2 - 1}, Refused(ParameterError, "0..1")),
    ("labels with fractions", {"start": X[:, 0]}, Refused(ParameterError, "one integer per row")),
    ("a start in three dimensions", {"start": X[None]}, Refused(ParameterError, "one integer per row")),
    ("responsibilities above 1", {"start": 2.0 * HALVES}, Refused(ParameterError, "sum to 1 in every row; row 0")),
    ("responsibilities below 0", {"start": HALVES + np.array([-1.0, 1.0])}, Refused(ParameterError, "at least 0")),
    ("responsibilities with NaN", {"start": HALVES * np.nan}, Refused(MissingValuesError, "start")),
    ("responsibilities of three", {"start": np.full((60, 3), 1 / 3)}, Refused(ParameterError, "2 components")),
    ("responsibilities of 59 rows", {"start": HALVES[:59]}, Refused(ShapeError, "give one for each")),
    ("a component without any", {"start": HALVES * [2, 0]}, Refused(TooFewRowsError, "several different rows")),
    ("a start of other features", {"start": OTHER}, Refused(ParameterError, "found 2 in 3")),
    ("a start of fewer components", {"start": OTHER, "n_components": 3}, Refused(ParameterError, "3 components")),
    ("no starts", {"n_starts": 0}, Refused(ParameterError, "an integer of at least 1")),
    ("half a start", {"n_starts": 0.5}, Refused(ParameterError, "an integer of at least 1")),
    ("a tolerance of zero", {"tol": 0}, Refused(ParameterError, "a number above 0")),
    ("a negative tolerance", {"tol": -1e-8}, Refused(ParameterError, "a number above 0")),
    ("a tolerance of NaN", {"tol": np.nan}, Refused(ParameterError, "a number above 0")),
    ("a tolerance in words", {"tol": "small"}, Refused(ParameterError, "a number above 0")),
    ("no passes", {"max_passes": 0}, Refused(ParameterError, "an integer of at least 1")),
    ("a negative seed", {"seed": -1}, Refused(ParameterError, "an integer of at least 0")),
    ("half a seed", {"seed": 0.5}, Refused(ParameterError, "an integer of at least 0")),
    ("a regularization as a number", {"regularization": 1e-6}, Refused(ParameterError, '"auto", None')),
    ("an unknown regularization", {"regularization": "ridge"}, Refused(ParameterError, '"auto", None')),
    ("an unknown kind of weights", {"weight_kind": "sampling"}, Refused(ParameterError, '"frequency"')),
    ("an unknown rule for gaps", {"missing": "impute"}, Refused(ParameterError, '"drop"')),
]


@pytest.mark.parametrize(("name", "call", "expected"), FIT_CALLS, ids=[name for name, _, _ in FIT_CALLS])
def test_a_call_of_fit_that_makes_no_sense_is_refused(name: str, call: dict[str, Any], expected: Refused) -> None:
    assert_refused(expected, lambda: gm.fit(X, **{"n_components": 2, "covariance": "VVV"} | call))


SELECT_CALLS: list[tuple[str, dict[str, Any], Refused]] = [
    ("no numbers", {"n_components": []}, Refused(ParameterError, "at least one number")),
    ("a zero among the numbers", {"n_components": range(3)}, Refused(ParameterError, "at least 1")),
    ("a number with a fraction", {"n_components": 2.5}, Refused(ParameterError, "at least 1")),
    ("no number", {"n_components": None}, Refused(ParameterError, "at least 1")),
    ("no structures", {"covariance": []}, Refused(ParameterError, "name structures")),
    ("an unknown structure", {"covariance": ["VVV", "XXX"]}, Refused(ParameterError, "choose one of")),
    ("a structure as a number", {"covariance": 3}, Refused(ParameterError, "a structure's name")),
    ("an unknown criterion", {"criterion": "waic"}, Refused(ParameterError, "bic, icl, aic, aicc")),
    ("a share of all rows", {"criterion": "heldout", "holdout": 1.5}, Refused(ParameterError, "between 0 and 1")),
    ("a start of labels", {"start": np.arange(60) % 2}, Refused(ParameterError, "one fit")),
    ("a negative seed", {"seed": -1}, Refused(ParameterError, "at least 0")),
]


@pytest.mark.parametrize(("name", "call", "expected"), SELECT_CALLS, ids=[name for name, _, _ in SELECT_CALLS])
def test_a_call_of_select_that_makes_no_sense_is_refused(name: str, call: dict[str, Any], expected: Refused) -> None:
    assert_refused(expected, lambda: gm.select(X, **{"n_components": [1, 2], "covariance": "EII"} | call))


SCORED: list[tuple[str, Any, Refused]] = [
    ("a column too few", X[:, :1], Refused(ShapeError, "2 features")),
    ("a column too many", np.column_stack([X, X]), Refused(ShapeError, "2 features")),
    ("a single row without its brackets", X[0], Refused(ShapeError, "(1, columns)")),
    ("NaN", X * np.nan, Refused(MissingValuesError, 'missing="drop"')),
    ("infinity", X * np.inf, Refused(MissingValuesError, "row 0")),
    ("words", [["a", "b"]], Refused(NotNumericError, "real numbers")),
    ("no rows", X[:0], Refused(EmptyDataError, "at least one row")),
    ("a missing file", "no/such.csv", Refused(SourceError, "Check the path")),
]


@pytest.mark.parametrize("verb", [gm.predict, gm.score])
@pytest.mark.parametrize(("name", "data", "expected"), SCORED, ids=[name for name, _, _ in SCORED])
def test_rows_that_a_model_cannot_score_are_refused(name: str, data: Any, expected: Refused, verb: Any) -> None:
    model = gm.Mixture([0.5, 0.5], [[0, 0], [6, 6]], [np.eye(2), np.eye(2)])
    if np.isscalar(data) or not isinstance(data, np.ndarray) or data.size == 0 or np.isfinite(data).all():
        assert_refused(expected, lambda: verb(model, data))
    else:
        with np.errstate(invalid="ignore"):
            assert_refused(expected, lambda: verb(model, data))


@pytest.mark.parametrize("verb", [gm.predict, gm.score])
@pytest.mark.parametrize("model", [None, "model.gmm", X, gm.Mixture])
def test_what_is_not_a_model_cannot_predict(model: Any, verb: Any) -> None:
    assert_refused(Refused(ParameterError, "gaussmix.load"), lambda: verb(model, X))


@pytest.mark.parametrize(
    ("make", "cure"),
    [
        (constantly("no/such/model"), "no"),
        (lambda folder: folder, ""),
        (text("{}", "model.json"), "model"),
        (text("", "empty"), ""),
    ],
)
def test_a_file_that_is_no_model_is_refused(make: Make, cure: str, tmp_path: Path) -> None:
    assert_refused(Refused(ModelFileError, cure), lambda: gm.load(make(tmp_path)))


MIXTURES: list[tuple[str, tuple[Any, ...], Refused]] = [
    ("weights that sum to 2", ([1, 1], [[0], [1]], [[[1]], [[1]]]), Refused(ParameterError, "sum to 1")),
    ("a weight of zero", ([1, 0], [[0], [1]], [[[1]], [[1]]]), Refused(ParameterError, "above 0")),
    ("a weight too few", ([1], [[0], [1]], [[[1]], [[1]]]), Refused(ParameterError, "each of the 2 means")),
    ("a mean of NaN", ([1], [[np.nan]], [[[1]]]), Refused(MissingValuesError, "means")),
    ("a negative variance", ([1], [[0]], [[[-1]]]), Refused(ParameterError, "not positive definite")),
    ("a singular covariance", ([1], [[0, 0]], [np.ones((2, 2))]), Refused(ParameterError, "diagonal")),
    ("a covariance askew", ([1], [[0, 0]], [[[1, 1], [0, 1]]]), Refused(ParameterError, "symmetric")),
    ("a covariance too small", ([1], [[0, 0]], [[[1]]]), Refused(ParameterError, "expected shape (1, 2, 2)")),
    ("complex means", ([1], [[1j]], [[[1]]]), Refused(NotNumericError, "numbers")),
]


@pytest.mark.parametrize(("name", "arguments", "expected"), MIXTURES, ids=[name for name, _, _ in MIXTURES])
def test_parameters_of_no_mixture_are_refused(name: str, arguments: tuple[Any, ...], expected: Refused) -> None:
    assert_refused(expected, lambda: gm.Mixture(*arguments))


@pytest.mark.parametrize(
    ("ask", "expected"),
    [
        (lambda m: m.marginal([]), Refused(ColumnError, "positions 0..1")),
        (lambda m: m.marginal([2]), Refused(ColumnError, "positions 0..1")),
        (lambda m: m.marginal([0, 0]), Refused(ColumnError, "twice")),
        (lambda m: m.marginal(["a"]), Refused(ColumnError, "positions 0..1")),
        (lambda m: m.condition({0: 1.0, 1: 1.0}), Refused(ColumnError, "leave at least one out")),
        (lambda m: m.condition({}), Refused(ColumnError, "positions 0..1")),
        (lambda m: m.condition({0: np.nan}), Refused(MissingValuesError, "values")),
        (lambda m: m.sample(-1), Refused(ParameterError, "at least 0")),
        (lambda m: m.sample(1.5), Refused(ParameterError, "at least 0")),
    ],
)
def test_questions_that_a_mixture_cannot_answer_are_refused(
    ask: Callable[[gm.Mixture], Any], expected: Refused
) -> None:
    assert_refused(expected, lambda: ask(gm.Mixture([1.0], [[0.0, 0.0]], [np.eye(2)])))

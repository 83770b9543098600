"""Laws of one pass: statistics add, agree with the definition, and both forms of the arithmetic agree."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nature import ALL, NASTY, random_mixture, seeds

import gaussmix as gm
from gaussmix.covariance import FAMILIES, Moment
from gaussmix.data import open_source
from gaussmix.data.source import Chunk
from gaussmix.engine.assignment import SOFT
from gaussmix.engine.evaluator import Evaluator
from gaussmix.engine.expectation import Expectation, ExpectationFold
from gaussmix.engine.kernels.choose import choose
from gaussmix.engine.plan import Form, Plan, make_plan
from gaussmix.engine.summary import TotalScatterFold
from gaussmix.statistics import Statistics

ROUNDING = 1e-12  # of sums of some hundred terms, relative to the sums of their absolute values


@dataclass(frozen=True)
class Pass:
    """Rows, weights, a mixture, and the plan of a pass."""

    x: np.ndarray
    w: np.ndarray | None
    mixture: gm.Mixture
    plan: Plan

    def statistics(self, rows: slice | np.ndarray = slice(None)) -> Statistics:
        """Statistics of some of the rows."""
        chunk = Chunk(self.x[rows], None if self.w is None else self.w[rows], 0)
        scatter = TotalScatterFold(self.plan.coordinates)
        fold = ExpectationFold(self.plan, choose(), SOFT, scatter.finish(scatter.segment(chunk)))
        return fold.finish(fold.segment(chunk))


def make_pass(
    seed: int, structure: str, form: Form, d: int = 3, weighted: bool = False, kind: str = "tame", n: int = 300
) -> Pass:
    rng = np.random.default_rng(seed)
    x = NASTY[kind](rng, n, d)
    mixture = random_mixture(rng, structure, 3, d)
    w = rng.exponential(size=n) if weighted else None
    family = FAMILIES[mixture.structure]
    evaluator = Evaluator.open(open_source(x, weights=w), gm.LocalEngine(1))
    pilot = evaluator.pilots[family.axis_equivariant]
    plan = make_plan(mixture, pilot, family.moment, precision=1e-9, anchored=form is Form.ANCHORED)
    return Pass(x, w, mixture, plan)


def assert_same(found: Statistics, wanted: Statistics, rtol: float = ROUNDING) -> None:
    """Every field agrees, relative to the largest number of its kind."""
    for name in ("totals", "pooled", "kish", "log_likelihood", "magnitude", "weight"):
        a, b = getattr(found, name), getattr(wanted, name)
        assert (a is None) == (b is None)
        if b is not None:
            scale = wanted.magnitude + wanted.weight if name == "log_likelihood" else np.abs(b).max()
            np.testing.assert_allclose(a, b, rtol=0.0, atol=rtol * scale, err_msg=name)


@pytest.mark.parametrize("form", Form)
@given(
    seed=seeds,
    structure=st.sampled_from(["VVV", "EEE", "VVI", "VII"]),
    weighted=st.booleans(),
    cuts=st.lists(st.integers(0, 300), max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_statistics_of_parts_add_up_in_any_order(
    form: Form, seed: int, structure: str, weighted: bool, cuts: list[int], order: object
) -> None:
    case = make_pass(seed, structure, form, weighted=weighted)
    edges = sorted({0, 300, *cuts})
    parts = [case.statistics(slice(a, b)) for a, b in pairwise(edges)]
    order.shuffle(parts)  # type: ignore[attr-defined]
    total = parts[0]
    for part in parts[1:]:
        total = total + part
    assert_same(total, case.statistics())
    assert case.plan.form is form


@given(seed=seeds, structure=st.sampled_from(["VVV", "EEE", "VVI", "VII"]))
def test_statistics_about_different_points_do_not_add(seed: int, structure: str) -> None:
    mine = make_pass(seed, structure, Form.ANCHORED).statistics()
    moved = replace(mine, anchors=mine.anchors + 1e-9)
    elsewhere = replace(mine, coordinates=replace(mine.coordinates, origin=mine.coordinates.origin + 1e-9))
    scaled = replace(mine, coordinates=replace(mine.coordinates, exponents=mine.coordinates.exponents + 1))
    other = replace(mine, moment=Moment.TRACE if mine.moment is not Moment.TRACE else Moment.FULL)
    for stranger in (moved, elsewhere, scaled, other):
        with pytest.raises(ValueError, match="one plan"):
            mine + stranger
    assert (mine + mine).weight == 2.0 * mine.weight


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("structure", ALL)
@given(seed=seeds, weighted=st.booleans(), d=st.integers(1, 4))
def test_statistics_are_what_their_definition_says(
    structure: str, form: Form, seed: int, weighted: bool, d: int
) -> None:
    case = make_pass(seed, structure, form, d=d, weighted=weighted)
    found = case.statistics()
    w = np.ones(len(case.x)) if case.w is None else case.w
    shares = case.mixture.responsibilities(case.x) * w[:, None]
    mass = shares.sum(axis=0)
    means = shares.T @ case.x / mass[:, None]
    # Shares carry the relative rounding errors of exp of log densities of some hundreds.
    np.testing.assert_allclose(found.mass, mass, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.kish, np.square(shares).sum(axis=0), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(found.log_likelihood, w @ case.mixture.log_prob(case.x), rtol=1e-10)
    np.testing.assert_allclose(found.weight, w.sum(), rtol=1e-14)
    solid = mass > 1e-3  # the mean of hardly any mass is a quotient of rounding errors
    units = found.coordinates.scale
    at = found.coordinates.outward(found.means())
    np.testing.assert_allclose(at[solid], means[solid], rtol=1e-6, atol=1e-6 * np.abs(case.x).max())
    if solid.all():
        z = case.x / units
        gaps = z[None] - (means / units)[:, None]
        full = np.einsum("nk,kni,knj->kij", shares, gaps, gaps)
        scatter = found.scatter()
        wanted = {
            Moment.FULL: full,
            Moment.POOLED: full.sum(axis=0, keepdims=True),
            Moment.DIAGONAL: full.diagonal(axis1=1, axis2=2),
            Moment.TRACE: full.trace(axis1=1, axis2=2),
        }[scatter.moment]
        np.testing.assert_allclose(scatter.values, wanted, atol=1e-8 * np.abs(z).max() ** 2 * w.sum())


@pytest.mark.parametrize("kind", ["tame", "far_away", "uneven_scales", "whole_numbers"])
@given(seed=seeds, structure=st.sampled_from(ALL), d=st.integers(1, 5))
def test_the_quadratic_form_errs_by_no_more_than_its_bound(kind: str, seed: int, structure: str, d: int) -> None:
    quadratic = make_pass(seed, structure, Form.QUADRATIC, d=d, kind="tame")
    rng = np.random.default_rng(seed)
    offset, units = np.zeros(d), np.ones(d)
    if kind == "far_away":
        offset = np.full(d, 1e8)
    elif kind == "uneven_scales":
        units = 2.0 ** rng.integers(-40, 40, d)
    x = np.round(quadratic.x * 2**20) / 2**20 * units + offset
    mixture = gm.Mixture(
        quadratic.mixture.weights,
        np.round(quadratic.mixture.means * 2**20) / 2**20 * units + offset,
        quadratic.mixture.covariances * units[:, None] * units,
    )
    evaluator = Evaluator.open(open_source(x), gm.LocalEngine(1))
    pilot = evaluator.pilots[True]
    plan = make_plan(mixture, pilot, Moment.FULL, precision=1e-9)
    exact = make_plan(mixture, pilot, Moment.FULL, precision=1e-9, anchored=True)
    assert (plan.form, exact.form) == (Form.QUADRATIC, Form.ANCHORED)
    assert exact.bound == 0.0 < plan.bound <= 1e-9
    errors = np.abs(choose().densities(plan, x) - choose().densities(exact, x))
    # Equation (14) speaks of rows within about three spreads; farther ones err in proportion to their squares.
    z = np.abs(pilot.coordinates.inward(x)) / pilot.spreads
    reach = np.maximum(1.0, np.square(z.max(axis=1)) / 10.0)
    # The constant is what errors stayed under when measured up to condition 1e6; the anchored form's own come on top.
    allowed = 1.13 * plan.bound * reach + 8 * np.finfo(float).eps * np.abs(choose().densities(exact, x))
    assert (errors <= allowed).all()


@given(seed=seeds, thinness=st.sampled_from([1e-3, 1e-4, 1e-6]))
def test_thin_components_are_not_computed_in_the_quadratic_form(seed: int, thinness: float) -> None:
    rng = np.random.default_rng(seed)
    x = NASTY["tame"](rng, 200, 2)
    mixture = gm.Mixture([0.5, 0.5], x[:2], np.array([np.eye(2), thinness**2 * np.eye(2)]))
    evaluator = Evaluator.open(open_source(x), gm.LocalEngine(1))
    request = Expectation(mixture, Moment.FULL, 1e-11, True)
    (found,) = evaluator.answer([request])
    assert found.rounding == 0.0
    np.testing.assert_allclose(found.log_likelihood, mixture.log_prob(x).sum(), rtol=1e-12)


@given(seed=seeds, structure=st.sampled_from(["VVV", "EEE", "VVI", "VII"]), d=st.integers(1, 4))
def test_moments_may_be_taken_about_any_points(seed: int, structure: str, d: int) -> None:
    case = make_pass(seed, structure, Form.ANCHORED, d=d)
    rng = np.random.default_rng(seed)
    pilot_anchors = case.plan.centres + rng.standard_normal(case.plan.centres.shape)
    moved = replace(case, plan=replace(case.plan, anchors=pilot_anchors))
    one, other = case.statistics(), moved.statistics()
    if (one.mass > 1e-3).all():
        np.testing.assert_allclose(other.means(), one.means(), rtol=1e-9, atol=1e-9)
        scale = np.abs(one.scatter().values).max() + other.weight * d
        np.testing.assert_allclose(other.scatter().values, one.scatter().values, atol=1e-12 * scale)


@given(seed=seeds, structure=st.sampled_from(ALL), exponent=st.integers(160, 200))
def test_a_row_beyond_every_density_belongs_to_the_nearest(seed: int, structure: str, exponent: int) -> None:
    rng = np.random.default_rng(seed)
    mixture = random_mixture(rng, structure, 3, 2)
    x = rng.standard_normal((20, 2)) * 10.0**exponent
    inverse = np.linalg.inv(np.linalg.cholesky(mixture.covariances))
    # At such distances the means do not matter to the last bit, and neither does a common factor.
    distances = np.linalg.norm(np.einsum("kij,nj->nki", inverse, x / 10.0**exponent), axis=2)
    gap = np.diff(np.sort(distances, axis=1)[:, :2], axis=1)[:, 0] > 1e-9 * distances.max(axis=1)
    nearest = distances.argmin(axis=1)
    found = gm.predict(mixture, x)
    assert (found.log_prob == -np.inf).all()
    assert (found.responsibilities.sum(axis=1) == 1.0).all()
    assert (found.labels == nearest)[gap].all()
    assert (mixture.predict(x) == nearest)[gap].all()

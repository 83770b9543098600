"""The compiled kernel says what the reference kernel says, to rounding, and says it again to the bit."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gaussmix.coordinates import Coordinates
from gaussmix.covariance import Covariances, Dense, Diagonal, Moment, Scalar
from gaussmix.data.open import open_source
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.engine.expectation import ExpectationFold
from gaussmix.engine.kernels import choose as choosing
from gaussmix.engine.kernels import numba as compiled
from gaussmix.engine.kernels.centring import Centred
from gaussmix.engine.kernels.gathering import Whitened
from gaussmix.engine.kernels.kernel import Sums
from gaussmix.engine.kernels.numba import NumbaKernel
from gaussmix.engine.kernels.numpy import NumpyKernel
from gaussmix.engine.kernels.products import Products
from gaussmix.engine.kernels.routes import route
from gaussmix.engine.kernels.streaming import Streamed
from gaussmix.engine.plan import Form, Plan, make_plan
from gaussmix.engine.summary import Pilot
from gaussmix.errors import SlowKernelWarning
from gaussmix.mixture import Mixture

# Both kernels make about 1e3 to 1e4 roundings of the same numbers in another order.
SUMS = 1e-11
# The quadratic form's own error bound: its two evaluations differ by no more than their distances from the truth.
DENSITIES = 1e-9

KERNEL, REFERENCE = NumbaKernel(), NumpyKernel()
STORAGES = ("matrices", "one matrix", "diagonals", "scalars")
seeds = st.integers(0, 2**32 - 1)
features = st.one_of(st.integers(1, 12), st.sampled_from([17, 41, 49, 70]))


def covariances(rng: np.random.Generator, storage: str, k: int, d: int) -> Covariances:
    roots = np.eye(d) + 0.3 * rng.standard_normal((k, d, d)) / np.sqrt(d)
    matrices = roots @ np.swapaxes(roots, 1, 2)
    if storage == "scalars":
        return Scalar(d, matrices[:, 0, 0])
    if storage == "diagonals":
        return Diagonal(d, np.diagonal(matrices, axis1=1, axis2=2))
    return Dense.from_matrices(matrices[:1] if storage == "one matrix" else matrices)


def mixture_of(rng: np.random.Generator, storage: str, k: int, d: int, apart: float = 1.0) -> Mixture:
    coordinates = Coordinates(rng.standard_normal(d), rng.integers(-2, 3, d))
    weights = rng.dirichlet(np.full(k, 5.0))
    return Mixture.within(
        coordinates, weights, apart * rng.standard_normal((k, d)), covariances(rng, storage, k, d), "VVV"
    )


def plan_of(mixture: Mixture, moment: Moment, form: Form, anchors: Any = None) -> Plan:
    """A plan in the form asked for, or anchored where the moments do not suffice for the quadratic form."""
    pilot = Pilot(mixture.coordinates, np.full(mixture.n_features, 2.0))
    return make_plan(mixture, pilot, moment, precision=1e-6, anchored=form is Form.ANCHORED, anchors=anchors)


def sums_of(kernel: Any, plan: Plan, x: Any, weights: Any = None) -> Sums:
    sums = Sums.zero(plan)
    kernel.accumulate(plan, x, weights, sums)
    return sums


def assert_same_sums(plan: Plan, x: Any, weights: Any = None) -> None:
    mine, theirs = sums_of(KERNEL, plan, x, weights), sums_of(REFERENCE, plan, x, weights)
    for name, left, right in zip(Sums._fields, mine, theirs, strict=True):
        scale = max(1.0, np.abs(right).max(initial=0.0))
        np.testing.assert_allclose(left, right, rtol=0.0, atol=SUMS * scale, err_msg=name)


@pytest.mark.parametrize("form", Form)
@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("storage", STORAGES)
@given(seed=seeds, k=st.integers(1, 9), d=features, n=st.integers(1, 1500), weighted=st.booleans())
def test_sums_are_the_reference_kernels(
    storage: str, moment: Moment, form: Form, seed: int, k: int, d: int, n: int, weighted: bool
) -> None:
    rng = np.random.default_rng(seed)
    mixture = mixture_of(rng, storage, k, d)
    x = mixture.sample(n, rng)
    weights = rng.exponential(size=n) * (rng.random(n) < 0.7) if weighted else None
    assert_same_sums(plan_of(mixture, moment, form), x, weights)


@given(seed=seeds, moment=st.sampled_from(Moment), d=features)
def test_moments_are_about_the_anchors(seed: int, moment: Moment, d: int) -> None:
    rng = np.random.default_rng(seed)
    mixture = mixture_of(rng, "matrices", 3, d)
    anchors = mixture.centres + rng.standard_normal((3, d))
    assert_same_sums(plan_of(mixture, moment, Form.ANCHORED, anchors), mixture.sample(400, rng))


@given(seed=seeds, d=st.sampled_from([41, 60]), k=st.integers(2, 5), apart=st.sampled_from([0.0, 0.1, 1.0, 5.0]))
def test_sums_of_many_features_do_not_depend_on_how_many_shares_are_negligible(
    seed: int, d: int, k: int, apart: float
) -> None:
    rng = np.random.default_rng(seed)
    mixture = mixture_of(rng, "one matrix", k, d, apart)
    assert_same_sums(plan_of(mixture, Moment.FULL, Form.QUADRATIC), mixture.sample(3000, rng))


@pytest.mark.parametrize("form", Form)
@given(seed=seeds, k=st.integers(1, 9), d=features, n=st.integers(1, 1500))
def test_densities_and_scores_are_the_reference_kernels(form: Form, seed: int, k: int, d: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    mixture = mixture_of(rng, "matrices", k, d)
    x, plan = mixture.sample(n, rng), plan_of(mixture, Moment.FULL, form)
    np.testing.assert_allclose(KERNEL.densities(plan, x), REFERENCE.densities(plan, x), rtol=SUMS, atol=DENSITIES)
    mine, theirs = KERNEL.scores(plan, x), REFERENCE.scores(plan, x)
    np.testing.assert_allclose(mine.responsibilities, theirs.responsibilities, rtol=0.0, atol=DENSITIES)
    np.testing.assert_allclose(mine.log_prob, theirs.log_prob, rtol=SUMS, atol=DENSITIES)
    np.testing.assert_array_equal(mine.labels, mine.responsibilities.argmax(axis=1))
    np.testing.assert_array_equal(mine.uncertainty, 1.0 - mine.responsibilities.max(axis=1))


@pytest.mark.parametrize("form", Form)
@given(seed=seeds, k=st.integers(1, 9), d=features, n=st.integers(1, 1500), weighted=st.booleans())
def test_appraisals_are_the_reference_kernels(form: Form, seed: int, k: int, d: int, n: int, weighted: bool) -> None:
    rng = np.random.default_rng(seed)
    mixture = mixture_of(rng, "matrices", k, d)
    x, plan = mixture.sample(n, rng), plan_of(mixture, Moment.FULL, form)
    weights = rng.exponential(size=n) * (rng.random(n) < 0.7) if weighted else None
    np.testing.assert_allclose(
        KERNEL.appraise(plan, x, weights), REFERENCE.appraise(plan, x, weights), rtol=SUMS, atol=DENSITIES * n
    )


def test_scores_of_a_pooled_quadratic_plan_have_its_common_term() -> None:
    rng = np.random.default_rng(3)
    mixture = mixture_of(rng, "one matrix", 3, 4)
    x, plan = mixture.sample(500, rng), plan_of(mixture, Moment.POOLED, Form.QUADRATIC)
    assert plan.precision is not None
    np.testing.assert_allclose(KERNEL.scores(plan, x).log_prob, mixture.log_prob(x), rtol=DENSITIES)
    np.testing.assert_allclose(KERNEL.densities(plan, x).T, mixture.component_log_prob(x), rtol=DENSITIES)
    np.testing.assert_allclose(KERNEL.appraise(plan, x, None)[0], mixture.log_prob(x).sum(), rtol=DENSITIES)


@pytest.mark.parametrize(
    ("storage", "moment", "form", "d", "expected"),
    [
        ("matrices", Moment.FULL, Form.QUADRATIC, 8, Products),
        ("matrices", Moment.FULL, Form.QUADRATIC, 41, Streamed),
        ("diagonals", Moment.DIAGONAL, Form.QUADRATIC, 70, Products),
        ("one matrix", Moment.POOLED, Form.QUADRATIC, 70, Products),
        ("matrices", Moment.FULL, Form.ANCHORED, 8, Centred),
        ("matrices", Moment.FULL, Form.ANCHORED, 49, Whitened),
        ("diagonals", Moment.DIAGONAL, Form.ANCHORED, 70, Centred),
    ],
)
def test_the_sizes_tried_above_take_every_route(
    storage: str, moment: Moment, form: Form, d: int, expected: type
) -> None:
    plan = plan_of(mixture_of(np.random.default_rng(1), storage, 3, d), moment, form)
    assert plan.form is form
    assert isinstance(route(plan), expected)


@pytest.mark.parametrize("d", [3, 41, 60])
@pytest.mark.parametrize("form", Form)
@given(seed=seeds, layout=st.sampled_from(["Fortran", "strided", "reversed", "single", "big endian", "read-only"]))
def test_how_rows_lie_in_memory_does_not_matter(form: Form, d: int, seed: int, layout: str) -> None:
    rng = np.random.default_rng(seed)
    mixture = mixture_of(rng, "matrices", 3, d)
    x = mixture.sample(700, rng).astype(np.float32).astype(np.float64)
    wide = np.zeros((1400, 2 * d))
    wide[::2, 1::2] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    laid = {
        "Fortran": np.asfortranarray(x),
        "strided": wide[::2, 1::2],
        "reversed": np.ascontiguousarray(x[::-1])[::-1],
        "single": x.astype(np.float32),
        "big endian": x.astype(">f8"),
        "read-only": frozen,
    }
    plan = plan_of(mixture, Moment.FULL, form)
    for left, right in zip(sums_of(KERNEL, plan, laid[layout]), sums_of(KERNEL, plan, x), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize("d", [2, 41])
@pytest.mark.parametrize("form", Form)
@given(seed=seeds)
def test_weights_of_one_are_no_weights_to_the_bit(form: Form, d: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    mixture = mixture_of(rng, "matrices", 3, d)
    x, plan = mixture.sample(900, rng), plan_of(mixture, Moment.FULL, form)
    for left, right in zip(sums_of(KERNEL, plan, x), sums_of(KERNEL, plan, x, np.ones(900)), strict=True):
        np.testing.assert_array_equal(left, right)


@pytest.mark.parametrize(("storage", "moment", "form", "d"), [
    ("matrices", Moment.FULL, Form.QUADRATIC, 4),
    ("matrices", Moment.FULL, Form.QUADRATIC, 45),
    ("matrices", Moment.FULL, Form.ANCHORED, 4),
    ("matrices", Moment.FULL, Form.ANCHORED, 50),
    ("diagonals", Moment.DIAGONAL, Form.QUADRATIC, 6),
])  # fmt: skip
def test_bits_do_not_depend_on_threads(storage: str, moment: Moment, form: Form, d: int) -> None:
    rng = np.random.default_rng(7)
    mixture = mixture_of(rng, storage, 4, d)
    plan, source = plan_of(mixture, moment, form), open_source(mixture.sample(20_000, rng))
    one, *others = (
        LocalEngine(threads).reduce([ExpectationFold(plan, KERNEL)], source, 20_000)[0] for threads in (1, 2, 3, 2)
    )
    for other in others:
        np.testing.assert_array_equal(other.totals, one.totals)
        np.testing.assert_array_equal(other.kish, one.kish)
        assert other.log_likelihood == one.log_likelihood


def test_rows_infinitely_far_out_are_shared_out_as_the_reference_kernel_does() -> None:
    rng = np.random.default_rng(5)
    mixture = mixture_of(rng, "diagonals", 3, 2)
    x = mixture.sample(6000, rng)
    x[4321] = 1e170
    plan = plan_of(mixture, Moment.FULL, Form.ANCHORED)
    mine, theirs = KERNEL.scores(plan, x), REFERENCE.scores(plan, x)
    assert mine.log_prob[4321] == -np.inf
    assert mine.responsibilities[4321].tolist() == theirs.responsibilities[4321].tolist() == [1.0, 0.0, 0.0]
    np.testing.assert_allclose(mine.responsibilities, theirs.responsibilities, rtol=0.0, atol=DENSITIES)
    weights = np.where(np.arange(6000) == 4321, 0.0, 1.0)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(
            KERNEL.appraise(plan, x, weights), REFERENCE.appraise(plan, x, weights), rtol=DENSITIES
        )


def test_sums_with_a_row_infinitely_far_out_are_the_reference_kernels() -> None:
    rng = np.random.default_rng(5)
    mixture = mixture_of(rng, "diagonals", 3, 2)
    x = mixture.sample(6000, rng)
    x[4321] = 1e170
    plan = plan_of(mixture, Moment.TRACE, Form.ANCHORED)
    with np.errstate(over="ignore", invalid="ignore"):
        mine, theirs = sums_of(KERNEL, plan, x), sums_of(REFERENCE, plan, x)
    np.testing.assert_allclose(mine.totals[:, 0], theirs.totals[:, 0], rtol=SUMS)
    np.testing.assert_allclose(mine.kish, theirs.kish, rtol=SUMS)


def test_no_rows_leave_no_sums() -> None:
    plan = plan_of(mixture_of(np.random.default_rng(1), "matrices", 2, 3), Moment.FULL, Form.QUADRATIC)
    assert all(not array.any() for array in sums_of(KERNEL, plan, np.empty((0, 3))))
    assert KERNEL.scores(plan, np.empty((0, 3))).responsibilities.shape == (0, 2)


@pytest.fixture
def fresh_choice() -> Any:
    choosing.choose.cache_clear()
    yield
    choosing.choose.cache_clear()


@pytest.mark.usefixtures("fresh_choice")
def test_the_compiled_kernel_is_chosen_in_silence() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert isinstance(choosing.choose(), NumbaKernel)


@pytest.mark.usefixtures("fresh_choice")
def test_numpy_takes_over_with_one_warning_where_nothing_can_be_compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError("cannot cache function 'exponentiate': no locator available")

    monkeypatch.setattr(compiled, "verify", fail)
    with pytest.warns(SlowKernelWarning, match="NUMBA_CACHE_DIR") as caught:
        first, second = choosing.choose(), choosing.choose()
    assert len(caught) == 1
    assert isinstance(first, NumpyKernel)
    assert second is first


def test_without_numba_numpy_takes_over() -> None:
    script = """
import sys, warnings
import gaussmix
assert "numba" not in sys.modules, "importing gaussmix imports numba"
sys.modules["numba"] = None
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    from gaussmix.engine.kernels.choose import choose
    print(type(choose()).__name__, caught[0].category.__name__)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["NumpyKernel", "SlowKernelWarning"], done.stderr

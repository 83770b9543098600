"""gaussmix's own structures, sources and kernels pass the checks it offers; broken ones do not."""

from __future__ import annotations

import numpy as np
import pytest

from gaussmix import testing
from gaussmix.covariance import FAMILIES, NAMES, Covariances, Scatter
from gaussmix.covariance.structure import Structure
from gaussmix.data.open import open_source
from gaussmix.data.source import Chunk, Source
from gaussmix.engine.executors.local import LocalEngine
from gaussmix.engine.kernels.choose import REFERENCE, choose
from gaussmix.engine.kernels.kernel import Kernel


@pytest.mark.parametrize("name", NAMES)
def test_every_structure_conforms(name):
    testing.check_structure(FAMILIES[name])


@pytest.mark.parametrize("kernel", [REFERENCE, choose()], ids=["reference", "chosen"])
def test_every_kernel_conforms(kernel):
    testing.check_kernel(kernel)


def test_an_array_conforms():
    testing.check_source(open_source(np.arange(30.0).reshape(10, 3), weights=np.ones(10)))


@pytest.mark.parametrize("options", [{"threads": 3}, {"threads": 1, "memory_limit": "16MB"}], ids=str)
def test_every_engine_conforms(options, rng):
    x = rng.normal(size=(5000, 3))
    testing.check_engine(LocalEngine(**options), open_source(x, weights=rng.uniform(size=5000)))


def test_an_engine_that_loses_rows_is_told(rng):
    class Losing(Source):
        n_features, feature_names, description, readings = 3, None, "rows", 0

        def chunks(self):
            self.readings += 1
            yield from open_source(np.ones((5000 - (self.readings > 1), 3))).chunks()

    with pytest.raises(AssertionError, match=r"differ|bits|rows"):
        testing.check_engine(LocalEngine(2), Losing())


class Shrunken(Structure):
    """A structure whose estimate is a tenth too small."""

    name = "shrunken"
    moment = FAMILIES["VVV"].moment
    axis_equivariant = True

    def n_parameters(self, n_components, n_features):
        return FAMILIES["VVV"].n_parameters(n_components, n_features)

    def n_own_parameters(self, n_features):
        return FAMILIES["VVV"].n_own_parameters(n_features)

    def estimate(self, scatter: Scatter, previous: Covariances | None) -> Covariances:
        return FAMILIES["VVV"].estimate(scatter, previous).scaled(np.full(scatter.n_features, 0.9))


def test_a_wrong_structure_is_told():
    with pytest.raises(AssertionError, match="better"):
        testing.check_structure(Shrunken())


class Forgetful(Source):
    """A source that gives other rows at its second reading."""

    n_features = 2
    feature_names = None
    description = "forgetful"

    def __init__(self):
        self.readings = 0

    def chunks(self):
        self.readings += 1
        yield Chunk(np.full((4, 2), float(self.readings)), None, 0)


def test_a_source_that_changes_is_told():
    with pytest.raises(AssertionError, match="two readings differ"):
        testing.check_source(Forgetful())


class Unweighted(Kernel):
    """A kernel that forgets the weights."""

    def accumulate(self, plan, x, weights, sums):
        REFERENCE.accumulate(plan, x, None, sums)

    def densities(self, plan, x):
        return REFERENCE.densities(plan, x)

    def score(self, plan, x, scores):
        REFERENCE.score(plan, x, scores)

    def appraise(self, plan, x, weights):
        return REFERENCE.appraise(plan, x, weights)


def test_a_kernel_that_forgets_weights_is_told():
    with pytest.raises(AssertionError, match="differ from the reference"):
        testing.check_kernel(Unweighted())

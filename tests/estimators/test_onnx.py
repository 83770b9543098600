"""Mixtures leave for ONNX by way of scikit-learn's estimator: the exported model runs, and says what ours says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import gaussmix as gm

skl2onnx = pytest.importorskip("skl2onnx")
onnxruntime = pytest.importorskip("onnxruntime")

ROUNDING = 1e-4  # of probabilities computed in float32, which ONNX has


def exported(model: gm.GaussianMixture) -> Any:
    types = [("rows", skl2onnx.common.data_types.FloatTensorType([None, 3]))]
    converted = skl2onnx.convert_sklearn(model.to_sklearn(), initial_types=types, options={"score_samples": True})
    return onnxruntime.InferenceSession(converted.SerializeToString(), providers=["CPUExecutionProvider"])


@pytest.mark.parametrize("covariance_type", ["full", "tied", "diag", "spherical", "VEV", "EEE", "EVI", "EII"])
def test_the_exported_model_runs_and_agrees(covariance_type: str) -> None:
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(80, 3)) @ rng.normal(size=(3, 3)) + 3.0 * centre for centre in rng.normal(size=(3, 3))]
    x = np.concatenate(parts).astype(np.float32)
    model = gm.GaussianMixture(3, covariance_type=covariance_type, random_state=0).fit(x)
    labels, probabilities, log_densities = exported(model).run(None, {"rows": x})
    np.testing.assert_allclose(probabilities, model.predict_proba(x), rtol=0.0, atol=ROUNDING)
    np.testing.assert_allclose(log_densities[:, 0], model.score_samples(x), rtol=ROUNDING, atol=ROUNDING)
    sure = np.abs(np.diff(np.sort(model.predict_proba(x), axis=1)[:, -2:], axis=1))[:, 0] > 2.0 * ROUNDING
    assert sure.mean() > 0.9
    np.testing.assert_array_equal(labels.ravel()[sure], model.predict(x)[sure])


def test_the_winner_of_a_search_is_exported_too() -> None:
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.normal(size=(90, 3)), rng.normal(size=(60, 3)) + 5.0]).astype(np.float32)
    search = gm.GaussianMixtureSearch((1, 2), covariance_type=("VVV", "EII"), random_state=0).fit(x)
    labels = exported(search.best_estimator_).run(None, {"rows": x})[0]
    np.testing.assert_array_equal(labels.ravel(), search.predict(x))

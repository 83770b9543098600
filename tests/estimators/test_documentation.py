"""The examples of docs/from-scikit-learn.md run, in the order in which they stand."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "from-scikit-learn.md"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_examples_run(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("skl2onnx")
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)
    assert len(blocks) >= 9
    names: dict[str, object] = {}
    for block in blocks:
        exec(compile(block, str(PAGE), "exec"), names)
    told = capsys.readouterr().out
    assert "{'n_components': 2, 'covariance_type': 'VVI'}" in told
    assert "responsibilitytransformer0" in told
    assert names["onnx_model"] is not None


def test_sections_that_are_linked_exist() -> None:
    text = PAGE.read_text()
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    sections = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    assert set(re.findall(r"\]\(#([^)]*)\)", text)) <= sections

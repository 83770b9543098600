"""Every block of code in the documentation runs, in the order in which it stands, page by page."""

from __future__ import annotations

import ast
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import pytest

import gaussmix
from gaussmix import plots

matplotlib.use("Agg")

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([*DOCS.rglob("*.md"), ROOT / "README.md"])
PAGES = [page for page in PAGES if not {"_build", "gallery", "generated"} & set(page.relative_to(ROOT).parts)]
NOT_RUN = {DOCS / "benchmarks.md": "installs rivals and measures for an hour; tests/test_benchmarks.py tries it out"}
NOT_A_COMMAND = re.compile(r"^python3 -m venv ")
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
LONG = {"million_row_hunt"}

pytestmark = pytest.mark.filterwarnings("ignore:More than 20 figures:RuntimeWarning")


def blocks(page: Path) -> Iterator[tuple[int, str, str]]:
    """Line, language and text of every fenced block."""
    text = page.read_text(encoding="utf-8")
    for found in re.finditer(r"^```(\w+)\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL):
        yield text[: found.start()].count("\n") + 2, found.group(1), found.group(2)


@pytest.fixture
def folder(tmp_path, monkeypatch) -> Iterator[Path]:
    """A folder with the examples beside it, as in a checkout, and the files that the README speaks of."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(DOCS / "extend"))
    rows = pd.read_csv(ROOT / "examples" / "faithful.csv")
    rows.to_parquet("data.parquet")
    for part, half in enumerate((rows[:100], rows[100:])):
        half.to_parquet(f"part-{part}.parquet")
    rows.to_csv("new.csv", index=False)
    gaussmix.fit(rows, 2).save("model.gmx")
    yield tmp_path
    matplotlib.pyplot.close("all")


def run_shell(command: str) -> None:
    """Run lines of a shell with this interpreter's commands first in the path."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", command], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, f"{command}\n{done.stderr}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
@pytest.mark.filterwarnings("ignore::gaussmix.errors.GaussmixWarning")
def test_blocks_run(page, folder):
    if page in NOT_RUN:
        pytest.skip(NOT_RUN[page])
    space: dict[str, object] = {"__name__": "__main__"}
    for line, language, text in blocks(page):
        if language == "python":
            exec(compile("\n" * (line - 1) + text, str(page), "exec"), space)
        elif language == "sh" and not NOT_A_COMMAND.match(text):
            run_shell(text)


def test_there_are_blocks_to_run():
    found = [language for page in PAGES if page not in NOT_RUN for _, language, _ in blocks(page)]
    assert found.count("python") > 30
    assert found.count("sh") >= 4


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_blocks_name_their_language_and_files_that_exist(page):
    text = page.read_text(encoding="utf-8")
    opening = re.findall(r"^```(.*)$", text, flags=re.MULTILINE)[::2]
    known = r"python|sh|text|\{(toctree|literalinclude|eval-rst)\}.*"
    bare = [each for each in opening if not re.fullmatch(known, each)]
    assert not bare or page.name == "README.md", f"{page}: a block without a language that is known: {bare}"
    for name in re.findall(r"\{literalinclude\} (\S+)", text):
        assert (page.parent / name).resolve().is_file(), f"{page}: {name}"
    for link in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", text):
        target = (page.parent / link).resolve()
        assert target.exists() or "gallery" in link, f"{page}: a link to {link}, which is not there"


@pytest.mark.parametrize(
    "script",
    [pytest.param(each, marks=[pytest.mark.slow] if each.stem in LONG else []) for each in EXAMPLES],
    ids=lambda script: script.stem,
)
def test_examples_run(script, folder, capsys):
    runpy.run_path(str(script), run_name="__main__")
    assert capsys.readouterr().out


def test_iris_is_compared_with_the_numbers_of_the_oracles():
    import json

    oracles = json.loads((ROOT / "tests" / "oracles" / "data" / "mclust.json").read_text())["iris"]["fits"]
    numbers = {(each["structure"], each["components"]): each["log_likelihood"] for each in oracles}
    source = (ROOT / "examples" / "iris_and_mclust.py").read_text()
    stated = ast.literal_eval(re.search(r"mclust = (\{.*?\n\})", source, flags=re.DOTALL).group(1))
    assert len(stated) == 8
    for key, value in stated.items():
        assert value == pytest.approx(numbers[key], abs=1e-6)


def test_the_reference_lists_every_public_name():
    text = (DOCS / "api.md").read_text()
    listed = set(re.findall(r"^   (\w+)$", text, flags=re.MULTILINE))
    public = (set(gaussmix.__all__) - {"errors"}) | (set(plots.__all__) - {"PALETTE", "colors"})
    assert public <= listed, public - listed
    from gaussmix import testing

    assert set(testing.__all__) <= listed


def test_numbers_that_the_pages_state():
    rows = np.loadtxt(ROOT / "examples" / "iris.csv", delimiter=",", skiprows=1, usecols=range(4))
    assert round(-gaussmix.fit(rows, 2, "VEV").bic, 2) == -561.73

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

import gaussmix as gm
from gaussmix.cli.main import main

DATA = Path(__file__).parents[1] / "oracles" / "data"


class Answer(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    def run(*arguments: object) -> Answer:
        capsys.readouterr()
        code = main([str(each) for each in arguments])
        captured = capsys.readouterr()
        return Answer(code, captured.out, captured.err)

    return run


@pytest.fixture
def faithful() -> Path:
    return DATA / "faithful.csv"


@pytest.fixture
def galaxies() -> Path:
    return DATA / "galaxies.csv"


@pytest.fixture(scope="session")
def geyser() -> gm.FitResult:
    return gm.fit(DATA / "faithful.csv", 2, "EEE")


@pytest.fixture
def model(tmp_path: Path, geyser: gm.FitResult) -> Path:
    path = tmp_path / "geyser.gmx"
    geyser.save(path)
    return path

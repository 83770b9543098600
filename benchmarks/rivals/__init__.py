"""Everybody who can be measured: one adapter per file.

An adapter's module has `RIVAL`, and what the rival can do of: `fit(x, start, structure, passes)` -> `Parameters` after
so many M-steps, `responsibilities(x, start, structure)` -> (N, K), `select(x, prune)`. The rival itself is imported
inside these, since only its own environment has it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

from benchmarks.choice import chosen

Home = Literal["own", "here", "R"]


@dataclass(frozen=True)
class Rival:
    """What is to be known of a rival before its environment is entered.

    Parameters
    ----------
    name : str
        As on the command line.
    requirements : tuple of str
        What pip installs into its environment.
    packages : tuple of str
        Whose versions are reported.
    imports : tuple of str
        Modules to load before anything is measured.
    structures : tuple of str
        Covariances that it fits.
    predicts : bool
        Whether it gives responsibilities.
    selects : bool
        Whether it searches mclust's grid.
    remark : str
        What a reader of its numbers must know.
    given_start : bool
        Whether it begins where it is told to.
    compiles : bool
        Whether every number of passes is compiled anew, so that a first run of each does not count.
    most_passes : int
        M-steps of its longer run, where as many as others make would take minutes.
    home : {"own", "here", "R"}
        An environment of its own, the one that runs the benchmarks, or R's library.
    environment : dict
        Environment variables.
    """

    name: str
    packages: tuple[str, ...]
    imports: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    structures: tuple[str, ...] = ("full", "tied", "diagonal")
    predicts: bool = False
    selects: bool = False
    remark: str = ""
    given_start: bool = True
    compiles: bool = False
    most_passes: int = 1 << 30
    home: Home = "own"
    environment: dict[str, str] = field(default_factory=dict)


MODULES = {
    "gaussmix": "gaussmix_default",
    "gaussmix-numpy": "gaussmix_numpy",
    "gaussmix-no-pruning": "gaussmix_no_pruning",
    "scikit-learn": "scikit_learn",
    "onedal": "onedal",
    "mlpack": "mlpack_binding",
    "pomegranate": "pomegranate_torch",
    "tgmm": "tgmm_torch",
    "gmmx": "gmmx_jax",
    "mclust": "mclust",
}


def adapter(name: str) -> Any:
    """Return the module of a rival's adapter."""
    return import_module(f"benchmarks.rivals.{MODULES[name]}")


def named(names: list[str]) -> list[Rival]:
    """Return the rivals of those names, as `choice.chosen` does."""
    return [adapter(name).RIVAL for name in chosen(names, list(MODULES), "rival")]

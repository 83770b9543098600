"""How to make a fit again: the same command, and the same call."""

from __future__ import annotations

import platform
import shlex
from importlib.metadata import version
from typing import Any

from gaussmix.covariance import distinct_families
from gaussmix.reporting.facts import Facts

_HOLDOUT = 0.2
_LEFT_OUT = "..."  # stands for what is not kept: arrays and starts of the caller's own
_DEFAULTS: dict[str, Any] = {
    "algorithm": "em",
    "tol": 1e-8,
    "max_passes": 1000,
    "weight_kind": "frequency",
    "missing": "error",
    "seed": 0,
    "n_starts": None,
    "effort": "default",
    "acceleration": "squarem",
    "allow_spurious": False,
}
_OPTIONS = {
    "algorithm": "--algorithm",
    "tol": "--tol",
    "max_passes": "--max-passes",
    "weight_kind": "--weight-kind",
    "missing": "--missing",
    "seed": "--seed",
    "n_starts": "--starts",
    "effort": "--effort",
    "acceleration": "--acceleration",
    "allow_spurious": "--allow-spurious",
}


def command(facts: Facts) -> str | None:
    """Return the command line that makes this fit again; None where the data are no file, or were given otherwise."""
    data = facts["data"]
    if data is None or "." not in data or facts["weights_from"] == "given" or _only_in_python(facts):
        return None
    structures = _searched(facts)
    words = [
        "gaussmix",
        "fit",
        data,
        "-k",
        _counts(facts),
        "--covariance",
        structures if isinstance(structures, str) else ",".join(structures),
    ]
    if facts["criterion"] not in (None, "bic"):
        words += ["--criterion", facts["criterion"]]
    if facts["weights_from"]:
        words += ["--weight", facts["weights_from"]]
    if facts["columns"]:
        words += ["--features", ",".join(map(str, facts["columns"]))]
    for name, option in _OPTIONS.items():
        if facts[name] not in (None, _DEFAULTS[name]):
            words += [option] if facts[name] is True else [option, str(facts[name])]
    return shlex.join(words)


def _only_in_python(facts: Facts) -> bool:
    """Whether the fit was asked for something that the command line cannot say."""
    searched = facts["prune"] is False or facts["holdout"] not in (None, _HOLDOUT)
    return searched or facts["regularization"] not in (None, "auto") or _given_start(facts)


def _given_start(facts: Facts) -> bool:
    return not facts["candidates"] and any(start["kind"] == "given" for start in facts["starts"] or [])


def call(facts: Facts) -> str:
    """Return the Python call that makes this fit again."""
    given = {name: facts[name] for name in _DEFAULTS if facts[name] not in (None, _DEFAULTS[name])}
    if facts["weights_from"]:
        given["weights"] = _LEFT_OUT if facts["weights_from"] == "given" else facts["weights_from"]
    if facts["columns"]:
        given["features"] = facts["columns"]
    if facts["regularization"] not in (None, "auto"):
        given["regularization"] = None if facts["regularization"] == "none" else _LEFT_OUT
    if _given_start(facts):
        given["start"] = _LEFT_OUT
    data = repr(facts["data"]) if facts["data"] and "." in facts["data"] else "data"
    search = bool(facts["candidates"])
    what = [data, repr(_listed(facts)) if search else str(facts["requested"])]
    what.append(repr(_searched(facts)) if search else repr(facts["structure"]))
    if search and facts["criterion"] != "bic":
        given["criterion"] = facts["criterion"]
    if facts["prune"] is False:
        given["prune"] = False
    if facts["holdout"] not in (None, _HOLDOUT):
        given["holdout"] = facts["holdout"]
    written = ", ".join(
        [*what, *(f"{name}={_LEFT_OUT if value == _LEFT_OUT else repr(value)}" for name, value in given.items())]
    )
    return f"import gaussmix as gm\n\ngm.{'select' if search else 'fit'}({written})"


def versions(facts: Facts) -> list[tuple[str, str]]:
    """Return what computed the fit and the report."""
    return [
        ("fitted by", f"gaussmix {facts['gaussmix']}" if facts["gaussmix"] else "not known"),
        *([("kernel", facts["kernel"])] if facts["kernel"] else []),
        ("reported by", f"gaussmix {version('gaussmix')}"),
        ("Python", platform.python_version()),
        *((name, version(name)) for name in ("numpy", "scipy", "numba")),
        ("machine", f"{platform.system()} {platform.machine()}"),
    ]


def _listed(facts: Facts) -> list[int]:
    return facts["counts"] or [facts["requested"]]


def _counts(facts: Facts) -> str:
    counts = _listed(facts)
    if len(counts) > 2 and counts == list(range(counts[0], counts[-1] + 1)):
        return f"{counts[0]}:{counts[-1]}"
    return ",".join(map(str, counts))


def _structures(facts: Facts) -> list[str]:
    return facts["structures"] or [facts["structure"]]


def _searched(facts: Facts) -> str | list[str]:
    """Return the structures in the order in which they were tried, or "all"."""
    every = list(distinct_families(facts["n_features"]))
    return "all" if _structures(facts) == every else _structures(facts)

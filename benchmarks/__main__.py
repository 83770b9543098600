"""The command line: `python -m benchmarks {list,install,run,render}`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import environments, render, results, run
from benchmarks.cases import CASES
from benchmarks.cases import named as cases_named
from benchmarks.rivals import MODULES
from benchmarks.rivals import named as rivals_named
from benchmarks.simulation import ROOT


def main() -> int:
    """Do what the command line says; return the exit code."""
    arguments = _parser().parse_args()
    try:
        return arguments.action(arguments)
    except (ValueError, FileNotFoundError) as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2


def _list(arguments: argparse.Namespace) -> int:
    for case in CASES:
        print(f"{case.name}  ({case.kind})")
    for rival in rivals_named([]):
        print(f"{rival.name}  {environments.absence(rival, arguments.home) or 'ready'}")
    return 0


def _install(arguments: argparse.Namespace) -> int:
    for rival in rivals_named(arguments.rival):
        wrong = environments.install(rival, arguments.home)
        print(f"{rival.name}: {wrong or 'ready'}", flush=True)
    return 0


def _run(arguments: argparse.Namespace) -> int:
    settings = run.Settings(
        home=arguments.home,
        threads=arguments.threads,
        rounds=1 if arguments.quick else arguments.rounds,
        repeats=1 if arguments.quick else arguments.repeats,
        budget=arguments.budget,
        timeout=arguments.timeout,
        patience=arguments.patience,
        say=lambda words: print(words, file=sys.stderr, flush=True),
    )
    found = run.results(cases_named(arguments.case), rivals_named(arguments.rival), settings, quick=arguments.quick)
    if arguments.update and arguments.output.exists():
        found = results.update(results.read(arguments.output), found)
    results.write(found, arguments.output)
    return 0


def _render(arguments: argparse.Namespace) -> int:
    render.render(arguments.document, [results.read(path) for path in arguments.results])
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="gaussmix and its rivals, side by side")
    parser.add_argument("--home", type=Path, default=environments.default_home(), help="folder of the environments")
    actions = parser.add_subparsers(required=True)
    actions.add_parser("list", help="name the cases and the rivals").set_defaults(action=_list)
    install = actions.add_parser("install", help="make the rivals' environments")
    install.add_argument("rival", nargs="*", help=f"all by default: {', '.join(MODULES)}")
    install.set_defaults(action=_install)
    measure = actions.add_parser("run", help="measure, and write JSON")
    measure.add_argument("--case", action="append", default=[], help="all by default; may be repeated")
    measure.add_argument("--rival", action="append", default=[], help="all by default; may be repeated")
    measure.add_argument("--quick", action="store_true", help="few rows, once: to see that everything works")
    measure.add_argument("--threads", type=int, default=2)
    measure.add_argument("--rounds", type=int, default=2, help="processes per rival")
    measure.add_argument("--repeats", type=int, default=9, help="most measurements per process")
    measure.add_argument("--budget", type=float, default=4.0, help="seconds after which no measurement begins")
    measure.add_argument("--timeout", type=float, default=600.0, help="seconds after which a process is ended")
    measure.add_argument("--patience", type=float, default=0.0, help="seconds to wait for a quiet machine each time")
    measure.add_argument("--update", action="store_true", help="replace these cases in the file, keep the others")
    measure.add_argument("-o", "--output", type=Path, required=True)
    measure.set_defaults(action=_run)
    show = actions.add_parser("render", help="turn JSON into the tables of a document")
    show.add_argument("results", type=Path, nargs="+")
    show.add_argument("--document", type=Path, default=ROOT / "docs" / "benchmarks.md")
    show.set_defaults(action=_render)
    return parser


if __name__ == "__main__":
    sys.exit(main())

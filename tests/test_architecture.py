"""The shape of the source: which way imports go, what loads when, which values change, how long things are.

Everything is read from the syntax trees, so that imports inside functions and under TYPE_CHECKING count too.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import gaussmix

SOURCE = Path(gaussmix.__file__).parent
ROOT = "gaussmix"

LEVELS = {
    # The floor: plain functions and values, in an order of their own.
    **dict.fromkeys(("errors", "_linalg", "_validation", "serialization", "coordinates", "criteria", "_random"), 0),
    **dict.fromkeys(("durable", "journal"), 0),
    "covariance": 1,
    **dict.fromkeys(("mixture", "statistics", "data"), 2),
    "engine": 3,
    "fitting": 4,
    "selection": 5,
    **dict.fromkeys(("plots", "interop"), 6),
    **dict.fromkeys(("reporting", "arguments", "checkpoints"), 7),
    **dict.fromkeys(("api", "prediction", "detection", "foresight", "shards", "merging"), 8),
    **dict.fromkeys(("comparing", "inference"), 8),
    "estimators": 9,
    **dict.fromkeys(("__init__", "precompile", "testing"), 10),
    **dict.fromkeys(("cli", "__main__"), 11),
}

HOMES = {
    "numba": ("engine/kernels/",),
    "llvmlite": ("engine/kernels/",),
    "scipy": ("mixture/", "engine/", "covariance/", "fitting/"),
    "pyarrow": ("data/", "cli/"),
    "narwhals": ("data/", "_validation.py", "selection/table.py", "estimators/", "cli/"),
    "safetensors": ("serialization.py",),
    "threadpoolctl": ("engine/executors/",),
    "sklearn": ("estimators/", "interop.py"),
    "matplotlib": ("plots/", "reporting/"),
    "jinja2": ("reporting/",),
    "typer": ("cli/",),
    "rich": ("cli/", "reporting/"),
    "dask": ("data/", "engine/executors/"),
    "distributed": ("data/", "engine/executors/"),
    "pandas": (),
    "polars": (),
    "torch": (),
}
"""Where a dependency that is slow to load or may be absent may be imported at all."""

AT_THE_TOP = {
    "llvmlite": "engine/kernels/",
    "numba": "engine/kernels/",  # rooms of compiled code, themselves loaded on first use
    "typer": "cli/",
    "rich": ("cli/", "reporting/"),
    "matplotlib": "plots/",
    "sklearn": "estimators/",
}
"""Where it may be imported when the module is; everywhere else inside the function that needs it."""

MUTABLE = {
    ("fitting/em.py", "_State"): "what the coroutine knows between two passes; never leaves it",
}
"""Data classes that are not frozen, and why."""

LONGEST_FILE = 400
LONGEST_FUNCTION = 40
ORDINARY_FUNCTION = 20


@dataclass(frozen=True)
class Module:
    """One source file."""

    name: str
    path: str
    tree: ast.Module
    lines: tuple[str, ...]

    @property
    def room(self) -> str:
        """The first step below the package, by which levels are known."""
        parts = self.name.split(".")
        return parts[1] if len(parts) > 1 else "__init__"


@dataclass(frozen=True)
class Import:
    """An import of one module; `top` when it runs as soon as the importing module does."""

    target: str
    line: int
    top: bool


@cache
def modules() -> dict[str, Module]:
    found: dict[str, Module] = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        name = ".".join((ROOT, *(part for part in parts if part != "__init__")))
        text = path.read_text()
        found[name] = Module(name, path.relative_to(SOURCE).as_posix(), ast.parse(text), tuple(text.splitlines()))
    return found


def imports(module: Module) -> Iterator[Import]:
    """Every import statement, wherever it stands; of `from package import module` the module."""
    lazy = {
        id(inner)
        for outer in ast.walk(module.tree)
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef) or _is_type_checking(outer)
        for inner in ast.walk(outer)
    }
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Import(alias.name, node.lineno, id(node) not in lazy)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module.path}:{node.lineno}: a relative import; name the module in full"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield Import(inner if inner in modules() else str(node.module), node.lineno, id(node) not in lazy)


def _is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"


def inside(module: Module) -> Iterator[Import]:
    for each in imports(module):
        if each.target == ROOT or each.target.startswith(f"{ROOT}."):
            yield each


def test_every_room_has_its_level() -> None:
    assert {module.room for module in modules().values()} <= set(LEVELS)


def test_imports_only_go_down() -> None:
    wrong: list[str] = []
    for module in modules().values():
        for each in inside(module):
            room = modules()[each.target].room
            if room == module.room or (LEVELS[room] == LEVELS[module.room] == 0):
                continue
            if LEVELS[room] >= LEVELS[module.room]:
                wrong.append(f"{module.path}:{each.line} imports {each.target}")
    assert not wrong, wrong


def test_data_know_nothing_but_the_floor() -> None:
    for module in modules().values():
        if module.room == "data":
            assert {modules()[each.target].room for each in inside(module)} <= {
                "data",
                *(room for room, level in LEVELS.items() if level == 0),
            }, module.path


def test_only_the_command_line_imports_the_package_root() -> None:
    for module in modules().values():
        if module.room not in ("cli", "__main__"):
            assert not [each for each in inside(module) if each.target == ROOT], module.path


def test_no_module_reaches_itself() -> None:
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"a cycle of imports: {' -> '.join((*path[path.index(name) :], name))}"
        if name in done:
            return
        for each in inside(modules()[name]):
            if each.target != name:
                visit(each.target, (*path, name))
        done.add(name)

    for name in modules():
        visit(name, ())


def test_dependencies_are_imported_in_their_rooms_only() -> None:
    wrong: list[str] = []
    for module in modules().values():
        for each in imports(module):
            package = each.target.split(".")[0]
            homes = HOMES.get(package)
            if homes is None:
                assert package in ("numpy", ROOT) or package in sys.stdlib_module_names, f"{module.path}: {package}"
                continue
            late = package not in AT_THE_TOP or not module.path.startswith(AT_THE_TOP[package])
            if not module.path.startswith(homes) or (each.top and late):
                wrong.append(f"{module.path}:{each.line} imports {each.target}{' at its top' if each.top else ''}")
    assert not wrong, wrong


def test_importing_the_package_loads_no_heavy_dependency() -> None:
    code = f"import sys, gaussmix; print(*sorted(set({sorted(HOMES)}) & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert loaded == []


def test_values_are_frozen() -> None:
    thawed = {
        (module.path, node.name)
        for module in modules().values()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.ClassDef)
        for decorator in node.decorator_list
        if "dataclass" in ast.unparse(decorator) and "frozen=True" not in ast.unparse(decorator)
    }
    assert thawed <= set(MUTABLE), thawed - set(MUTABLE)


def test_names_of_files_say_what_is_in_them() -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core"}
    assert not [module.path for module in modules().values() if Path(module.path).stem.strip("_") in vague]


def test_files_are_short() -> None:
    long = {module.path: len(module.lines) for module in modules().values() if len(module.lines) > LONGEST_FILE}
    assert not long, long


def code_lines(module: Module, function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function's body that are neither blank, comments nor its docstring."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    if not body:
        return 0
    lines = module.lines[body[0].lineno - 1 : function.end_lineno]
    return sum(1 for line in lines if line.strip() and not line.strip().startswith("#"))


def functions() -> Iterator[tuple[str, int]]:
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{module.path}:{node.lineno} {node.name}", code_lines(module, node)


def test_functions_are_short() -> None:
    lengths = dict(functions())
    assert len(lengths) > 300, "the sources were not found"
    long = {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION}
    assert not long, long
    ordinary = sum(length < ORDINARY_FUNCTION for length in lengths.values())
    assert ordinary >= 0.9 * len(lengths), f"{ordinary} of {len(lengths)}"


def test_equations_that_are_cited_exist() -> None:
    text = (SOURCE.parents[1] / "docs" / "mathematics.md").read_text()
    tags = [int(tag) for tag in re.findall(r"\\tag\{(\d+)\}", text)]
    assert tags == list(range(1, len(tags) + 1)), "numbered in the order in which they stand"
    cited = {
        int(number)
        for module in modules().values()
        for found in re.findall(r"equations? ((?:\d+(?:, | and )?)+)", "\n".join(module.lines))
        for number in re.findall(r"\d+", found)
    }
    assert {12, 13, 14} <= cited <= set(tags)

"""What a report is made of on the page, and how it is printed: the only place in the room that knows rich."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from io import StringIO
from typing import TYPE_CHECKING, final
from unicodedata import combining, east_asian_width

if TYPE_CHECKING:
    from rich.console import RenderableType

Column = tuple[str, list[str]]
"""A head and the cells under it."""

_LEFT = ("structure", "feature", "")


@final
@dataclass(frozen=True)
class Sentence:
    """Text that is broken where the line ends."""

    text: str
    style: str = ""


@final
@dataclass(frozen=True)
class Title:
    """What follows, and a remark on how to read it."""

    name: str
    remark: str = ""


@final
@dataclass(frozen=True)
class Grid:
    """Columns side by side, numbers to the right; the first row may stand out."""

    columns: tuple[Column, ...]
    leader: bool = False


Part = Sentence | Title | Grid
GAP = Title("")


def needed(columns: Iterable[Column]) -> int:
    """Return the width that columns take."""
    return sum(2 + max(_cells(text) for text in (head, *cells)) for head, cells in columns)


def cut(first: Column, columns: Sequence[Column], width: int) -> list[Part]:
    """Return grids that all begin with the first column and together hold the others, none wider than `width`."""
    parts: list[Part] = []
    group = [first]
    for column in columns:
        if len(group) > 1 and needed([*group, column]) > width:
            parts += [Grid(tuple(group)), GAP]
            group = [first]
        group.append(column)
    return [*parts, Grid(tuple(group))]


def printed(parts: Iterable[Part], width: int, color: bool) -> str:
    """Return the parts one below the other, lines ending where their text ends."""
    from rich.console import Console

    console = Console(
        file=StringIO(),
        width=width,
        force_terminal=color,
        no_color=not color,
        color_system="standard" if color else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )
    with console.capture() as capture:
        for part in parts:
            console.print(_renderable(part))
    return "\n".join(line.rstrip() for line in capture.get().strip("\n").split("\n")) + "\n"


def _renderable(part: Part) -> RenderableType:
    from rich.padding import Padding
    from rich.text import Text

    if isinstance(part, Grid):
        return _table(part)
    if isinstance(part, Title):
        return Text.assemble((part.name, "bold"), (f"  ({part.remark})" if part.remark else "", "dim"))
    return Padding(Text(part.text, part.style), (0, 0, 0, 2))


def _table(grid: Grid) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 0, 0, 2), header_style="dim", show_edge=False, pad_edge=True)
    for head, _ in grid.columns:
        table.add_column(Text(head), justify="left" if head in _LEFT else "right", no_wrap=True)
    for place, cells in enumerate(zip(*(cells for _, cells in grid.columns), strict=True)):
        table.add_row(*(Text(cell) for cell in cells), style="bold green" if grid.leader and place == 0 else "")
    return table


def _cells(text: str) -> int:
    """Return how many cells of a terminal a text takes."""
    return sum(0 if combining(sign) else 2 if east_asian_width(sign) in "WF" else 1 for sign in text)

"""gaussmix's search with every candidate fitted to the end, so that cells can be compared."""

from __future__ import annotations

from typing import Any

from benchmarks.rivals import Rival
from benchmarks.rivals.gaussmix_default import select as _select
from benchmarks.simulation import Array

RIVAL = Rival("gaussmix-no-pruning", ("gaussmix", "numba"), ("gaussmix",), structures=(), selects=True, home="here")


def select(x: Array) -> dict[str, Any]:
    """Search the whole grid with `prune=False`."""
    return _select(x, prune=False)

"""gaussmix and its rivals, measured side by side: `python -m benchmarks`."""

from __future__ import annotations

import os

# What is measured is compiled code; the start of processes is measured without this.
os.environ.setdefault("GAUSSMIX_KERNEL", "numba")

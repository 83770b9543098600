"""How the stages of a kernel are compiled: on first use, kept on disk, free of the interpreter's lock."""

from __future__ import annotations

from numba import njit

# Contraction to fused multiply-add is the same at every call.
exact = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
"""For functions whose results do not depend on the order in which rows are visited."""

# Sums of fixed length may be split over vector registers; the split is the same at every call.
summing = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "reassoc", "nsz"})
"""For functions that sum along a block's rows."""

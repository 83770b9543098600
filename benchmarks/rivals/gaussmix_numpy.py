"""gaussmix with its reference kernel, NumPy, instead of the compiled one."""

from __future__ import annotations

from benchmarks.rivals import Rival
from benchmarks.rivals.gaussmix_default import fit, responsibilities

RIVAL = Rival(
    "gaussmix-numpy",
    ("gaussmix", "numpy"),
    ("gaussmix",),
    predicts=True,
    home="here",
    environment={"GAUSSMIX_KERNEL": "numpy"},
)
__all__ = ["RIVAL", "fit", "responsibilities"]

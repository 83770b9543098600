"""R's mclust; `mclust.R` beside this file is its worker."""

from __future__ import annotations

from benchmarks.rivals import Rival

RIVAL = Rival(
    "mclust",
    ("mclust", "R"),
    requirements=("r-cran-mclust",),
    selects=True,
    home="R",
    most_passes=2,
    remark="one thread",
)

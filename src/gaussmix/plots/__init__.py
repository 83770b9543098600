"""Pictures of fits: every function takes finished values and an Axes, and returns the Axes; every Display an estimator.

The only room that imports matplotlib, which comes with `pip install gaussmix[report]`.
"""

from gaussmix.engine.portrait import Portrait
from gaussmix.plots.convergence import ConvergenceDisplay, convergence
from gaussmix.plots.density import DensityDisplay, density
from gaussmix.plots.overlap import OverlapDisplay, overlap
from gaussmix.plots.pairs import PairsDisplay, marginal, pair, pairs
from gaussmix.plots.palette import PALETTE, colors
from gaussmix.plots.profiles import ProfilesDisplay, profiles
from gaussmix.plots.quantiles import QuantilesDisplay, quantiles
from gaussmix.plots.selection import SelectionDisplay, selection_curves
from gaussmix.plots.subject import portrait
from gaussmix.plots.uncertainty import UncertaintyDisplay, uncertainty

__all__ = [
    "PALETTE",
    "ConvergenceDisplay",
    "DensityDisplay",
    "OverlapDisplay",
    "PairsDisplay",
    "Portrait",
    "ProfilesDisplay",
    "QuantilesDisplay",
    "SelectionDisplay",
    "UncertaintyDisplay",
    "colors",
    "convergence",
    "density",
    "marginal",
    "overlap",
    "pair",
    "pairs",
    "portrait",
    "profiles",
    "quantiles",
    "selection_curves",
    "uncertainty",
]

"""What the covariances of a mixture may be; nothing here has seen a row."""

from gaussmix.covariance.families import ALIASES, FAMILIES, NAMES, Family, distinct_families, family
from gaussmix.covariance.scatter import Moment, Scatter
from gaussmix.covariance.storage import Covariances, Dense, Diagonal, Scalar
from gaussmix.covariance.structure import Structure

__all__ = [
    "ALIASES",
    "FAMILIES",
    "NAMES",
    "Covariances",
    "Dense",
    "Diagonal",
    "Family",
    "Moment",
    "Scalar",
    "Scatter",
    "Structure",
    "distinct_families",
    "family",
]

"""The Gaussian mixture as a value, its parameters' border guard, and its form on disk."""

from gaussmix.mixture.mixture import Mixture

__all__ = ["Mixture"]

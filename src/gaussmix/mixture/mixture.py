"""The Gaussian mixture as a value: ten plain NumPy lines per density, the specification of every faster kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, final

import numpy as np

from gaussmix import _validation, serialization
from gaussmix._linalg import LOG_2PI, Array, Integers, log_sum_exp, read_only, row_norms
from gaussmix.coordinates import Coordinates
from gaussmix.covariance import Covariances, Dense, family
from gaussmix.errors import ColumnError, ModelFileError
from gaussmix.mixture.checks import (
    checked_covariances,
    checked_names,
    checked_positions,
    checked_structure,
    checked_weights,
)
from gaussmix.mixture.file import Parts, from_file, to_file

# Families of which every marginal is a member too; of others a marginal is only known to be general.
_CLOSED_UNDER_MARGINALS = frozenset({"EII", "VII", "EEI", "VEI", "VVI", "EEE", "VEE", "VVV"})


@final
@dataclass(frozen=True, eq=False, init=False)
class Mixture:
    """A mixture of K Gaussians in D dimensions.

    Parameters
    ----------
    weights : array (K,)
        Mixing weights, above zero, summing to 1.
    means : array (K, D)
        In data units; (K,) for a single feature.
    covariances : array (K, D, D) or Covariances
        In squared data units; (K,) variances for a single feature.
    structure : str, optional
        Name of the covariance family; taken to be the general one by default.
    feature_names : sequence of str, optional
        Names of the features.

    Raises
    ------
    ParameterError
        When the weights do not sum to 1 within 1e-6, shapes do not match, or a covariance is not symmetric
        positive definite.
    """

    weights: Array
    centres: Array
    spread: Covariances
    coordinates: Coordinates
    structure: str
    feature_names: tuple[str, ...] | None

    def __init__(
        self,
        weights: object,
        means: object,
        covariances: object,
        *,
        structure: str | None = None,
        feature_names: Sequence[str] | None = None,
    ) -> None:
        centres = _validation.finite(means, "means")
        centres = centres[:, None] if centres.ndim == 1 else centres
        n_components, n_features = centres.shape
        spread = (
            covariances
            if isinstance(covariances, Covariances)
            else checked_covariances(covariances, n_components, n_features)
        )
        _set(
            self,
            checked_weights(weights, n_components),
            centres,
            spread,
            Coordinates.identity(n_features),
            checked_structure(structure, spread, n_components),
            checked_names(feature_names, n_features),
        )

    @classmethod
    def within(
        cls,
        coordinates: Coordinates,
        weights: Array,
        centres: Array,
        spread: Covariances,
        structure: str,
        feature_names: tuple[str, ...] | None = None,
    ) -> Self:
        """Make a mixture whose `centres` and `spread` are written in `coordinates`; nothing is checked."""
        mixture = object.__new__(cls)
        _set(mixture, weights, centres, spread, coordinates, structure, feature_names)
        return mixture

    # What it is

    @property
    def n_components(self) -> int:
        """Number of components K."""
        return self.weights.shape[0]

    @property
    def n_features(self) -> int:
        """Number of features D."""
        return self.centres.shape[1]

    @property
    def means(self) -> Array:
        """Component means (K, D), in data units."""
        return self.coordinates.outward(self.centres)

    @property
    def covariances(self) -> Array:
        """Component covariances (K, D, D), in squared data units."""
        dense = self.spread.scaled(self.coordinates.scale).dense()
        return np.broadcast_to(dense, (self.n_components, *dense.shape[1:])).copy()

    @property
    def standard_deviations(self) -> Array:
        """Component standard deviations (K, D), in data units."""
        deviations = np.sqrt(self.spread.variances()) * self.coordinates.scale
        return np.broadcast_to(deviations, self.centres.shape).copy()

    @property
    def n_parameters(self) -> int:
        """Free parameters: weights, means, and those of the covariance family."""
        return family(self.structure, self.n_features).n_mixture_parameters(self.n_components, self.n_features)

    def __repr__(self) -> str:
        return f"<Mixture {self.structure}: {self.n_components} components, {self.n_features} features>"

    # What it says of rows

    def component_log_prob(self, x: Any) -> Array:
        """Log of mixing weight times component density, of every row and component.

        Parameters
        ----------
        x : array (N, D) or dataframe
            Rows in data units; a dataframe's columns are matched by name.

        Returns
        -------
        array (N, K)
        """
        z = self._inward(x)
        constants = np.log(self.weights) - 0.5 * self.n_features * LOG_2PI - self.coordinates.log_jacobian
        constants = constants - 0.5 * self.spread.log_determinants()
        log_prob = np.empty((z.shape[0], self.n_components))
        with np.errstate(over="ignore"):
            for k in range(self.n_components):
                white = self.spread.whiten(k, z - self.centres[k])
                log_prob[:, k] = constants[k] - 0.5 * np.square(white).sum(axis=1)
        return log_prob

    def log_prob(self, x: Any) -> Array:
        """Log density (N,) of every row.

        Parameters
        ----------
        x : array (N, D) or dataframe
            Rows in data units; a dataframe's columns are matched by name.
        """
        return log_sum_exp(self.component_log_prob(x))

    def responsibilities(self, x: Any) -> Array:
        """Probabilities (N, K) that a row came from each component.

        A row so far out that every density underflows belongs to the component nearest by Mahalanobis distance.

        Parameters
        ----------
        x : array (N, D) or dataframe
            Rows in data units; a dataframe's columns are matched by name.
        """
        log_prob = self.component_log_prob(x)
        total = log_sum_exp(log_prob)
        far = ~np.isfinite(total)
        responsibilities = np.exp(log_prob - np.where(far, 0.0, total)[:, None])
        if far.any():
            nearest = self._distances(self._inward(x)[far]).argmin(axis=1)
            responsibilities[far] = np.eye(self.n_components)[nearest]
        return responsibilities

    def predict(self, x: Any) -> Integers:
        """Most probable component (N,) of every row.

        Parameters
        ----------
        x : array (N, D) or dataframe
            Rows in data units; a dataframe's columns are matched by name.
        """
        return self.responsibilities(x).argmax(axis=1)

    def _inward(self, x: Any) -> Array:
        return self.coordinates.inward(_validation.rows(x, self.n_features, self.feature_names))

    def _distances(self, z: Array) -> Array:
        """Mahalanobis distances (N, K), by norms that do not overflow."""
        distances = np.empty((z.shape[0], self.n_components))
        for k in range(self.n_components):
            distances[:, k] = row_norms(self.spread.whiten(k, z - self.centres[k]))
        return distances

    # What can be drawn and derived from it

    def sample(self, n_rows: int, rng: np.random.Generator | int | None = None) -> Array:
        """Draw independent rows.

        Parameters
        ----------
        n_rows : int
            Number of rows N.
        rng : numpy Generator or seed, optional
            Source of randomness.

        Returns
        -------
        array (N, D)
            In data units.
        """
        return self.sample_labelled(n_rows, rng)[0]

    def sample_labelled(self, n_rows: int, rng: np.random.Generator | int | None = None) -> tuple[Array, Integers]:
        """Draw independent rows (N, D) and the components (N,) that they came from."""
        n_rows = _validation.positive_integer(n_rows, "n_rows", least=0)
        rng = np.random.default_rng(rng)
        labels = rng.choice(self.n_components, size=n_rows, p=self.weights / self.weights.sum())
        white = rng.standard_normal((n_rows, self.n_features))
        z = np.empty_like(white)
        for k in range(self.n_components):
            mine = labels == k
            z[mine] = self.centres[k] + self.spread.color(k, white[mine])
        return self.coordinates.outward(z), labels.astype(np.int64)

    def marginal(self, features: Sequence[str | int]) -> Mixture:
        """Return the mixture of some of the features.

        Parameters
        ----------
        features : sequence of str or int
            Names or positions, in the order wanted.

        Raises
        ------
        ColumnError
            When one is unknown or named twice.
        """
        chosen = checked_positions(features, self.feature_names, self.n_features)
        structure = self.structure
        if structure not in _CLOSED_UNDER_MARGINALS:
            structure = "VVI" if structure == "EVI" else "VVV"
        return Mixture.within(
            self.coordinates.select(chosen),
            self.weights,
            self.centres[:, chosen],
            self.spread.select(chosen),
            family(structure, len(chosen)).name if self.n_features > 1 else self.structure,
            self._names(chosen),
        )

    def condition(self, values: Mapping[str | int, float]) -> Mixture:
        """Return the mixture of the remaining features, given the values of some.

        Parameters
        ----------
        values : mapping from feature name or position to value
            In data units; at least one feature must remain.

        Raises
        ------
        ColumnError
            When a feature is unknown, or none remains.
        """
        given = checked_positions(list(values), self.feature_names, self.n_features)
        rest = np.setdiff1d(np.arange(self.n_features), given)
        if len(rest) == 0:
            raise ColumnError("every feature is given a value; leave at least one out")
        at = self.coordinates.select(given).inward(_validation.finite([list(values.values())], "values"))
        factors = self.spread.select(np.concatenate([given, rest])).triangles()
        lower = np.broadcast_to(factors, (self.n_components, self.n_features, self.n_features))
        n_given = len(given)
        white = np.stack(
            [self.spread.select(given).whiten(k, at - self.centres[k, given])[0] for k in range(self.n_components)]
        )
        centres = self.centres[:, rest] + (lower[:, n_given:, :n_given] @ white[:, :, None])[:, :, 0]
        shares = self.marginal(given.tolist()).responsibilities(self.coordinates.select(given).outward(at))[0]
        keep = np.flatnonzero(shares > 0.0)
        spread = Dense(len(rest), lower[keep][:, n_given:, n_given:])
        return Mixture.within(
            self.coordinates.select(rest),
            shares[keep] / shares[keep].sum(),
            centres[keep],
            spread,
            family("VVV", len(rest)).name,
            self._names(rest),
        )

    def take(self, components: Integers) -> Mixture:
        """Return the mixture with its components in another order."""
        return Mixture.within(
            self.coordinates,
            self.weights[components],
            self.centres[components],
            self.spread.take(components),
            self.structure,
            self.feature_names,
        )

    def without(self, components: Integers) -> Mixture:
        """Return the mixture of the other components, their weights scaled up to sum to 1."""
        left = self.take(np.setdiff1d(np.arange(self.n_components), components))
        weights = left.weights / left.weights.sum()
        return Mixture.within(left.coordinates, weights, left.centres, left.spread, left.structure, left.feature_names)

    def order(self) -> Integers:
        """Positions (K,) of the components by weight, largest first, ties by mean."""
        return np.lexsort([*self.centres.T[::-1], -self.weights])

    def in_order(self) -> Mixture:
        """Return the mixture with its components by weight, largest first, ties by mean."""
        return self.take(self.order())

    def expressed_in(self, coordinates: Coordinates) -> Mixture:
        """Return the same mixture, written in other coordinates."""
        if self.coordinates.same_as(coordinates):
            return self
        mine, units = self.coordinates, np.ldexp(1.0, self.coordinates.exponents - coordinates.exponents)
        offset = np.ldexp(mine.origin - coordinates.origin, -coordinates.exponents)
        return Mixture.within(
            coordinates,
            self.weights,
            self.centres * units + offset,
            self.spread.scaled(units),
            self.structure,
            self.feature_names,
        )

    def renamed(self, structure: str, feature_names: tuple[str, ...] | None) -> Mixture:
        """Return the same mixture under another structure's name and other feature names."""
        return Mixture.within(self.coordinates, self.weights, self.centres, self.spread, structure, feature_names)

    def _names(self, positions: Integers) -> tuple[str, ...] | None:
        return None if self.feature_names is None else tuple(self.feature_names[i] for i in positions)

    # Where it is kept

    def save(self, path: str | Path, *, facts: Mapping[str, Any] | None = None) -> None:
        """Write the mixture, to the bit, to one safetensors file.

        Parameters
        ----------
        path : path
            Replaced atomically where it exists.
        facts : mapping, optional
            JSON-ready facts about the fit, kept in the header.
        """
        parts = Parts(self.coordinates, self.weights, self.centres, self.spread, self.structure, self.feature_names)
        arrays, header = to_file(parts, facts or {})
        serialization.write(path, arrays, header, kind="model")

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a mixture written by `save`.

        Raises
        ------
        ModelFileError
            When the file is not a gaussmix model, is damaged, or comes from a newer release.
        """
        return cls.load_with_facts(path)[0]

    @classmethod
    def load_with_facts(cls, path: str | Path) -> tuple[Self, dict[str, Any]]:
        """Read a mixture and the facts about its fit."""
        arrays, header = serialization.read(path, kind="model")
        try:
            return cls.within(*from_file(arrays, header)), dict(header["facts"])
        except (KeyError, TypeError, ValueError) as error:
            raise ModelFileError(
                f"{path}: the file says it is a gaussmix model, but its content does not fit together ({error}); "
                "it was damaged or edited: save the model again"
            ) from error


def _set(mixture: Mixture, *values: object) -> None:
    names = ("weights", "centres", "spread", "coordinates", "structure", "feature_names")
    for name, value in zip(names, values, strict=True):
        object.__setattr__(mixture, name, read_only(value) if isinstance(value, np.ndarray) else value)

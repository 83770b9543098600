"""The border guard: what users hand in becomes checked arrays, or a named error. Called at entry points only."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gaussmix._linalg import Array
from gaussmix.errors import ColumnError, MissingValuesError, NotNumericError, ParameterError, ShapeError


def numbers(values: object, what: str) -> Array:
    """Return `values` as a float64 array; `what` names them in the error.

    Raises
    ------
    NotNumericError
        When something in them is not a real number.
    """
    try:
        array = np.asarray(values)
        if array.dtype.kind == "c":
            raise TypeError("complex numbers")
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise NotNumericError(f"{what}: expected an array of numbers, found {error}") from error


def finite(values: object, what: str) -> Array:
    """Return `values` as a float64 array without NaN or infinity.

    Raises
    ------
    NotNumericError, MissingValuesError
        When something in them is not a finite real number.
    """
    array = numbers(values, what)
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        where = ", ".join(str(i) for i in wrong[0])
        raise MissingValuesError(
            f"{what}: {len(wrong)} of {array.size} values are missing or infinite, the first at [{where}]; "
            "drop or fill them first"
        )
    return array


def rows(x: Any, n_features: int, feature_names: Sequence[str] | None = None) -> Array:
    """Return `x` as finite rows (N, D); columns of a dataframe are matched by name.

    Raises
    ------
    ShapeError, ColumnError, NotNumericError, MissingValuesError
        When they cannot be rows of D features.
    """
    array = finite(_matched(x, feature_names), "rows")
    if array.ndim == 1 and n_features == 1:
        array = array[:, None]
    if array.ndim != 2 or array.shape[1] != n_features:
        hint = "; a single row is written [[...]]" if array.ndim == 1 else ""
        raise ShapeError(f"expected rows of shape (N, {n_features}), found shape {array.shape}{hint}")
    return np.ascontiguousarray(array)


def _matched(x: Any, feature_names: Sequence[str] | None) -> Any:
    """Return the columns called `feature_names`, where `x` is a dataframe and there are names to go by."""
    if feature_names is None or isinstance(x, np.ndarray | list | tuple):
        return x
    import narwhals as nw

    frame = nw.from_native(x, eager_only=True, pass_through=True)
    if not isinstance(frame, nw.DataFrame):
        return x
    missing = [name for name in feature_names if name not in frame.columns]
    if missing:
        raise ColumnError(f"column(s) {missing} of the model are not in the data, which has {frame.columns}")
    return frame.select(list(feature_names)).to_numpy()


def positive_integer(value: object, name: str, least: int = 1) -> int:
    """Return `value` as an integer of at least `least`.

    Raises
    ------
    ParameterError
        When it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise ParameterError(f"{name}={value!r}: expected an integer of at least {least}")
    return int(value)


_UNITS = {
    **{"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12},
    **{"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40},
}


def memory_size(value: object, name: str, least: int) -> int:
    """Return a number of bytes, given as such or as a text like "500MB", "2GB" or "1.5GiB".

    Raises
    ------
    ParameterError
        When it is none, or less than `least`.
    """
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([KMGT]?I?B?)\s*", str(value).upper())
    unit = None if found is None or isinstance(value, bool) else _UNITS.get(found[2])
    if found is None or unit is None:
        raise ParameterError(f'{name}={value!r}: expected a number of bytes, or a size such as "500MB" or "2GB"')
    size = int(float(found[1]) * unit)
    if size < least:
        raise ParameterError(f"{name}={value!r}: expected at least {least / 1e6:.0f} MB, which a pass needs")
    return size


def positive_number(value: Any, name: str) -> float:
    """Return `value` as a finite float above zero.

    Raises
    ------
    ParameterError
        When it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 < value < np.inf:
        raise ParameterError(f"{name}={value!r}: expected a number above 0")
    return float(value)


def labels(values: object, n_components: int, name: str = "start") -> NDArray[np.int64]:
    """Return `values` as labels (rows,) in 0..K-1, every one of them present.

    Raises
    ------
    ParameterError
        When they are not integers in the range, or a label is never used.
    """
    array = np.asarray(values)
    if array.ndim != 1 or array.dtype.kind not in "iub":
        raise ParameterError(f"{name}: labels are one integer per row, found shape {array.shape}, {array.dtype}")
    if len(array) and (array.min() < 0 or array.max() >= n_components):
        raise ParameterError(
            f"{name}: labels must lie in 0..{n_components - 1} for {n_components} components, "
            f"found {array.min()}..{array.max()}"
        )
    unused = sorted(set(range(n_components)) - set(np.unique(array).tolist()))
    if unused:
        raise ParameterError(f"{name}: no row has label(s) {unused}; give every component a row or lower the number")
    return array.astype(np.int64)

"""Every exception and warning of gaussmix.

A message says what was found, what was expected, and what to do. The classes are few and follow what the
caller can do about it: repair the data (`DataError`), repair the call (`ParameterError`), get another model
file (`ModelFileError`), choose another place to write to (`FileWriteError`), or look after a cluster (`ClusterError`).
"""

from __future__ import annotations


class GaussmixError(Exception):
    """Base class of every error that gaussmix raises on purpose."""


class DataError(GaussmixError, ValueError):
    """The rows cannot be used as they are."""


class EmptyDataError(DataError):
    """There are no rows, or no columns, to work on."""


class NotNumericError(DataError):
    """A column holds something that is not a number."""


class MissingValuesError(DataError):
    """There are missing or infinite values among the features."""


class ColumnError(DataError):
    """A named column is absent, repeated or ambiguous."""


class ShapeError(DataError):
    """An array has the wrong number of dimensions, rows or columns."""


class WeightError(DataError):
    """Row weights are negative, not finite, or all zero."""


class ScaleError(DataError):
    """Values are too large or too close together for float64 arithmetic."""


class TooFewRowsError(DataError):
    """There are fewer distinct rows than the model needs."""


class SourceError(DataError):
    """A file or stream cannot be read as rows, or changed between two passes."""


class ParameterError(GaussmixError, ValueError):
    """An argument has a value that gaussmix cannot use."""


class ModelFileError(GaussmixError, ValueError):
    """A file is not a gaussmix model, is damaged, or comes from a newer release."""


class CheckpointError(GaussmixError, ValueError):
    """A checkpoint is of another call or of other data, is in use, or is no checkpoint."""


class StatisticsError(GaussmixError, ValueError):
    """Statistics are of another model, or cannot be added to each other."""


class FileWriteError(GaussmixError, OSError):
    """A file cannot be written where it was asked for."""


class ClusterError(GaussmixError, RuntimeError):
    """A cluster cannot be reached, lost its workers, or cannot do what was asked of it."""


class FitError(GaussmixError, RuntimeError):
    """No start led to a valid mixture."""


class GaussmixWarning(UserWarning):
    """Base class of every warning; each one names what to do."""


class DegenerateFitWarning(GaussmixWarning):
    """A component rests on too few rows, or on the regularization rather than on the data."""


class ConvergenceWarning(GaussmixWarning):
    """A fit stopped before its likelihood had settled."""


class DataWarning(GaussmixWarning):
    """The data are usable but probably not what was meant."""


class SlowKernelWarning(GaussmixWarning):
    """Compiled code is not available, so passes take several times longer than they should."""

"""scikit-learn's progress callbacks, where the installed version has them (1.9 and newer)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks  # pyright: ignore[reportAssignmentType]
except ImportError:  # an older release

    class CallbackSupportMixin:  # pyright: ignore[reportRedeclaration]
        """Stands in for scikit-learn's: there are no callbacks to support."""

    def with_callbacks(method: Any) -> Any:
        """Return the method as it is."""
        return method


Method = TypeVar("Method", bound=Callable[..., Any])

Attributes = Callable[[], dict[str, Any]]
"""Makes the fitted attributes that an estimator would have if the fit had stopped now."""

__all__ = ["CallbackSupportMixin", "Task", "ending_callbacks"]


def ending_callbacks(method: Method) -> Method:
    """Have the callbacks of an estimator torn down when this method of it ends, in whatever way."""
    return cast(Method, with_callbacks(method))


class Task:
    """A task of a fit, of which callbacks are told when it begins and ends; of nobody where there are no callbacks.

    Parameters
    ----------
    estimator : estimator
        Whose fit it is.
    context : CallbackContext or None
        scikit-learn's place of the task in the tree of tasks.
    told : dict
        The rows (`X`) and `metadata` of the fit.
    """

    def __init__(self, estimator: Any, context: Any, told: dict[str, Any]) -> None:
        self._estimator = estimator
        self._context = context
        self._told = told
        if context is not None:
            context.call_on_fit_task_begin(estimator=estimator, **told)

    @classmethod
    def fit(cls, estimator: Any, n_subtasks: int | None, x: Any, sample_weight: Any) -> Task:
        """Begin the fit of an estimator, which has so many subtasks; None where that is not known."""
        prepare = getattr(estimator, "_init_callback_context", None)
        context = None if prepare is None else prepare(max_subtasks=n_subtasks)
        return cls(estimator, context, {"X": x, "metadata": {"sample_weight": sample_weight}})

    def begin(self, name: str, n_subtasks: int = 0) -> Task:
        """Begin a subtask."""
        context = None if self._context is None else self._context.subcontext(name, max_subtasks=n_subtasks)
        return Task(self._estimator, context, self._told)

    def end(self, attributes: Attributes | None = None) -> bool:
        """End the task; say whether a callback asks for the subtasks around it to stop."""
        if self._context is None:
            return False
        return bool(
            self._context.call_on_fit_task_end(
                estimator=self._estimator, reconstruction_attributes=attributes, **self._told
            )
        )

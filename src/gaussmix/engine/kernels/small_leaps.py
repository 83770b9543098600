"""The course of a small climb, and leaps over many of its passes, compiled.

`fitting.stopping` and `fitting.acceleration` are the specification, and have the reasons.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gaussmix._linalg import Array
from gaussmix.engine.kernels.compiling import inner

# The limits of `fitting.acceleration`, which this room does not know; a test compares them.
GENTLE, WORTH, LONG, FIRST_CAP, GROWTH = 1e-3, 6.0, 3.0, 4.0, 4.0
CALM, CALM_SHARE, CALM_MOST = 2, 10, 20  # of `fitting.stopping`
NOISE = 4.0 * float(np.finfo(np.float64).eps)
_BENEFIT_OF_DOUBT = 10.0


class Course(NamedTuple):
    """Where a climb stands: gains are per unit of weight, and `length` is above 1 while a leap is tried.

    Since the last leap or fall-back `steps` have been made in the cycle of three; of all `passes` that were not
    failed leaps the last `calm` met the rule.
    """

    best: float
    gain: float
    remaining: float
    rate: float
    cap: float
    length: float
    steps: int
    calm: int
    passes: int
    leapt: bool
    doubtful: bool


@inner
def begin(made: int) -> Course:
    """Return the course of a climb that begins, or goes on after so many passes, among them leaps."""
    return Course(-np.inf, 0.0, np.inf, 0.0, FIRST_CAP, 1.0, 0, 0, made, made > 0, False)


@inner
def failed(course: Course) -> Course:
    """Go on after a leap that fell short of where it began."""
    best, gain, remaining, rate, cap = course.best, course.gain, course.remaining, course.rate, course.cap
    doubtful = course.doubtful and cap > FIRST_CAP
    cap = max(1.0, cap / GROWTH)
    return Course(best, gain, remaining, rate, cap, 1.0, 0, course.calm, course.passes, course.leapt, doubtful)


@inner
def followed(course: Course, objective: float, scalars: Array, tol: float) -> Course:
    """Take in the objective of a mixture that an M-step, or a leap, has led to."""
    gain, passes = (objective - course.best) / scalars[2], course.passes + 1
    if course.length > 1.0 or course.best == -np.inf:
        cap = course.cap * (GROWTH if course.length == course.cap else 1.0)
        leapt = course.leapt or course.length > 1.0
        doubtful = course.length > LONG and gain >= tol
        return Course(objective, 0.0, np.inf, course.rate, cap, 1.0, course.steps, 0, passes, leapt, doubtful)
    remaining = np.inf
    if gain <= NOISE * scalars[1] / scalars[2]:
        remaining = 0.0
    elif gain < course.gain:
        rate = max(course.rate, gain / course.gain)
        remaining = gain * rate / (1.0 - rate)
    calm = course.calm + 1 if max(gain, remaining) < tol else 0
    rate, cap, leapt = course.rate, course.cap, course.leapt
    return Course(objective, gain, remaining, rate, cap, 1.0, course.steps, calm, passes, leapt, course.doubtful)


@inner
def over(course: Course, weight: float, bar: float) -> bool:
    """Whether the rule is met, or the bar out of reach."""
    hiding = course.leapt and course.remaining > 0.0
    settled = course.calm >= (max(CALM, min(course.passes // CALM_SHARE, CALM_MOST)) if hiding else CALM)
    settled = settled and not course.doubtful
    return settled or course.best + _BENEFIT_OF_DOUBT * course.remaining * weight < bar


@inner
def aimed(course: Course, stretched: float, tol: float, allowed: bool) -> Course:
    """End a cycle of three passes: with a leap, where EM is slow or there is doubt that it has settled."""
    rate = (1.0 - 1.0 / stretched) ** 2 if stretched > 1.0 else 0.0
    wanted = course.doubtful if course.calm >= 2 else course.calm == 0 and slow(course.gain, course.remaining, tol)
    wanted = wanted and allowed
    length = max(1.0, min(stretched, course.cap)) if wanted else 1.0
    best, gain, remaining, cap = course.best, course.gain, course.remaining, course.cap
    doubtful = course.doubtful and not (wanted and length == 1.0)
    return Course(best, gain, remaining, rate, cap, length, 0, course.calm, course.passes, course.leapt, doubtful)


@inner
def stepped(course: Course) -> Course:
    """Make an M-step; where a leap was to be made and could not, there is no use in doubting any longer."""
    doubtful = course.doubtful and course.length == 1.0
    best, gain, remaining, rate, cap = course.best, course.gain, course.remaining, course.rate, course.cap
    steps, calm, passes, leapt = course.steps + 1, course.calm, course.passes, course.leapt
    return Course(best, gain, remaining, rate, cap, 1.0, steps, calm, passes, leapt, doubtful)


@inner
def slow(gain: float, remaining: float, tol: float) -> bool:
    """Whether EM is near an optimum and has many passes left; all per unit of weight."""
    if not (0.0 < gain < GENTLE and 0.0 < remaining < np.inf):
        return False
    return np.log(tol / max(gain, remaining)) / np.log(remaining / (remaining + gain)) > WORTH


@inner
def remember(totals: Array, centres: Array, step: int, anchor: Array, history: Array) -> None:
    """Keep the totals of a pass, about the means at the first step of the cycle."""
    n_components, n_features = centres.shape
    for k in range(n_components):
        mass = totals[k, 0]
        history[step, k, 0] = mass
        at = n_features + 1
        for i in range(n_features):
            if step == 0:
                anchor[k, i] = centres[k, i]
            offset = centres[k, i] - anchor[k, i]
            history[step, k, 1 + i] = totals[k, 1 + i] + mass * offset
            for j in range(i + 1):
                other = centres[k, j] - anchor[k, j]
                crossed = totals[k, 1 + i] * other + totals[k, 1 + j] * offset + mass * offset * other
                history[step, k, at + j] = totals[k, at + j] + crossed
            at += i + 1


@inner
def stretch(spreads: Array, history: Array) -> float:
    """How many of EM's steps one leap is worth: |r| / |v|."""
    n_components, n_features = history.shape[1], spreads.shape[0]
    steps, turns = 0.0, 0.0
    for k in range(n_components):
        place = 0
        for i in range(n_features + 1):
            for j in range(n_features + 1 if i == 0 else i):
                # First mass and means, then second moments row by row.
                row = j if i == 0 else i
                unit = spreads[row - 1] if row > 0 else 1.0
                unit *= spreads[j] if i > 0 else 1.0
                step = (history[1, k, place] - history[0, k, place]) / unit
                turn = (history[2, k, place] - history[1, k, place]) / unit - step
                steps += step * step
                turns += turn * turn
                place += 1
    return np.sqrt(steps / turns) if turns > 0.0 else 1.0


@inner
def extrapolate(length: float, history: Array) -> None:
    """Replace the first totals of the history by S_0 + 2 a r + a^2 v."""
    for k in range(history.shape[1]):
        for place in range(history.shape[2]):
            step = history[1, k, place] - history[0, k, place]
            turn = history[2, k, place] - history[1, k, place] - step
            history[0, k, place] += 2.0 * length * step + length * length * turn

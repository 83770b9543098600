"""Races of many starts over a small problem, in one compiled call."""

from __future__ import annotations

from numba import boolean, float64, int64, types

from gaussmix._linalg import Array, Integers
from gaussmix.engine.kernels import small, small_expectation, small_families
from gaussmix.engine.kernels.compiling import Unit, inner
from gaussmix.engine.kernels.endings import FELL, GOING, UNABLE
from gaussmix.engine.kernels.small import Problem, Rule

Stacked = tuple[Array, Array, Array]
"""Of every start, one after another, what `small.climb` takes or gives of one."""

_SIGNATURE = types.void(
    types.FunctionType(small.SIGNATURE),
    *(types.FunctionType(small_expectation.SIGNATURE), types.FunctionType(small_families.SIGNATURE)),
    *(float64[:, ::1], float64[::1], float64[::1], float64),
    *(int64[:, ::1], float64[:, ::1], boolean[::1], boolean[::1]),
    *(float64[::1], int64[::1], int64[::1], float64[::1], boolean[::1], boolean[::1]),
)


def _run(
    climb: Unit,
    expectation: Unit,
    estimate: Unit,
    rows: Array,
    weights: Array,
    spreads: Array,
    log_jacobian: float,
    sizes: Integers,
    numbers: Array,
    from_groups: Array,
    favourites: Array,
    room: Array,
    made: Integers,
    endings: Integers,
    remaining: Array,
    survived: Array,
    over: Array,
) -> None:
    """Run races one after the other, all of them with one E-step and M-step.

    Parameters not explained are those of `small.climb` and its problem. Of R races, of S starts together.

    Parameters
    ----------
    sizes : array (R, 9)
        Starts, components, passes, passes of the first heat, how many survive it beside the favourites; codes of the
        letters; whether to leap.
    numbers : array (R, 4 + D)
        `tol`, `bar`, strength, least mass and reference.
    from_groups, favourites : arrays (S,)
        Which starts are groups; who goes on however far behind.
    room : array
        Of one race after the other: mixtures, the best evaluated, their sums (as `small.climb` has them, stacked) and
        the objectives (starts, passes).
    made, endings, remaining : arrays (S,)
        Overwritten by the passes that each made, how it ended, and what was left to gain.
    survived : array (S,)
        Overwritten by who went on.
    over : array (R,)
        Overwritten by whether it came to that: not where a start of the first heat needs the general code.
    """
    first, place, d = 0, 0, rows.shape[0]
    for race in range(sizes.shape[0]):
        n, k, passes = sizes[race, 0], sizes[race, 1], sizes[race, 2]
        last, p = first + n, 1 + d + d * (d + 1) // 2
        mixtures, place = _mixtures(room, place, n, k, d)
        evaluated, place = _mixtures(room, place, n, k, d)
        totals, place = room[place : place + n * k * p].reshape((n, k, p)), place + n * k * p
        kish, place = room[place : place + n * k].reshape((n, k)), place + n * k
        scalars, place = room[place : place + n * 3].reshape((n, 3)), place + n * 3
        objectives, place = room[place : place + n * passes].reshape((n, passes)), place + n * passes
        letters = sizes[race, 5], sizes[race, 6], sizes[race, 7]
        mine = numbers[race]
        over[race] = _race(
            climb,
            expectation,
            estimate,
            (rows, weights, spreads, letters, mine[2], mine[4:], log_jacobian, mine[3]),
            (sizes[race, 8] == 1, mine[0], mine[1], 0),
            from_groups[first:last],
            favourites[first:last],
            sizes[race, 3],
            sizes[race, 4],
            mixtures,
            evaluated,
            (totals, kish, scalars),
            objectives,
            made[first:last],
            endings[first:last],
            remaining[first:last],
            survived[first:last],
        )
        first = last


run = Unit(_run, _SIGNATURE)


@inner
def _mixtures(room: Array, place: int, n: int, k: int, d: int) -> tuple[Stacked, int]:
    """Return weights, means and factors of n mixtures, and where in the room they end."""
    means, factors = place + n * k, place + n * k + n * k * d
    end = factors + n * k * d * d
    return (
        room[place:means].reshape((n, k)),
        room[means:factors].reshape((n, k, d)),
        room[factors:end].reshape((n, k, d, d)),
    ), end


@inner
def _race(
    climb: Unit,
    expectation: Unit,
    estimate: Unit,
    problem: Problem,
    rule: Rule,
    from_groups: Array,
    favourites: Array,
    heat_passes: int,
    surviving: int,
    mixtures: Stacked,
    evaluated: Stacked,
    sums: Stacked,
    objectives: Array,
    made: Integers,
    endings: Integers,
    remaining: Array,
    survived: Array,
) -> bool:
    """Climb a little from every start, then from the best and the favourites on; say whether it came to that.

    It does not where a start of the first heat needs the general code. Parameters not explained are those of
    `small.climb`; of S starts, stacked.

    Parameters
    ----------
    climb : Unit
        `small.climb`.
    favourites : array (S,)
        Who goes on however far behind.
    heat_passes, surviving : int
        Passes of the first heat; how many go on beside the favourites.
    objectives : array (S, passes)
        Overwritten by the objective at every pass; as many as those are given that go on.
    made, endings, remaining : arrays (S,)
        Overwritten by the passes that each made, how it ended, and what was left to gain.
    survived : array (S,)
        Overwritten by who went on.
    """
    for s in range(from_groups.shape[0]):
        made[s], endings[s], remaining[s] = climb(
            expectation,
            estimate,
            problem,
            rule,
            from_groups[s],
            (mixtures[0][s], mixtures[1][s], mixtures[2][s]),
            (evaluated[0][s], evaluated[1][s], evaluated[2][s]),
            (sums[0][s], sums[1][s], sums[2][s]),
            objectives[s][:heat_passes],
        )
    if not _choose(surviving, favourites, objectives, made, endings, survived):
        return False
    for s in range(from_groups.shape[0]):
        if survived[s]:
            # The last pass of the heat is seen again, as the first of what follows.
            before = made[s] - 1
            _begin_again(s, evaluated, mixtures)
            further, endings[s], remaining[s] = climb(
                expectation,
                estimate,
                problem,
                (rule[0], rule[1], rule[2], before),
                False,
                (mixtures[0][s], mixtures[1][s], mixtures[2][s]),
                (evaluated[0][s], evaluated[1][s], evaluated[2][s]),
                (sums[0][s], sums[1][s], sums[2][s]),
                objectives[s][before:],
            )
            made[s] = before + further
    return True


@inner
def _choose(
    surviving: int, favourites: Array, objectives: Array, made: Integers, endings: Integers, survived: Array
) -> bool:
    """Fill in who goes on, the best first among equals; say whether all of them are for compiled code to judge."""
    for s in range(made.shape[0]):
        survived[s] = favourites[s] and endings[s] == GOING
        if endings[s] == UNABLE or endings[s] == FELL:
            return False
    for s in range(made.shape[0]):
        if endings[s] == GOING:
            ahead = 0
            for other in range(made.shape[0]):
                if endings[other] == GOING:
                    mine, theirs = objectives[s, made[s] - 1], objectives[other, made[other] - 1]
                    if theirs > mine or (theirs == mine and other < s):
                        ahead += 1
            survived[s] = survived[s] or ahead < surviving
    return True


@inner
def _begin_again(s: int, evaluated: Stacked, mixtures: Stacked) -> None:
    n_components, n_features = mixtures[1].shape[1:]
    for k in range(n_components):
        mixtures[0][s, k] = evaluated[0][s, k]
        for i in range(n_features):
            mixtures[1][s, k, i] = evaluated[1][s, k, i]
            for j in range(n_features):
                mixtures[2][s, k, i, j] = evaluated[2][s, k, i, j]

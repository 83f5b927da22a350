"""Random starts of a split-plot search: every run allowed, plots with settings in common."""

from collections.abc import Sequence

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.designs.split_plot.exchange import Problem

_N_TRIED = 12


def random_starts(problem: Problem, n_starts: int, *, rng: np.random.Generator) -> FloatArray:
    """Return allowed settings of every run, shape ``(n_starts, n_runs, n_factors)``.

    Plots and runs are filled from the outside in. With constraints, each takes what it may set from
    an allowed run if that fits what is set already, and otherwise stays as the run of its plot.
    """
    names, layout = problem.coordinates.space.names, problem.layout
    whole = [names.index(name) for name in problem.strata.whole]
    sub = [names.index(name) for name in problem.strata.sub]
    free = [place for place in range(len(names)) if place not in whole]
    starts = _drawn(problem, n_starts, int(layout.whole.max()) + 1, rng=rng)
    holders: IntArray = layout.whole
    if layout.sub is not None:
        first = np.unique(layout.sub, return_index=True)[1]
        starts = _varied(problem, starts[:, layout.whole[first]], free, rng=rng)
        holders = layout.sub
        free = [place for place in free if place not in sub]
    return _varied(problem, starts[:, holders], free, rng=rng)


def redrawn_runs(problem: Problem, settings: FloatArray, *, rng: np.random.Generator) -> FloatArray:
    """Return settings ``(n_starts, n_runs, n_factors)`` with all easy factors drawn anew."""
    names = problem.coordinates.space.names
    return _varied(problem, settings, [names.index(n) for n in problem.strata.run], rng=rng)


def _varied(
    problem: Problem, settings: FloatArray, free: Sequence[int], *, rng: np.random.Generator
) -> FloatArray:
    """Return settings with the free factors drawn anew wherever that is allowed."""
    coordinates = problem.coordinates
    varied = settings.copy()
    if not free:
        return varied
    waiting = np.ones(settings.shape[:2], dtype=np.bool_)
    for _ in range(_N_TRIED):
        drawn = _drawn(problem, *settings.shape[:2], rng=rng)
        tried = settings.copy()
        tried[..., list(free)] = drawn[..., list(free)]
        fits = waiting & coordinates.allowed(tried, free, coordinates.within(free))
        fits &= np.isfinite(problem.model.rows(tried)).all(axis=-1)
        varied[fits] = tried[fits]
        waiting &= ~fits
        if not waiting.any():
            break
    return varied


def _drawn(problem: Problem, n_starts: int, count: int, *, rng: np.random.Generator) -> FloatArray:
    coordinates = problem.coordinates
    # An expression, too, may be undefined for some settings; the pool has none of these.
    if coordinates.space.all_constraints or problem.model.expressions:
        drawn = coordinates.pool[rng.integers(len(coordinates.pool), size=n_starts * count)]
    else:
        drawn = coordinates.random(n_starts * count, rng=rng)
    return drawn.reshape(n_starts, count, -1)

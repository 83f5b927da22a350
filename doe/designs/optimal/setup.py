"""From what was asked for to a problem that can be searched; everything is checked here."""

from collections.abc import Sequence

import numpy as np

from doe.arrays import FloatArray
from doe.designs.optimal.candidates import candidate_pool
from doe.designs.optimal.costs import CompiledCost
from doe.designs.optimal.estimability import check_estimable
from doe.designs.optimal.points import PointSpace
from doe.designs.optimal.problem import Problem, Slots
from doe.designs.optimal.requests import Criterion, Request
from doe.designs.optimal.rows import ModelRows
from doe.designs.optimal.slots import make_slots
from doe.errors import DesignError, TooFewRunsError
from doe.evaluation.moments import average_moments
from doe.factors import CategoricalFactor
from doe.terms import Terms, model_matrix

# DuMouchel and Jones: a potential term is as likely to matter as one standard deviation of a run.
PRIOR_SD = 1.0


def make_problem(request: Request, *, rng: np.random.Generator) -> Problem:
    """Return the problem to search.

    Raises:
        TooFewRunsError: If there are fewer runs than terms.
        DesignError: If terms cannot be estimated in this space, or the runs do not fit.
        InfeasibleSpaceError: If no allowed settings can be found.
    """
    space = request.space
    points = PointSpace(space)
    slots = make_slots(
        points.points_of(request.include),
        centre_points(points, request.centre_points, rng=rng),
        n_runs=request.n_runs,
        n_different=_n_needed(request) - len(request.keep),
        replicates=request.replicates,
        block_sizes=request.block_sizes or (request.n_runs,),
    )
    _check_number_of_runs(request, slots)
    model = ModelRows(_all_terms(request), space)
    n_levels = np.maximum(3, model.highest_power + 1)
    pool = candidate_pool(points, n_levels, 5 * len(model.columns), rng=rng)
    kept = model_matrix(_all_terms(request), request.keep, space).to_numpy()
    n_primary = len(ModelRows(request.terms, space).columns)
    names = [column.name for column in model.columns]
    _check_terms(np.vstack([model(pool), kept])[:, :n_primary], names, len(kept))
    basis, prior = _basis(model(pool), kept, n_primary)
    contrasts = _contrasts(request)
    moments = average_moments(request.terms, space, rng=rng)
    moments = basis[:n_primary, :n_primary].T @ moments @ basis[:n_primary, :n_primary]
    return Problem(
        points,
        model,
        basis,
        contrasts[request.n_kept_blocks :],
        _base(request, kept @ basis, prior, contrasts),
        prior,
        moments,
        len(kept),
        _loading(request.criterion, basis, moments, contrasts.shape[1]),
        slots,
        pool,
        _cost(request, points, pool),
        request.budget,
        by_largest_variance=request.criterion == "G",
    )


def _cost(request: Request, points: PointSpace, pool: FloatArray) -> CompiledCost | None:
    if request.cost is None:
        return None
    cost = CompiledCost(request.cost, points)
    # What is no cost somewhere is refused before the search.
    cost(pool)
    return cost


def _all_terms(request: Request) -> Terms:
    if request.potential is None:
        return request.terms
    more = [term for term in request.potential.terms if term not in request.terms.terms]
    formula = f"{request.terms.formula} and perhaps {request.potential.formula}"
    return Terms(formula, (*request.terms.terms, *more))


def _n_needed(request: Request) -> int:
    """Return how many different runs the terms and the differences of blocks need."""
    n_blocks = len(request.block_sizes) + request.n_kept_blocks
    return len(ModelRows(request.terms, request.space).columns) + max(0, n_blocks - 1)


def _check_number_of_runs(request: Request, slots: Slots) -> None:
    n_terms = len(ModelRows(request.terms, request.space).columns)
    n_kept, needed = len(request.keep), _n_needed(request)
    n_fixed = len(np.unique(np.round(slots.fixed[~slots.is_free], 9), axis=0))
    n_repeated = int((~slots.is_free).sum()) - n_fixed
    missing = needed - (n_fixed + int(slots.is_free.sum()) + n_kept)
    if missing <= 0:
        return
    kept = f" with the {n_kept} that are kept" if n_kept else ""
    n_same = request.n_runs - n_fixed - int(slots.is_free.sum())
    repeats = f", of which {n_same} repeat others," if n_same else ""
    blocks = f" and {needed - n_terms} differences of blocks" if needed > n_terms else ""
    # Fewer repeats leave more runs that differ; the first centre run is one of these.
    fewer = [
        f"ask for at most {count - missing} {what}"
        for what, count, spare in (
            ("replicates", request.replicates, n_same - n_repeated),
            ("centre points", request.centre_points, n_repeated),
        )
        if missing <= min(count, spare)
    ]
    raise TooFewRunsError(
        f"{request.n_runs} runs{repeats}{kept} cannot estimate {n_terms} terms{blocks}: add "
        f"{missing} runs, {', '.join(fewer)}{', ' if fewer else ''}or drop terms."
    )


def _check_terms(rows: FloatArray, names: Sequence[str], n_kept: int) -> None:
    what = "This factor space" + (f", with the {n_kept} runs kept," if n_kept else "")
    check_estimable(rows, names[: rows.shape[1]], what)


def _basis(rows: FloatArray, kept: FloatArray, n_primary: int) -> tuple[FloatArray, FloatArray]:
    """Return a basis in which the primary terms are orthogonal in the pool, and the prior in it.

    Potential terms lose what primary ones explain and are scaled to a range of 1, so that one prior
    suits all of them.

    Source:
        DuMouchel and Jones (1994), Technometrics 36, 37-47, section 2.
    """
    n_terms = rows.shape[1]
    both = np.vstack([rows, kept])
    triangle = np.linalg.qr(both[:, :n_primary] / np.sqrt(len(both)), mode="r")
    basis, prior = np.eye(n_terms), np.zeros((n_terms, n_terms))
    basis[:n_primary, :n_primary] = np.linalg.inv(triangle)
    if n_terms > n_primary:
        primary, potential = rows[:, :n_primary], rows[:, n_primary:]
        explained = np.linalg.lstsq(primary, potential, rcond=None)[0]
        ranges = np.ptp(potential - primary @ explained, axis=0)
        # A potential term that primary ones explain wholly has nothing left to learn.
        ranges = np.where(ranges > 1e-9, ranges, np.inf)
        basis[:n_primary, n_primary:] = -explained / ranges
        basis[n_primary:, n_primary:] = np.diag(1.0 / ranges)
        prior[n_primary:, n_primary:] = np.eye(n_terms - n_primary) / PRIOR_SD**2
    return basis, prior


def _contrasts(request: Request) -> FloatArray:
    """Return a row per block, kept ones first, that sums to zero over the blocks."""
    n_blocks = request.n_kept_blocks + max(1, len(request.block_sizes))
    return np.vstack([np.eye(n_blocks - 1), -np.ones((1, n_blocks - 1))])


def _base(
    request: Request, kept: FloatArray, prior: FloatArray, contrasts: FloatArray
) -> FloatArray:
    """Return the information of the prior and of kept rows in the basis, blocks last."""
    blocks = request.keep_blocks if request.block_sizes else np.zeros(len(kept), dtype=np.int64)
    rows = np.hstack([kept, contrasts[blocks]])
    base: FloatArray = rows.T @ rows
    base[: len(prior), : len(prior)] += prior
    return base


def _loading(
    criterion: Criterion, basis: FloatArray, moments: FloatArray, n_contrasts: int
) -> FloatArray | None:
    # A D-optimal design is where the search for G begins: with weights on runs they are the same.
    if criterion in ("D", "bayesian D", "G"):
        return None
    if criterion == "A":
        loading = basis.T
    else:
        sizes, vectors = np.linalg.eigh(moments)
        loading = vectors * np.sqrt(np.maximum(sizes, 0.0))
    return np.vstack([loading, np.zeros((n_contrasts, loading.shape[1]))])


def centre_points(points: PointSpace, count: int, *, rng: np.random.Generator) -> FloatArray:
    """Return so many centre runs, shape ``(count, n_factors)``.

    Factors stand at the middle of their ranges, or what is allowed nearest to it; with a mixture or
    where that is not allowed, at the middle of the allowed region. Levels of categorical factors
    take turns.

    Raises:
        DesignError: If no factor has a middle.
    """
    if count == 0:
        return np.zeros((0, len(points.low)))
    searched = points.space.searched
    if all(isinstance(factor, CategoricalFactor) for factor in searched):
        raise DesignError(
            f"None of the factors {list(points.space.names)} has a middle, so that there are no "
            "centre runs: set centre_points=0, and replicates if pure error is wanted."
        )
    runs = np.tile((points.low + points.high) / 2, (count, 1))
    counts = [len(f.levels) for f in searched if isinstance(f, CategoricalFactor)]
    if counts:
        turns = np.unravel_index(np.arange(count) % int(np.prod(counts)), counts[::-1])
        runs[:, points.is_category] = np.array(turns[::-1]).T
    runs = points.snapped(runs)
    if points.allows(runs).all():
        return runs
    draws = points.points_of(points.space.sample(1_000, rng=rng))
    middle = np.where(points.is_category, draws[0], draws.mean(axis=0))
    nearest = points.space.project(points.settings_of(middle[None]))
    return np.repeat(points.points_of(nearest), count, axis=0)

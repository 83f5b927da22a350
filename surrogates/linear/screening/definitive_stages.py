"""The two stages of the analysis of a definitive screening design."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np
from scipy import special

from doe.arrays import FloatArray
from doe.errors import InvalidValueError
from doe.factors import CategoricalFactor, DiscreteFactor, MixtureComponent
from doe.terms import Term, model_columns, model_matrix
from surrogates.linear.model import LinearModel
from surrogates.linear.screening.definitive_analysis import (
    DefinitiveAnalysis,
    DefinitiveStep,
    Heredity,
    NoiseFrom,
    check_pairs,
    level_for,
    std_of,
)
from surrogates.linear.screening.mirror_pairs import MirrorPairs, mirror_pairs
from surrogates.linear.screening.selection import OPTIMISM
from surrogates.linear.screening.selection_search import TIE
from surrogates.linear.screening.subsets import RANK_TOLERANCE, Subsets
from surrogates.linear.solution import solve
from surrogates.linear.term_formulas import sort_key, terms_from
from surrogates.linear.wording import counted

# More sets of one size than this are not all tried; the best smaller set is then extended.
MAX_SETS = 100_000
# Squares below this share of all are rounding.
EXACT = 1e-20


@dataclass(frozen=True, slots=True)
class _Noise:
    """A sum of squares that measures the noise."""

    squares: float
    degrees: int

    @property
    def variance(self) -> float:
        return self.squares / self.degrees if self.degrees else float("nan")


@dataclass(frozen=True, eq=False)
class _Main:
    """What the first stage found."""

    active: tuple[str, ...]
    clean: _Noise
    pooled: _Noise
    source: str
    steps: tuple[DefinitiveStep, ...]


@dataclass(frozen=True, slots=True)
class Levels:
    """How it is decided what is active; see ``analyse_definitive_screening``."""

    heredity: Heredity
    noise: NoiseFrom
    main: float | None
    second: float


def analyse(main: LinearModel, levels: Levels) -> DefinitiveAnalysis:
    """Return what both stages say; see ``analyse_definitive_screening``."""
    names, columns = _main_columns(main)
    split = mirror_pairs(main, columns)
    runs = main.rows.runs
    check_pairs(len(split.pairs), len(names), [runs[row] for row in split.unpaired])
    half = (columns[[a for a, _ in split.pairs]] - columns[[b for _, b in split.pairs]]) / 2
    first = _first_stage(names, half, split, main, levels)
    candidates = _candidates(main, first.active, levels.heredity)
    chosen, steps, notes = _second_stage(main, candidates, split, first, levels.second)
    factors = dict.fromkeys([*first.active, *(n for term in chosen for n in term.factors)])
    mains = [Term(((name, 1),)) for name in main.space.names if name in factors]
    terms = terms_from([Term(), *mains, *chosen], main.space)
    added = [name for name in factors if name not in first.active]
    doubts = _doubts(main, split, first)
    return DefinitiveAnalysis(
        response=main.response,
        heredity=levels.heredity,
        main_effects=first.active,
        second_order=tuple(term.name for term in chosen),
        main_std=std_of(first.clean.squares, first.clean.degrees),
        main_degrees=first.clean.degrees,
        noise_std=std_of(first.pooled.squares, first.pooled.degrees),
        noise_degrees=first.pooled.degrees,
        noise_source=first.source,
        steps=(*first.steps, *steps),
        terms=terms,
        model=main.refit(terms),
        notes=(*doubts, *_notes(main, split, added), *notes),
        doubt=" ".join(doubts),
    )


def _main_columns(main: LinearModel) -> tuple[list[str], FloatArray]:
    places = main.term_places()
    for factor in main.space.searched:
        several = len(places.get(factor.name, ())) != 1
        if several or isinstance(factor, MixtureComponent):
            raise InvalidValueError(
                f"Factor '{factor.name}' has no single main-effect column here; definitive "
                "screening takes continuous factors and factors with two levels that can be told "
                "apart: use select_terms."
            )
    names = list(main.space.names)
    matrix = main.matrix.to_numpy(dtype=np.float64)
    return names, matrix[:, [places[name][0] for name in names]]


def _first_stage(
    names: list[str], half: FloatArray, split: MirrorPairs, main: LinearModel, levels: Levels
) -> _Main:
    """Test the main effects on the half differences of pairs."""
    estimates, inverse = _fit(half, split.odd)
    clean, source = _clean_noise(half, split)
    order = _by_size(names, estimates / np.sqrt(inverse))
    if levels.noise == "residual":
        clean = _Noise(main.solution.rss, main.degrees)
        source = f"{counted(main.degrees, 'degree of freedom')} of what the main effects leave"
    elif not clean.degrees or clean.squares <= EXACT * float(split.odd @ split.odd):
        return _without_noise(names, estimates, half, split, order)
    # A half difference has half the variance of a run.
    deviations = np.sqrt(clean.variance * inverse / 2)
    limit = level_for(clean.degrees, levels.main)
    steps, active = [], []
    for i in order:
        estimate, t = float(estimates[i]), float(estimates[i] / deviations[i])
        p = float(2 * special.stdtr(clean.degrees, -abs(t)))
        active += [names[i]] if p <= limit else []
        decision = f"{'active' if p <= limit else 'not seen'} (p limit {limit:g})"
        tested = (1, clean.degrees)
        steps.append(DefinitiveStep("main effects", names[i], estimate, t, tested, p, decision))
    pure = _Noise(*split.pure_error())
    pooled = _pooled(half, split, pure, [names.index(name) for name in active])
    return _Main(tuple(active), clean, pooled, source, tuple(steps))


def _clean_noise(half: FloatArray, split: MirrorPairs) -> tuple[_Noise, str]:
    """Return the noise that no second-order effect touches, and where it comes from."""
    fake = _Noise(2 * _left(half, split.odd), len(half) - half.shape[1])
    pure = _Noise(*split.pure_error())
    sources = [
        f"{counted(noise.degrees, 'degree of freedom')} of {what}"
        for noise, what in ((fake, "fake factors"), (pure, "repeats"))
        if noise.degrees
    ]
    whole = _Noise(fake.squares + pure.squares, fake.degrees + pure.degrees)
    return whole, " and ".join(sources)


def _by_size(names: list[str], scores: FloatArray) -> list[int]:
    """Return the places of effects, largest first, equals in the order of their names."""
    return sorted(range(len(names)), key=lambda i: (-round(abs(float(scores[i])), 9), names[i]))


def _without_noise(
    names: list[str],
    estimates: FloatArray,
    half: FloatArray,
    split: MirrorPairs,
    order: list[int],
) -> _Main:
    """Test the largest main effects, one more each time, against the others."""
    pure = _Noise(0.0, 0)
    tests = []
    for count in range(1, len(order)):
        kept = order[:count]
        noise = _pooled(half, split, pure, kept)
        without = 2 * _left(half[:, kept[:-1]], split.odd)
        f = max(without - noise.squares, 0.0) / noise.variance if noise.squares > 0 else np.inf
        tests.append((float(special.fdtrc(1, noise.degrees, f)), count, float(f), noise))
    best = min(tests, key=lambda test: (test[0], test[1]))[1]
    steps = tuple(
        DefinitiveStep(
            "main effects",
            names[order[count - 1]],
            float(estimates[order[count - 1]]),
            float(np.sign(estimates[order[count - 1]]) * np.sqrt(f)),
            (1, noise.degrees),
            p,
            "active" if count <= best else "not seen (the smallest p is at fewer effects)",
        )
        for p, count, f, noise in tests
    )
    active = tuple(names[i] for i in order[:best])
    noise = _pooled(half, split, pure, order[:best])
    source = f"the {len(names) - best} smallest main effects, as nothing else measures it"
    return _Main(active, noise, noise, source, steps)


def _pooled(half: FloatArray, split: MirrorPairs, pure: _Noise, kept: Sequence[int]) -> _Noise:
    left = 2 * _left(half[:, list(kept)], split.odd)
    return _Noise(left + pure.squares, len(half) - len(kept) + pure.degrees)


def _candidates(main: LinearModel, active: Sequence[str], heredity: Heredity) -> list[Term]:
    """Return the second-order terms that heredity allows, squares first."""
    curved = [
        f.name
        for f in main.space.searched
        if not isinstance(f, CategoricalFactor)
        and not (isinstance(f, DiscreteFactor) and len(f.levels) == 2)
    ]
    names = main.space.names
    squares = [name for name in curved if heredity == "none" or name in active]
    pairs = [
        pair
        for pair in combinations(names, 2)
        if heredity == "none"
        or sum(name in active for name in pair) >= (2 if heredity == "strong" else 1)
    ]
    terms = [Term(((name, 2),)) for name in squares]
    return terms + [Term(((one, 1), (other, 1))) for one, other in pairs]


def _second_stage(
    main: LinearModel,
    candidates: list[Term],
    split: MirrorPairs,
    first: _Main,
    level: float,
) -> tuple[tuple[Term, ...], list[DefinitiveStep], list[str]]:
    """Take the best set of one, two, ... second-order terms until the rest is noise."""
    subsets = _even_subsets(main, candidates, split)
    pure_squares, pure_degrees = split.pure_error()
    free = subsets.n_runs - subsets.n_always - pure_degrees
    most = min(max(free // 2, 1), len(candidates))
    steps: list[DefinitiveStep] = []
    notes: list[str] = []
    chosen: tuple[Term, ...] = ()
    rest = subsets.total
    while True:
        degrees = free - len(chosen)
        left = max(rest - pure_squares, 0.0)
        f, p = _f_test(left if left > EXACT * subsets.total else 0.0, degrees, first.pooled)
        reason = _stop(p, level, len(chosen), most, degrees)
        found = None if reason else _best_set(subsets, candidates, chosen, notes)
        if not reason and found is None:
            reason = "stop: no other effect can be told apart from these in these runs"
        what = ", ".join(term.name for term in chosen) or "no second-order effect"
        tested = (degrees, first.pooled.degrees)
        decision = reason or "more is left than noise: one more effect"
        steps.append(DefinitiveStep("second order", what, None, f, tested, p, decision))
        if found is None:
            return chosen, steps, notes
        chosen, rest = found


def _stop(p: float, level: float, size: int, most: int, degrees: int) -> str:
    """Return why the search ends here, or nothing."""
    if degrees < 1 or np.isnan(p):
        return "stop: nothing is left to test"
    if p > level:
        return f"stop: what is left is no more than noise (p limit {level:g})"
    if size >= most:
        return f"stop: more is left than noise, but no more than {most} effects may be taken"
    return ""


def _f_test(left: float, degrees: int, noise: _Noise) -> tuple[float, float]:
    if degrees < 1 or not noise.degrees:
        return float("nan"), float("nan")
    if noise.squares <= 0:
        return (float("inf"), 0.0) if left > 0 else (0.0, 1.0)
    f = left / degrees / noise.variance
    return f, float(special.fdtrc(degrees, noise.degrees, f))


def _best_set(
    subsets: Subsets, candidates: list[Term], chosen: tuple[Term, ...], notes: list[str]
) -> tuple[tuple[Term, ...], float] | None:
    """Return the terms, one more than those chosen, that leave least, and what they leave."""
    ordered = sorted(candidates, key=sort_key)
    size = len(chosen) + 1
    if comb(len(ordered), size) <= MAX_SETS:
        sets = list(combinations(ordered, size))
    else:
        sets = [(*chosen, term) for term in ordered if term not in chosen]
        notes.append(
            f"{comb(len(ordered), size)} sets of {size} second-order effects are too many to try; "
            f"the best of {size - 1} was extended by one."
        )
    rss = subsets.rss(sets)
    if np.isnan(rss).all():
        return None
    least = float(np.nanmin(rss))
    # Of equals the first in an order that does not depend on that of the factors.
    near = rss <= least + TIE * max(subsets.total, 1e-300)
    place = int(np.flatnonzero(near)[0])
    return sets[place], float(rss[place])


def _even_subsets(main: LinearModel, candidates: list[Term], split: MirrorPairs) -> Subsets:
    """Return the second-order columns of pairs and centre runs, outside constant and blocks.

    A second-order column is the same for a run and its mirror image; achieved settings that differ
    a little are averaged.
    """
    rows = split.even_rows
    mirrored = [*(other for _, other in split.pairs), *split.centres]
    root = np.sqrt(split.even_weights)
    constant = np.hstack([np.ones((len(rows), 1)), main.block_matrix[rows]]) * root[:, None]
    left, sizes, _ = np.linalg.svd(constant, full_matrices=False)
    basis = left[:, sizes > RANK_TOLERANCE * sizes[0]]
    terms = terms_from([Term(), *candidates], main.space)
    matrix = model_matrix(terms, main.rows.settings, main.space)
    names = {column.term: column.name for column in model_columns(terms, main.space)}
    whole = matrix[[names[term] for term in candidates]].to_numpy(dtype=np.float64)
    columns = (whole[rows] + whole[mirrored]) / 2 * root[:, None]
    columns = columns - basis @ (basis.T @ columns)
    lengths = np.linalg.norm(columns, axis=0)
    values = root * split.even
    return Subsets(
        terms=tuple(candidates),
        places={term: (place,) for place, term in enumerate(candidates)},
        columns=columns / np.where(lengths > RANK_TOLERANCE, lengths, np.inf),
        values=np.asarray(values - basis @ (basis.T @ values)),
        left=0.0,
        n_runs=len(rows),
        n_always=basis.shape[1],
    )


def _fit(columns: FloatArray, values: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return coefficients and the diagonal of (X'X)^-1."""
    solution = solve(columns, values)
    return solution.coefficients, np.diag(solution.inverse)


def _left(columns: FloatArray, values: FloatArray) -> float:
    """Return the residual sum of squares."""
    return solve(columns, values).rss if columns.shape[1] else float(values @ values)


def _doubts(main: LinearModel, split: MirrorPairs, first: _Main) -> list[str]:
    """Return why the noise may be understated, where everything seems to be active."""
    squares, degrees = split.pure_error()
    if len(first.active) < len(main.space.names) or not degrees or first.clean.degrees > degrees:
        return []
    rest = max(main.solution.rss - squares, 0.0)
    f, p = _f_test(rest, main.degrees - degrees, _Noise(squares, degrees))
    if not p < 0.05:
        return []
    return [
        f"The noise looks too small: every main effect stands out from an SD of "
        f"{std_of(squares, degrees):.3g}, that of repeats alone, while what the main effects leave "
        f"beside it is {f:.3g} times as large (p {p:.2g}). Repeats that are less than whole runs "
        "of their own (one preparation, one day) understate the noise: if they are, use "
        "noise='residual'."
    ]


def _notes(main: LinearModel, split: MirrorPairs, added: Sequence[str]) -> list[str]:
    notes = [OPTIMISM]
    if split.unpaired:
        runs = ", ".join(main.rows.runs[row] for row in split.unpaired)
        notes.append(
            f"Runs {runs} have no mirror image with a value and took no part in choosing effects; "
            "the final model is fitted to them too."
        )
    if added:
        notes.append(
            f"Main effects of {', '.join(added)} were not seen but are in the model, since "
            "second-order effects build on them."
        )
    if main.recommended:
        notes.append(
            f"{len(main.recommended)} of {main.n_runs} runs were recommended by an optimizer, not "
            "drawn at random: p values are descriptive."
        )
    return notes

"""Mixture spaces for the tests of designs, and their corners found one by one."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
from hypothesis import strategies as st

from doe.constraints import LinearConstraint
from doe.factors import MixtureComponent, SearchedFactor
from doe.runs import Design
from doe.space import FactorSpace
from doe.terms import Terms, model_matrix

N_PARTS = 20

# The bounds of McLean and Anderson's flares.
FLARE = FactorSpace(
    (
        MixtureComponent("a", 0.4, 0.6),
        MixtureComponent("b", 0.1, 0.5),
        MixtureComponent("c", 0.1, 0.5),
        MixtureComponent("d", 0.03, 0.08),
    )
)


def mixture(
    n_components: int,
    *process: SearchedFactor,
    low: float = 0.0,
    high: float = 1.0,
    total: float = 1.0,
    step: float | None = None,
    constraints: Sequence[object] = (),
) -> FactorSpace:
    """Return components m1, m2, ... with the same bounds, and factors of the process."""
    components = (
        MixtureComponent(f"m{i}", low * total, high * total, step=step)
        for i in range(1, n_components + 1)
    )
    return FactorSpace((*components, *process), tuple(constraints), total)


@st.composite
def bounded_mixtures(
    draw: st.DrawFn, max_size: int = 4, total: float = 1.0, step: float | None = None
) -> FactorSpace:
    """Return mixtures with bounds and linear constraints that a blend in 20ths meets."""
    n_components = draw(st.integers(2, max_size))
    cuts = draw(
        st.lists(st.integers(0, N_PARTS), min_size=n_components - 1, max_size=n_components - 1)
    )
    ends = [0, *sorted(cuts), N_PARTS]
    parts = [after - before for before, after in pairwise(ends)]
    components = []
    for i, part in enumerate(parts):
        low = draw(st.integers(0, min(part, N_PARTS - 1)))
        high = draw(st.integers(max(part, low + 1), N_PARTS))
        bounds = [float(Fraction(bound, N_PARTS) * Fraction(total)) for bound in (low, high)]
        components.append(MixtureComponent(f"m{i + 1}", *bounds, step=step))
    constraints = []
    for _ in range(draw(st.integers(0, 2))):
        weights = draw(st.lists(st.integers(-2, 3), min_size=n_components, max_size=n_components))
        if not any(weights):
            continue
        at = sum(weight * part for weight, part in zip(weights, parts, strict=True))
        room = draw(st.integers(0, 6))
        upper = float(Fraction(at + room, N_PARTS) * Fraction(total))
        coefficients = {f"m{i + 1}": float(weight) for i, weight in enumerate(weights)}
        constraints.append(LinearConstraint(coefficients, upper=upper))
    return FactorSpace(tuple(components), tuple(constraints), total)


def rows_of(design: Design) -> set[tuple[float, ...]]:
    """Return the blends of a design, rounded so that they can be compared."""
    shares = design.runs[[component.name for component in design.space.mixture]].to_numpy()
    return {tuple(row) for row in np.round(shares, 9) + 0.0}


def rank(design: Design, terms: Terms) -> tuple[int, int]:
    """Return how many terms a design can tell apart, and how many there are."""
    matrix = model_matrix(terms, design.runs, design.space).to_numpy()
    return int(np.linalg.matrix_rank(matrix)), matrix.shape[1]


def corners_one_by_one(space: FactorSpace) -> set[tuple[Fraction, ...]]:
    """Return the corners of the region: where enough limits meet and all others hold.

    Every choice of limits is tried, and its equations are solved with exact fractions.
    """
    names = [component.name for component in space.mixture]
    limits = []
    for i, component in enumerate(space.mixture):
        one = [Fraction(int(place == i)) for place in range(len(names))]
        limits.append((one, _read(component.high)))
        limits.append(([-value for value in one], -_read(component.low)))
    for constraint in space.constraints:
        row = [_read(constraint.coefficients.get(name, 0.0)) for name in names]
        limits.append((row, _read(constraint.upper)))
    total = ([Fraction(1)] * len(names), _read(space.mixture_total))
    found = set()
    for chosen in combinations(limits, len(names) - 1):
        point = _solved([total, *chosen])
        if point is not None and all(
            sum(w * x for w, x in zip(row, point, strict=True)) <= upper for row, upper in limits
        ):
            found.add(point)
    return found


def _read(number: float) -> Fraction:
    return Fraction(str(number))


def _solved(
    equations: Sequence[tuple[Sequence[Fraction], Fraction]],
) -> tuple[Fraction, ...] | None:
    rows = [[*row, end] for row, end in equations]
    n = len(rows)
    for place in range(n):
        pivot = next((r for r in range(place, n) if rows[r][place] != 0), None)
        if pivot is None:
            return None
        rows[place], rows[pivot] = rows[pivot], rows[place]
        rows[place] = [value / rows[place][place] for value in rows[place]]
        for r in range(n):
            if r != place:
                factor = rows[r][place]
                rows[r] = [a - factor * b for a, b in zip(rows[r], rows[place], strict=True)]
    return tuple(row[-1] for row in rows)

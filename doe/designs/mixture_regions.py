"""The blends that a factor space allows: convex regions, and simplexes where there are such."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from math import comb
from typing import Literal

from doe.constraints import CardinalityConstraint, ForbiddenCombination, LinearConstraint
from doe.designs.vertices import (
    Blend,
    Corners,
    Limit,
    cut,
    short_fraction,
    simplex_corners,
)
from doe.errors import DesignError
from doe.factors import MixtureComponent
from doe.space import FactorSpace

MAX_CORNERS = 10_000
MAX_REGIONS = 2_000

Choice = Sequence[tuple[Limit, ...]]


@dataclass(frozen=True, slots=True)
class Simplex:
    """A region of blends with as many corners as components, either way up.

    Attributes:
        origin: The least shares, or the largest ones when it points down.
        size: How far a component's share can change; negative when it points down.
    """

    origin: Blend
    size: Fraction

    @property
    def kind(self) -> Literal["L", "U"]:
        """Which pseudocomponents run from 0 to 1 in it: L from below, U from above."""
        return "L" if self.size > 0 else "U"

    def blend(self, pseudocomponents: Sequence[Fraction]) -> Blend:
        """Return the shares at pseudocomponents, which add up to one."""
        pairs = zip(self.origin, pseudocomponents, strict=True)
        return tuple(start + self.size * share for start, share in pairs)


def find_simplex(space: FactorSpace, method: str) -> Simplex:
    """Return the simplex that the bounds of the components leave.

    Lower bounds alone leave one like the whole (L-pseudocomponents), upper bounds alone may leave
    one upside down (U-pseudocomponents).

    Raises:
        DesignError: If the bounds leave another shape, or a single blend; says which bounds.

    Source:
        Crosier (1984), Technometrics 26, 209-216.
    """
    lows, highs = _bounds(space)
    above, below = 1 - sum(lows, Fraction(0)), sum(highs, Fraction(0)) - 1
    cutting = [i for i, high in enumerate(highs) if lows[i] + above > high]
    if above <= 0 or below <= 0:
        raise DesignError(
            "The bounds of the components leave a single blend, and this design "
            f"({method}) needs a range to vary them in: widen the bounds."
        )
    if not cutting:
        return Simplex(lows, above)
    if all(high - below >= low for low, high in zip(lows, highs, strict=True)):
        return Simplex(highs, -below)
    first = space.mixture[cutting[0]]
    reached = float((lows[cutting[0]] + above) * short_fraction(space.mixture_total))
    raise DesignError(
        f"A {method} needs bounds that leave a simplex, but upper bounds cut it: '{first.name}' "
        f"may be at most {_amount(first, first.high)}, and with the others at their least it would "
        f"be {_amount(first, reached)}. Use extreme_vertices, which takes the corners of any "
        "region, or change the bounds."
    )


def find_regions(space: FactorSpace) -> list[Corners]:
    """Return convex regions that together hold the allowed blends; they may overlap.

    Bounds, linear and cardinality constraints and forbidden ranges of the components are kept to.
    A cardinality constraint or a forbidden combination makes several regions of one. Expression
    constraints, and constraints that other factors take part in, are left to be checked.

    Raises:
        DesignError: If there are too many regions or corners, or none.
    """
    lows, highs = _bounds(space)
    region = simplex_corners(lows)
    limits = [Limit(((i, Fraction(1)),), high) for i, high in enumerate(highs)]
    linear, choices = _compiled(space)
    for limit in (*limits, *linear):
        region = None if region is None else cut(region, limit, at_most=MAX_CORNERS)
    regions = [] if region is None else [region]
    for choice in choices:
        regions = [part for whole in regions for part in _parts(whole, choice)]
        # Different choices often leave the same blends.
        regions = list({frozenset(part.blends): part for part in regions}.values())
        if len(regions) > MAX_REGIONS:
            raise DesignError(_too_many("regions", len(regions)))
    if not regions:
        raise DesignError(
            "The bounds and constraints of the components leave no blend but for rounding: give "
            "them a little more room."
        )
    return regions


def _bounds(space: FactorSpace) -> tuple[Blend, Blend]:
    total = short_fraction(space.mixture_total)
    lows = tuple(short_fraction(component.low) / total for component in space.mixture)
    highs = tuple(short_fraction(component.high) / total for component in space.mixture)
    return lows, highs


def _amount(component: MixtureComponent, value: float) -> str:
    return f"{value:g} {component.unit}".rstrip()


def _parts(whole: Corners, choice: Choice) -> list[Corners]:
    for limits in choice:
        # A choice that takes nothing away leaves nothing to the others.
        if all(limit.excess(blend) <= 0 for limit in limits for blend in whole.blends):
            return [whole]
    parts = []
    for limits in choice:
        part: Corners | None = whole
        for limit in limits:
            part = None if part is None else cut(part, limit, at_most=MAX_CORNERS)
        if part is not None:
            parts.append(part)
    return parts


def _compiled(space: FactorSpace) -> tuple[list[Limit], list[Choice]]:
    """Return the limits that hold everywhere, and the choices of which one must hold."""
    places = {component.name: i for i, component in enumerate(space.mixture)}
    limits: list[Limit] = []
    choices: list[Choice] = []
    for constraint in space.constraints:
        if not set(constraint.factors) <= set(places):
            continue
        match constraint:
            case LinearConstraint():
                limits += _linear_limits(constraint, places, space)
            case CardinalityConstraint(factors, at_most):
                n_zero = len(factors) - at_most
                if comb(len(factors), n_zero) > MAX_REGIONS:
                    raise DesignError(_too_many("regions", comb(len(factors), n_zero)))
                choices.append(
                    [
                        tuple(Limit(((places[name], Fraction(1)),), Fraction(0)) for name in zeros)
                        for zeros in combinations(factors, n_zero)
                    ]
                )
            case ForbiddenCombination():
                choice = _forbidden_choice(constraint, places, space)
                choices += [choice] if choice else []
            case _:
                continue
    # Equations first: what they leave is small.
    return sorted(limits, key=lambda limit: not limit.is_equation), choices


def _linear_limits(
    constraint: LinearConstraint, places: dict[str, int], space: FactorSpace
) -> list[Limit]:
    total = short_fraction(space.mixture_total)
    weights = tuple(
        (places[name], short_fraction(weight)) for name, weight in constraint.coefficients.items()
    )
    negative = tuple((place, -weight) for place, weight in weights)
    if constraint.equals is not None:
        return [Limit(weights, short_fraction(constraint.equals) / total, is_equation=True)]
    limits = []
    if constraint.upper is not None:
        limits.append(Limit(weights, short_fraction(constraint.upper) / total))
    if constraint.lower is not None:
        limits.append(Limit(negative, -short_fraction(constraint.lower) / total))
    return limits


def _forbidden_choice(
    constraint: ForbiddenCombination, places: dict[str, int], space: FactorSpace
) -> Choice:
    total = short_fraction(space.mixture_total)
    choice: list[tuple[Limit, ...]] = []
    for name, (low, high) in constraint.conditions.items():
        # A single forbidden point bounds nothing; whether a blend meets it is checked later.
        if low == high:
            return []
        for end, sign in ((low, Fraction(1)), (high, Fraction(-1))):
            if end is not None:
                limit = Limit(((places[name], sign),), sign * short_fraction(float(end)) / total)
                choice.append((limit,))
    return choice


def _too_many(noun: str, count: int) -> str:
    return (
        f"The constraints leave {count} {noun} of blends, more than the {MAX_REGIONS} that are "
        "listed: use optimal_design, which searches them instead."
    )


def check_has_mixture(space: FactorSpace, method: str) -> tuple[MixtureComponent, ...]:
    """Return the components of a space.

    Raises:
        DesignError: If it has none.
    """
    if not space.mixture:
        raise DesignError(
            f"This design ({method}) varies mixture components, and this space has none: add "
            "MixtureComponent factors, or use a factorial or response-surface design."
        )
    return space.mixture

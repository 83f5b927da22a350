"""Classical designs for each goal, with the case for and against each, and its source."""

from collections.abc import Iterator
from typing import Literal

import numpy as np

from doe.advice.goals import Candidate
from doe.augmentation.existing import has_middle
from doe.runs import Design
from doe.space import FactorSpace

CENTRE_POINTS = 3
MAX_FULL_FACTORIAL = 5


def screening_candidates(space: FactorSpace) -> Iterator[Candidate]:
    """Yield classical designs that find the few factors that matter."""
    from doe.designs.definitive import definitive_screening
    from doe.designs.factorial import fractional_factorial
    from doe.designs.screening import plackett_burman

    n_factors = len(space.names)
    if n_factors >= 3:
        yield Candidate(
            "definitive screening",
            lambda: definitive_screening(space),
            "Main effects are clear of every two-factor interaction and square, and curvature "
            "shows in the same runs.",
            "Once more than about half of the factors are active, squares and interactions "
            "cannot be told apart.",
            "Jones and Nachtsheim (2011), J. Quality Technology 43, 1-15",
        )
        yield _screening_with_error(space)
        yield Candidate(
            "fractional factorial of resolution IV",
            lambda: (
                fractional_factorial(space, resolution=4, centre_points=_centre(space))
                if n_factors > 3
                else _full(space)
            ),
            "Main effects are clear of two-factor interactions, and the centre runs test for "
            "curvature.",
            "Two-factor interactions are aliased with each other; which one acts takes more runs.",
            "Box and Hunter (1961), Technometrics 3, 311-351",
        )
    if n_factors == 4:
        yield _full_candidate(space)
    if n_factors >= 5:
        yield Candidate(
            "Plackett-Burman",
            lambda: plackett_burman(space, centre_points=_centre(space)),
            "The fewest runs in which every main effect has full precision.",
            "Every main effect is partly aliased with interactions of other factors: one strong "
            "interaction can look like two or three main effects.",
            "Plackett and Burman (1946), Biometrika 33, 305-325",
        )


def _full_candidate(space: FactorSpace) -> Candidate:
    return Candidate(
        "full factorial with centre runs",
        lambda: _full(space),
        "Every interaction is estimated, clear of all others.",
        "Runs double with each factor; interactions of three and more rarely matter.",
        "Montgomery (2017), Design and Analysis of Experiments, 9th ed., chapter 6",
    )


def _screening_with_error(space: FactorSpace) -> Candidate:
    from doe.designs.definitive import definitive_screening

    return Candidate(
        "definitive screening with four extra runs",
        lambda: definitive_screening(space, extra_runs=4),
        "As definitive screening, with more degrees of freedom for an error that no second-order "
        "effect biases.",
        "Four more runs, which a later stage may need more.",
        "Jones and Nachtsheim (2017), Technometrics 59, 319-329",
    )


def characterising_candidates(space: FactorSpace) -> Iterator[Candidate]:
    """Yield classical designs that tell which factors act together."""
    from doe.designs.definitive import definitive_screening
    from doe.designs.factorial import fractional_factorial

    n_factors = len(space.names)
    if n_factors <= MAX_FULL_FACTORIAL:
        yield _full_candidate(space)
    if n_factors >= 5:
        yield Candidate(
            "fractional factorial of resolution V",
            lambda: fractional_factorial(space, resolution=5, centre_points=_centre(space)),
            "Main effects and two-factor interactions are all clear of each other.",
            "No squares: the centre runs only say whether there is curvature, not in which factor.",
            "Box and Hunter (1961), Technometrics 3, 449-458",
        )
    if n_factors >= 3:
        yield Candidate(
            "definitive screening",
            lambda: definitive_screening(space),
            "Few runs; main effects are clear, and the squares come with them.",
            "Only a few interactions can be estimated together: it finds them when few act.",
            "Jones and Nachtsheim (2011), J. Quality Technology 43, 1-15",
        )


def optimising_candidates(space: FactorSpace) -> Iterator[Candidate]:
    """Yield classical designs for the full quadratic model."""
    from doe.designs.response_surface import box_behnken, central_composite

    n_factors = len(space.names)
    core: Literal["resolution V"] | None = None if n_factors < 5 else "resolution V"
    if n_factors >= 2:
        yield Candidate(
            "central composite, face-centred",
            lambda: central_composite(space, fraction=core),
            "Three settings per factor, none beyond its range; corners and faces are both run, so "
            "that it can follow a two-level factorial that was done before.",
            "Squares are estimated less well than with axial runs beyond the range.",
            "Myers, Montgomery and Anderson-Cook (2016), Response Surface Methodology, 4th ed., "
            "section 8.4",
        )
        yield Candidate(
            "central composite, inscribed",
            lambda: central_composite(space, kind="inscribed", fraction=core),
            "Equally sure in every direction from the centre (rotatable), inside the ranges; five "
            "settings per factor.",
            "The corners of the ranges are extrapolated.",
            "Box and Hunter (1957), Annals of Mathematical Statistics 28, 195-241",
        )
    if 3 <= n_factors <= 7:
        yield Candidate(
            "Box-Behnken",
            lambda: box_behnken(space),
            "Fewer runs than a central composite, and none where all factors are extreme at once.",
            "The corners are extrapolated, and no smaller model can be taken out of it.",
            "Box and Behnken (1960), Technometrics 2, 455-475",
        )
    if n_factors >= 3:
        yield _screening_for_optimum(space)


def _screening_for_optimum(space: FactorSpace) -> Candidate:
    from doe.designs.definitive import definitive_screening

    return Candidate(
        "definitive screening with four extra runs",
        lambda: definitive_screening(space, extra_runs=4),
        "The fewest runs: with up to half of the factors active it fits their full quadratic, and "
        "finds in the same runs which those are.",
        "With more factors active the full quadratic cannot be fitted, and a second stage is "
        "needed.",
        "Jones and Nachtsheim (2017), Technometrics 59, 319-329",
    )


def robustness_candidates(space: FactorSpace) -> Iterator[Candidate]:
    """Yield classical designs for small changes of every factor."""
    from doe.designs.factorial import fractional_factorial
    from doe.designs.screening import plackett_burman

    n_factors = len(space.names)
    yield Candidate(
        "Plackett-Burman",
        lambda: plackett_burman(space, centre_points=_centre(space)),
        "The usual design of robustness tests: small changes of every factor, each main effect "
        "with full precision.",
        "Interactions are mixed into the main effects; in small ranges they are usually small.",
        "Vander Heyden et al. (2001), J. Pharmaceutical and Biomedical Analysis 24, 723-753",
    )
    if n_factors > 3:
        yield Candidate(
            "fractional factorial of resolution IV",
            lambda: fractional_factorial(space, resolution=4, centre_points=_centre(space)),
            "Main effects stay clear should two factors act together.",
            "More runs than Plackett-Burman, for interactions that small ranges seldom have.",
            "Box and Hunter (1961), Technometrics 3, 311-351",
        )
    else:
        yield Candidate(
            "full factorial with centre runs",
            lambda: _full(space),
            "Few enough factors that every combination of their ends can be run.",
            "Runs are spent on interactions that small ranges seldom have.",
            "Montgomery (2017), Design and Analysis of Experiments, 9th ed., chapter 6",
        )


def _full(space: FactorSpace) -> Design:
    from doe.designs.factorial import full_factorial

    return full_factorial(space, centre_points=_centre(space))


def mixture_candidates(
    space: FactorSpace, budget: int, *, rng: np.random.Generator
) -> Iterator[Candidate]:
    """Yield classical designs for the shares of components, without process factors."""
    from doe.designs.mixture import extreme_vertices, simplex_centroid

    if len(space.mixture) < len(space.names):
        return
    yield Candidate(
        "simplex centroid",
        lambda: simplex_centroid(space),
        "Pure blends, halves and thirds: every order of blending is seen.",
        "Runs double with each component, and most lie on the edge of the region.",
        "Scheffe (1963), J. Royal Statistical Society B 25, 235-263",
    )
    yield Candidate(
        "extreme vertices",
        lambda: extreme_vertices(space, max_runs=budget, rng=rng),
        "Corners and centroids of exactly the region that bounds and constraints leave.",
        "Few runs inside, where the optimum of a curved response lies.",
        "McLean and Anderson (1966), Technometrics 8, 447-454",
    )


def _centre(space: FactorSpace) -> int:
    return CENTRE_POINTS if any(map(has_middle, space.searched)) else 0

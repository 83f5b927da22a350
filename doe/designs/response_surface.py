"""Designs for quadratic models: central composite and Box-Behnken."""

from collections.abc import Sequence
from itertools import product
from typing import Literal, get_args

import numpy as np

from doe.arrays import FloatArray
from doe.designs.aliasing import letters
from doe.designs.assembly import MAX_RUNS, Plan, assemble, check_count, refuse_kinds
from doe.designs.blocks import with_block
from doe.designs.composites import Composite, Kind, core_in_blocks, usual_centre_counts
from doe.designs.crossing import (
    Points,
    check_size,
    crossed,
    joined,
    n_combinations,
    one_after_the_other,
    varied_along_axes,
)
from doe.designs.fractions import Fraction, best_fraction, fraction_of, parse_generators
from doe.designs.structure import (
    check_composite,
    check_edges,
    check_moments,
    check_orthogonal_blocks,
    check_rotatable,
)
from doe.errors import DesignError
from doe.factors import MixtureComponent
from doe.runs import JSON, Design
from doe.space import FactorSpace

# Per number of factors: the factors that an edge run varies, and the usual number of centre runs.
# A semicolon stands between orthogonal blocks.
_BOX_BEHNKEN: dict[int, tuple[str, int]] = {
    3: ("12 13 23", 3),
    4: ("12 34; 14 23; 13 24", 3),
    5: ("12 34 25 13 45; 23 14 35 15 24", 6),
    6: ("124 235 346 145 256 136", 6),
    7: ("456 167 257 124 347 135 236", 6),
}
_INSTEAD = "use an optimal or space-filling design, which keep to constraints and mixed factors"


def central_composite(
    space: FactorSpace,
    *,
    kind: Kind = "face-centred",
    centre_points: int | tuple[int, int] | None = None,
    fraction: Sequence[str] | Literal["resolution V"] | None = None,
    axial: Literal["allowed", "beyond"] = "allowed",
    core_replicates: int = 1,
    axial_replicates: int = 1,
    n_blocks: int | None = None,
    block: str | None = None,
) -> Design:
    """Return a factorial core with axial runs on every factor's axis, and centre runs.

    The low and high of a factor are the most that may be asked for. Kinds that stay inside:

    - ``face-centred``: core and axial runs at low and high.
    - ``inscribed``: the rotatable design shrunk, axial runs at low and high; with ``n_blocks`` the
      one in orthogonal blocks.

    In these kinds the core is at low and high, as JMP and Design-Expert read a range, and axial
    runs lie outside it; they are refused unless ``axial="beyond"`` says that such settings are
    possible (``details`` then lists them):

    - ``rotatable``: axial distance (core runs)^(1/4); precision depends on the distance only.
    - ``spherical``: axial distance sqrt(factors); all runs but the centre on one sphere.
    - ``orthogonal blocks``: blocks that do not disturb the quadratic model: the core in one or
      more, the axial runs in the last, each with its centre runs.

    Distances are in coded units, so that a factor on a log scale has its axial runs at ratios. Runs
    are in standard order; randomise them with ``Design.randomised``.

    Factors without a middle (categorical ones, discrete ones with two levels) have the whole design
    repeated at each combination of their levels.

    Args:
        space: The factors, continuous, or discrete with all the levels that are needed; and
            categorical ones.
        kind: Where the axial runs are.
        centre_points: How many centre runs; with blocks in each core block and in the axial block.
            5 for two factors and 6 for more where not given; (4, 2) for two blocks, and for more
            four in the core and what makes the design most nearly rotatable.
        fraction: ``"resolution V"`` or generators for a fractional core; the full factorial
            otherwise.
        axial: Whether axial runs may lie outside the factors' ranges.
        core_replicates: How often each core run is done.
        axial_replicates: How often each axial run is done.
        n_blocks: One more than 1, 2, 4, 8 or 16 blocks of core runs, as the core allows; 2 for
            ``orthogonal blocks`` where not given.
        block: Name of the block factor.

    Raises:
        DesignError: If the factors do not fit, the core cannot support a quadratic model or be
            split, or a run is not allowed; says which runs and what to use instead.

    Source:
        Box and Wilson (1951), J. Royal Statistical Society B 13, 1-45; distances and blocks from
        Box and Hunter (1957), Annals of Mathematical Statistics 28, 195-241.
    """
    method = f"central composite, {kind}"
    _check_choice("kind", kind, get_args(Kind))
    _check_choice("axial", axial, ("allowed", "beyond"))
    numeric = _numeric(space, "central composite design")
    core = _core(numeric, fraction)
    replicates = (core_replicates, axial_replicates)
    composite = _composite(
        kind, core, n_blocks=n_blocks, centre_points=centre_points, replicates=replicates
    )
    _check(composite, method)
    scale = 1.0 / max(composite.distance, 1.0) if kind == "inscribed" else 1.0
    points = composite.points
    shrunk = Points(scale * points.settings, points.types, points.blocks)
    runs, points = crossed(space, shrunk, method)
    blocked, name = with_block(space, block) if points.blocks else (space, "")
    return assemble(
        blocked,
        Plan(
            runs,
            points.types,
            method,
            _instead(kind, axial),
            generators=[g.text(letters(numeric)) for g in core.generators],
            details=_facts(space, numeric, composite, points),
            beyond=axial == "beyond",
            blocks={name: points.blocks} if points.blocks else {},
        ),
    )


def box_behnken(
    space: FactorSpace,
    *,
    centre_points: int | None = None,
    n_blocks: int = 1,
    block: str | None = None,
) -> Design:
    """Return a Box-Behnken design: runs on the edges of the box, none at its corners.

    12, 24, 40, 48 and 56 edge runs for 3 to 7 factors, in standard order; randomise them with
    ``Design.randomised``. Factors without a middle (categorical ones, discrete ones with two
    levels) have the whole design repeated at each combination of their levels.

    Args:
        space: Three to seven factors, continuous, or discrete with a level in the middle; and
            categorical ones.
        centre_points: How many centre runs, over all blocks together; 3 up to four factors and 6
            for more, as published, where it is not given.
        n_blocks: 3 for four factors or 2 for five to seven: blocks that do not disturb the
            quadratic model.
        block: Name of the block factor.

    Raises:
        DesignError: If the factors do not fit, there are no such blocks, or a run is not allowed.

    Source:
        Box and Behnken (1960), Technometrics 2, 455-475, table 4.
    """
    method = "Box-Behnken"
    numeric = _numeric(space, "Box-Behnken design")
    n_factors = len(numeric.names)
    if n_factors not in _BOX_BEHNKEN:
        raise DesignError(
            f"Box-Behnken designs are listed for 3 to 7 factors, and this space has {n_factors}: "
            "use central_composite or an optimal design."
        )
    _, usual = _BOX_BEHNKEN[n_factors]
    asked = usual if centre_points is None else centre_points
    n_centre = check_count(asked, "centre_points", at_least=1)
    check_size(n_centre, method)
    points = _edges_and_centre(n_factors, n_centre, n_blocks)
    n_edge = points.types.count("edge")
    n_varied = int(np.count_nonzero(points.settings[0]))
    check_edges(points.settings, n_edge, n_varied, n_centre, method)
    if points.blocks:
        check_orthogonal_blocks(points.settings, points.blocks, method)
    runs, points = crossed(space, points, method)
    blocked, name = with_block(space, block) if points.blocks else (space, "")
    details: dict[str, JSON] = {"centre_points": points.types.count("centre")}
    return assemble(
        blocked,
        Plan(
            runs,
            points.types,
            method,
            _INSTEAD,
            details=details | _combinations(space),
            blocks={name: points.blocks} if points.blocks else {},
        ),
    )


def _edges_and_centre(n_factors: int, n_centre: int, n_blocks: int) -> Points:
    """Return the edge runs in standard order and the centre runs, block after block."""
    groups = [part.split() for part in _BOX_BEHNKEN[n_factors][0].split(";")]
    # Groups of three factors are split by the product of their signs.
    halves = (-1.0, 1.0) if len(groups[0][0]) == 3 else (0.0,)
    possible = len(groups) * len(halves)
    if check_count(n_blocks, "n_blocks", at_least=1) not in (1, possible):
        blocks = f"1 or {possible}" if possible > 1 else "1"
        raise DesignError(
            f"n_blocks is {n_blocks!r}, but a Box-Behnken design of {n_factors} factors has "
            f"{blocks}: choose that, or put central_composite in orthogonal blocks."
        )
    if n_centre % n_blocks:
        raise DesignError(
            f"centre_points is {n_centre}, which {n_blocks} blocks cannot share: give a multiple "
            f"of {n_blocks}."
        )
    if n_blocks == 1:
        edges = np.vstack([_edges(group, n_factors) for part in groups for group in part])
        return joined([("edge", edges), ("centre", np.zeros((n_centre, n_factors)))])
    centre = np.zeros((n_centre // n_blocks, n_factors))
    parts = []
    for number, (part, half) in enumerate(product(groups, halves), start=1):
        edges = np.vstack([_edges(group, n_factors, half) for group in part])
        parts.append(joined([("edge", edges), ("centre", centre)], str(number)))
    return one_after_the_other(parts)


def _edges(group: str, n_factors: int, half: float = 0.0) -> FloatArray:
    """Return the edge runs that vary a group of factors, or the half with one product of signs."""
    varied = [int(digit) - 1 for digit in group]
    # The last of the group varies slowest, as in standard order.
    signs = np.array([signs[::-1] for signs in product((-1.0, 1.0), repeat=len(varied))])
    if half:
        signs = signs[signs.prod(axis=1) == half]
    edges = np.zeros((len(signs), n_factors))
    edges[:, varied] = signs
    return edges


def _check_choice(what: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise DesignError(f"{what} is {value!r}; expected one of {', '.join(choices)}.")


def _numeric(space: FactorSpace, method: str) -> FactorSpace:
    refuse_kinds(space, (MixtureComponent,), method, _INSTEAD)
    numeric = varied_along_axes(space)
    if len(numeric.names) < 2:
        raise DesignError(
            f"A {method} needs two or more factors, and this space has only '{numeric.names[0]}' "
            "with a middle: use full_factorial with levels=3 or more."
        )
    return numeric


def _core(numeric: FactorSpace, fraction: Sequence[str] | str | None) -> Fraction:
    n_factors = len(numeric.names)
    if fraction is None:
        if 2**n_factors > MAX_RUNS:
            raise DesignError(
                f"A full core of {n_factors} factors has {2**n_factors} runs; at most {MAX_RUNS} "
                "are planned: take fraction='resolution V' or screen the factors first."
            )
        return fraction_of(n_factors, ())
    if fraction == "resolution V":
        return best_fraction(n_factors, resolution=5, n_runs=None)
    return fraction_of(n_factors, parse_generators(fraction, letters(numeric), numeric.names))


def _composite(
    kind: Kind,
    core: Fraction,
    *,
    n_blocks: int | None,
    centre_points: object,
    replicates: tuple[int, int],
) -> Composite:
    for what, count in zip(("core_replicates", "axial_replicates"), replicates, strict=True):
        check_count(count, what, at_least=1)
    n_core_blocks = _n_core_blocks(kind, n_blocks)
    core_blocks = core_in_blocks(core, max(n_core_blocks, 1))
    if n_core_blocks:
        usual = usual_centre_counts(core, core_blocks, *replicates)
        centre = _block_centres(centre_points, usual)
    else:
        centre = _centre_count(centre_points, core.signs.shape[1])
    return Composite(kind, core, core_blocks, centre, *replicates)


def _n_core_blocks(kind: Kind, n_blocks: int | None) -> int:
    """Return how many blocks the core runs are in; 0 for a design without blocks."""
    if n_blocks is None:
        return 1 if kind == "orthogonal blocks" else 0
    check_count(n_blocks, "n_blocks", at_least=1)
    if n_blocks == 1 and kind == "orthogonal blocks":
        raise DesignError(
            "n_blocks is 1, but 'orthogonal blocks' has two or more: leave it out, or take "
            "another kind."
        )
    if n_blocks > 1 and kind not in ("orthogonal blocks", "inscribed"):
        raise DesignError(
            f"A {kind} central composite design cannot be in {n_blocks} blocks that leave the "
            "quadratic model undisturbed: take kind='inscribed', which stays inside the ranges, or "
            "kind='orthogonal blocks'."
        )
    return n_blocks - 1


def _block_centres(centre_points: object, usual: tuple[int, int]) -> tuple[int, ...]:
    counts = usual if centre_points is None else centre_points
    if not isinstance(counts, tuple) or len(counts) != 2:
        raise DesignError(
            f"Orthogonal blocks need centre_points for the core and for the axial block, such "
            f"as {usual}; got {centre_points!r}."
        )
    return tuple(check_count(count, "centre_points", at_least=0) for count in counts)


def _centre_count(centre_points: object, n_factors: int) -> tuple[int, ...]:
    if centre_points is None:
        return (5 if n_factors == 2 else 6,)
    return (check_count(centre_points, "centre_points", at_least=0),)


def _check(composite: Composite, method: str) -> None:
    check_size(composite.n_runs, method)
    points = composite.points.settings
    core = np.tile(composite.core.signs, (composite.core_replicates, 1))
    check_composite(
        points,
        core,
        composite.distance,
        composite.n_centre,
        method,
        axial_replicates=composite.axial_replicates,
    )
    if composite.core.resolution is not None and composite.core.resolution < 5:
        raise DesignError(
            f"The core has resolution {composite.core.resolution}, which cannot tell two-factor "
            "interactions apart: leave out fraction, or take fraction='resolution V'."
        )
    squares = np.column_stack([np.ones(len(points)), points**2])
    if not composite.n_centre and np.linalg.matrix_rank(squares) < squares.shape[1]:
        raise DesignError(
            f"Without centre runs, all runs of this {method} are equally far from the centre, so "
            "that the squares cannot be told apart: give centre_points of 1 or more."
        )
    if composite.is_blocked:
        check_orthogonal_blocks(points, composite.points.blocks, method)
    elif composite.kind in ("rotatable", "inscribed"):
        check_rotatable(points, method)
    check_moments(points, method)


def _instead(kind: Kind, axial: str) -> str:
    if axial == "beyond" or kind in ("face-centred", "inscribed"):
        return _INSTEAD
    return (
        "say axial='beyond' if these settings are possible, take kind='inscribed' or "
        f"'face-centred', or {_INSTEAD}"
    )


def _facts(
    space: FactorSpace, numeric: FactorSpace, composite: Composite, points: Points
) -> dict[str, JSON]:
    at_ends = "axial" if composite.kind == "inscribed" and composite.distance > 1 else "factorial"
    facts: dict[str, JSON] = {
        "axial_distance": composite.distance,
        "coding": f"{at_ends} runs at low and high",
        "centre_points": points.types.count("centre"),
    }
    if composite.core_replicates > 1 or composite.axial_replicates > 1:
        facts["core_replicates"] = composite.core_replicates
        facts["axial_replicates"] = composite.axial_replicates
    if composite.core.generators:
        facts["letters"] = dict(zip(letters(numeric), numeric.names, strict=True))
        facts["core_resolution"] = composite.core.resolution
    return facts | _combinations(space)


def _combinations(space: FactorSpace) -> dict[str, JSON]:
    """Return how often a design is repeated for factors without a middle, when it is."""
    count = n_combinations(space)
    return {"combinations_of_levels": count} if count > 1 else {}

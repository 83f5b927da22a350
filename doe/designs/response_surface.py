"""Designs for quadratic models: central composite and Box-Behnken."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Literal, get_args

import numpy as np

from doe.arrays import FloatArray
from doe.designs.aliasing import letters
from doe.designs.assembly import Plan, assemble, check_count, numeric_runs, refuse_kinds
from doe.designs.fractions import Fraction, best_fraction, fraction_of, parse_generators
from doe.designs.structure import check_composite, check_edges, check_moments, check_rotatable
from doe.errors import DesignError
from doe.factors import CategoricalFactor, MixtureComponent
from doe.runs import JSON, Design
from doe.space import FactorSpace

Kind = Literal["rotatable", "spherical", "face-centred", "inscribed", "orthogonal blocks"]

# Per number of factors: the factors that an edge run varies, and the usual number of centre runs.
_BOX_BEHNKEN: dict[int, tuple[tuple[str, ...], int]] = {
    3: (("12", "13", "23"), 3),
    4: (("12", "34", "14", "23", "13", "24"), 3),
    5: (("12", "13", "14", "15", "23", "24", "25", "34", "35", "45"), 6),
    6: (("124", "235", "346", "145", "256", "136"), 6),
    7: (("456", "167", "257", "124", "347", "135", "236"), 6),
}
_INSTEAD = "use an optimal or space-filling design, which keep to constraints and mixed factors"


@dataclass(frozen=True, slots=True)
class _Composite:
    """The parts of a central composite design before it is written in natural units."""

    kind: Kind
    core: Fraction
    distance: float
    centre: tuple[int, ...]

    @property
    def points(self) -> FloatArray:
        """Coded runs with the core at -1 and +1: core, axial, centre; or block after block."""
        n_factors = self.core.signs.shape[1]
        axial = np.zeros((2 * n_factors, n_factors))
        axial[np.arange(2 * n_factors), np.repeat(np.arange(n_factors), 2)] = np.tile(
            [-self.distance, self.distance], n_factors
        )
        centre = [np.zeros((n, n_factors)) for n in self.centre]
        if len(centre) == 1:
            return np.vstack([self.core.signs, axial, centre[0]])
        return np.vstack([self.core.signs, centre[0], axial, centre[1]])

    @property
    def point_types(self) -> list[str]:
        """What each run is, in the order of ``points``."""
        n_core, n_factors = self.core.signs.shape
        parts = [("factorial", n_core), ("axial", 2 * n_factors)]
        if len(self.centre) == 1:
            parts.append(("centre", self.centre[0]))
        else:
            parts = [parts[0], ("centre", self.centre[0]), parts[1], ("centre", self.centre[1])]
        return [kind for kind, n in parts for _ in range(n)]


def central_composite(
    space: FactorSpace,
    *,
    kind: Kind = "face-centred",
    centre_points: int | tuple[int, int] | None = None,
    fraction: Sequence[str] | Literal["resolution V"] | None = None,
    axial: Literal["allowed", "beyond"] = "allowed",
) -> Design:
    """Return a factorial core with axial runs on every factor's axis, and centre runs.

    The low and high of a factor are the most that may be asked for. Kinds that stay inside:

    - ``face-centred``: core and axial runs at low and high.
    - ``inscribed``: the rotatable design shrunk, axial runs at low and high.

    In these kinds the core is at low and high, as JMP and Design-Expert read a range, and axial
    runs lie outside it; they are refused unless ``axial="beyond"`` says that such settings are
    possible (``details`` then lists them):

    - ``rotatable``: axial distance (core runs)^(1/4); precision depends on the distance only.
    - ``spherical``: axial distance sqrt(factors); all runs but the centre on one sphere.
    - ``orthogonal blocks``: two blocks, core and axial runs, each with its centre runs, that do not
      disturb the quadratic model.

    Distances are in coded units, so that a factor on a log scale has its axial runs at ratios. Runs
    are in standard order; randomise them with ``Design.randomised``.

    Args:
        space: The factors, continuous, or discrete with all the levels that are needed.
        kind: Where the axial runs are.
        centre_points: How many centre runs; for ``orthogonal blocks`` in the core block and in the
            axial block. 5 for two factors and 6 for more where not given; (4, 2) for blocks.
        fraction: ``"resolution V"`` or generators for a fractional core; the full factorial
            otherwise.
        axial: Whether axial runs may lie outside the factors' ranges.

    Raises:
        DesignError: If the factors do not fit, the core cannot support a quadratic model, or a run
            is not allowed; says which runs and what to use instead.

    Source:
        Box and Wilson (1951), J. Royal Statistical Society B 13, 1-45; distances from Box and
        Hunter (1957), Annals of Mathematical Statistics 28, 195-241.
    """
    method = f"central composite, {kind}"
    _check_choice("kind", kind, get_args(Kind))
    _check_choice("axial", axial, ("allowed", "beyond"))
    _check_factors(space, "central composite design")
    core = _core(space, fraction)
    centre = _centre_counts(kind, centre_points, len(space.names))
    composite = _Composite(kind, core, _distance(kind, core, centre), centre)
    _check(composite, method)
    scale = 1.0 / composite.distance if kind == "inscribed" else 1.0
    return assemble(
        space,
        Plan(
            numeric_runs(space, scale * composite.points),
            composite.point_types,
            method,
            _instead(kind, axial),
            generators=[g.text(letters(space)) for g in core.generators],
            details=_facts(space, composite, scale),
            beyond=axial == "beyond",
            blocks=_blocks(space, composite),
        ),
    )


def box_behnken(space: FactorSpace, *, centre_points: int | None = None) -> Design:
    """Return a Box-Behnken design: runs on the edges of the box, none at its corners.

    12, 24, 40, 48 and 56 edge runs for 3 to 7 factors, in standard order; randomise them with
    ``Design.randomised``.

    Args:
        space: Three to seven factors, continuous, or discrete with a level in the middle.
        centre_points: How many centre runs; 3 up to four factors and 6 for more, as published,
            where it is not given.

    Raises:
        DesignError: If the factors do not fit, or a run is not allowed.

    Source:
        Box and Behnken (1960), Technometrics 2, 455-475.
    """
    method = "Box-Behnken"
    _check_factors(space, "Box-Behnken design")
    n_factors = len(space.names)
    if n_factors not in _BOX_BEHNKEN:
        raise DesignError(
            f"Box-Behnken designs are listed for 3 to 7 factors, and this space has {n_factors}: "
            "use central_composite or an optimal design."
        )
    groups, usual = _BOX_BEHNKEN[n_factors]
    asked = usual if centre_points is None else centre_points
    n_centre = check_count(asked, "centre_points", at_least=1)
    edges = []
    for group in groups:
        varied = [int(digit) - 1 for digit in group]
        # The last of the group varies slowest, as in standard order.
        for signs in product((-1.0, 1.0), repeat=len(varied)):
            edge = np.zeros(n_factors)
            edge[varied] = signs[::-1]
            edges.append(edge)
    points = np.vstack([edges, np.zeros((n_centre, n_factors))])
    check_edges(points, len(edges), len(groups[0]), n_centre, method)
    return assemble(
        space,
        Plan(
            numeric_runs(space, points),
            ["edge"] * len(edges) + ["centre"] * n_centre,
            method,
            _INSTEAD,
            details={"centre_points": n_centre},
        ),
    )


def _check_choice(what: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise DesignError(f"{what} is {value!r}; expected one of {', '.join(choices)}.")


def _check_factors(space: FactorSpace, method: str) -> None:
    refuse_kinds(space, (CategoricalFactor, MixtureComponent), method, _INSTEAD)
    if len(space.names) < 2:
        raise DesignError(
            f"A {method} needs two or more factors, and this space has only '{space.names[0]}': "
            "use full_factorial with levels=3 or more."
        )


def _core(space: FactorSpace, fraction: Sequence[str] | str | None) -> Fraction:
    n_factors = len(space.names)
    if fraction is None:
        return fraction_of(n_factors, ())
    if fraction == "resolution V":
        return best_fraction(n_factors, resolution=5, n_runs=None)
    return fraction_of(n_factors, parse_generators(fraction, letters(space), space.names))


def _centre_counts(
    kind: Kind, centre_points: int | tuple[int, int] | None, n_factors: int
) -> tuple[int, ...]:
    if kind == "orthogonal blocks":
        counts = (4, 2) if centre_points is None else centre_points
        if not isinstance(counts, tuple) or len(counts) != 2:
            raise DesignError(
                f"Orthogonal blocks need centre_points for the core and for the axial block, such "
                f"as (4, 2); got {centre_points!r}."
            )
        return tuple(check_count(count, "centre_points", at_least=0) for count in counts)
    if centre_points is None:
        return (5 if n_factors == 2 else 6,)
    return (check_count(centre_points, "centre_points", at_least=0),)


def _distance(kind: Kind, core: Fraction, centre: tuple[int, ...]) -> float:
    """Return the distance of the axial runs from the centre, the core being at -1 and +1."""
    n_core, n_factors = core.signs.shape
    match kind:
        case "face-centred":
            return 1.0
        case "rotatable" | "inscribed":
            return float(n_core**0.25)
        case "spherical":
            return float(n_factors**0.5)
        case "orthogonal blocks":
            # Each block's share of sum x^2 is its share of the runs.
            n_axial = 2 * n_factors
            ratio = (n_axial + centre[1]) / (n_core + centre[0])
            return float((n_core * ratio / 2) ** 0.5)


def _check(composite: _Composite, method: str) -> None:
    points = composite.points
    check_composite(points, composite.core.signs, composite.distance, sum(composite.centre), method)
    if composite.core.resolution is not None and composite.core.resolution < 5:
        raise DesignError(
            f"The core has resolution {composite.core.resolution}, which cannot tell two-factor "
            "interactions apart: leave out fraction, or take fraction='resolution V'."
        )
    squares = np.column_stack([np.ones(len(points)), points**2])
    if not sum(composite.centre) and np.linalg.matrix_rank(squares) < squares.shape[1]:
        raise DesignError(
            f"Without centre runs, all runs of this {method} are equally far from the centre, so "
            "that the squares cannot be told apart: give centre_points of 1 or more."
        )
    if composite.kind in ("rotatable", "inscribed"):
        check_rotatable(points, method)
    check_moments(points, method)


def _instead(kind: Kind, axial: str) -> str:
    if axial == "beyond" or kind in ("face-centred", "inscribed"):
        return _INSTEAD
    return (
        "say axial='beyond' if these settings are possible, take kind='inscribed' or "
        f"'face-centred', or {_INSTEAD}"
    )


def _facts(space: FactorSpace, composite: _Composite, scale: float) -> dict[str, JSON]:
    facts: dict[str, JSON] = {
        "axial_distance": composite.distance,
        "coding": ("axial runs at low and high" if scale < 1 else "factorial runs at low and high"),
        "centre_points": sum(composite.centre),
    }
    if composite.core.generators:
        facts["letters"] = dict(zip(letters(space), space.names, strict=True))
        facts["core_resolution"] = composite.core.resolution
    return facts


def _blocks(space: FactorSpace, composite: _Composite) -> dict[str, tuple[str, ...]]:
    if composite.kind != "orthogonal blocks":
        return {}
    n_core, n_factors = composite.core.signs.shape
    sizes = (n_core + composite.centre[0], 2 * n_factors + composite.centre[1])
    name = space.blocks[0].name if len(space.blocks) == 1 else "block"
    return {name: ("1",) * sizes[0] + ("2",) * sizes[1]}

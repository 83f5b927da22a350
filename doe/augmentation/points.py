"""Centre runs and axial runs for runs that are done."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from doe.augmentation.blocks import AddedBlock, added_block
from doe.augmentation.existing import (
    ExistingRuns,
    existing_runs,
    has_middle,
    is_centre,
    pure_error,
    replicate_groups,
)
from doe.augmentation.gains import ModelRuns, gains, model_runs, stacked
from doe.augmentation.models import with_all_interactions
from doe.designs.assembly import CodedRun, Plan, assemble, centre_runs, check_count, refuse_kinds
from doe.errors import DesignError, UnknownNameError
from doe.factors import CategoricalFactor, MixtureComponent
from doe.runs import JSON, Design
from doe.space import FactorSpace
from doe.terms import linear_terms

if TYPE_CHECKING:
    import pandas as pd

AxialKind = Literal["face-centred", "rotatable", "spherical"]

_INSTEAD = "use estimate_curvature or augment_optimal, which keep to constraints and mixed factors"


def add_centre_points(
    runs: "Design | pd.DataFrame",
    space: FactorSpace | None = None,
    *,
    centre_points: int = 3,
    block: str | None = None,
    in_new_block: bool = True,
) -> Design:
    """Return centre runs to add: they tell the run-to-run SD, and whether there is curvature.

    ``details`` gives the degrees of freedom before and after: ``pure_error`` among equal runs of
    the same block, ``curvature`` of the test of the mean at the centre against the main effects.
    ``centre_runs`` says how many runs that is, and at which combinations of levels.

    Args:
        runs: The runs that are done.
        space: The factors of a table, or others than those of a design.
        centre_points: How many centre runs, for each combination of levels that have no middle: 2
            with a factor of three levels are 6 runs.
        block: Name of the block factor that tells the added runs from the original ones.
        in_new_block: Whether the added runs are a block of their own, because they are done later.
            Curvature can then only be told from the difference between the blocks if centre runs
            stand in both; ``details`` warns when they do not.

    Raises:
        DesignError: If no factor has a middle, there are mixture components, or a run is not
            allowed.

    Source:
        Box and Wilson (1951), J. Royal Statistical Society B 13, 1-45.
    """
    existing = existing_runs(runs, space)
    refuse_kinds(existing.space, (MixtureComponent,), "set of centre runs", _MIXTURE)
    count = check_count(centre_points, "centre_points", at_least=1)
    where = added_block(existing, block, in_new_block=in_new_block)
    instead = "use replicate_uncertain, which repeats runs that are allowed"
    centre = centre_runs(existing.space, count, instead)
    design = _assembled(
        where,
        centre,
        types=["centre"] * len(centre),
        method="added centre points",
        instead=instead,
    )
    counts = _counted(existing.space, count, design.n_runs)
    return _with_details(design, {**counts, **_centre_facts(existing, design.runs, where)})


def add_axial_points(
    runs: "Design | pd.DataFrame",
    space: FactorSpace | None = None,
    *,
    kind: AxialKind = "face-centred",
    factors: Sequence[str] | None = None,
    centre_points: int | None = None,
    axial: Literal["allowed", "beyond"] = "allowed",
    block: str | None = None,
    in_new_block: bool = True,
) -> Design:
    """Return axial runs to add, which make a two-level design a central composite one.

    ``details`` gives the axial distance, and what becomes estimable of the model with all
    two-factor interactions and the squares of the axial factors.

    Args:
        runs: The runs that are done, usually a two-level factorial with or without centre runs.
        space: The factors of a table, or others than those of a design.
        kind: ``face-centred`` has the axial runs at low and high; ``rotatable`` at (factorial
            runs)^(1/4) and ``spherical`` at sqrt(factors), both outside the ranges.
        factors: On the axes of which factors; of all that have a middle where absent.
        centre_points: Centre runs beside the axial runs. Where absent 2 in a new block, so that the
            squares can be told from the difference between blocks; otherwise none, or 1 if the
            squares need it.
        axial: Whether axial runs may lie outside the factors' ranges.
        block: Name of the block factor that tells the added runs from the original ones.
        in_new_block: Whether the added runs are a block of their own, because they are done later.

    Raises:
        DesignError: If no factor has a middle, there are mixture components, or a run is not
            allowed.
        UnknownNameError: If a factor does not exist.

    Source:
        Box and Wilson (1951), J. Royal Statistical Society B 13, 1-45; distances from Box and
        Hunter (1957), Annals of Mathematical Statistics 28, 195-241.
    """
    _check_choice("kind", kind, get_args(AxialKind))
    _check_choice("axial", axial, ("allowed", "beyond"))
    existing = existing_runs(runs, space)
    refuse_kinds(existing.space, (MixtureComponent,), "set of axial runs", _MIXTURE)
    names = axial_factors(existing.space, factors)
    where = added_block(existing, block, in_new_block=in_new_block)
    distance = _distance(kind, existing, len(names))
    instead = _INSTEAD
    if kind != "face-centred" and axial == "allowed":
        instead = "say axial='beyond' if these settings are possible, or take kind='face-centred'"
    usual = 2 if where.is_new else 0
    plan = _AxialPlan(existing, where, names, distance, f"added axial points, {kind}", instead)
    design = plan.design(
        usual if centre_points is None else centre_points, is_beyond=axial == "beyond"
    )
    if centre_points is None and not usual and set(plan.squares) & set(_lost(design)):
        design = plan.design(1, is_beyond=axial == "beyond")
    facts: dict[str, JSON] = {"axial_distance": distance, "axial_factors": list(names)}
    if _lost(design):
        facts["note"] = (
            f"These runs still cannot estimate {', '.join(_lost(design))}: separate_effects breaks "
            "aliases between interactions, augment_optimal adds runs for a whole model."
        )
    return _with_details(design, facts)


@dataclass(frozen=True, eq=False)
class _AxialPlan:
    """Axial runs on their way to a design, whatever the number of centre runs."""

    existing: ExistingRuns
    where: AddedBlock
    names: tuple[str, ...]
    distance: float
    method: str
    instead: str

    @property
    def squares(self) -> tuple[str, ...]:
        """The names of the squares in the model."""
        terms = with_all_interactions(self.existing.space, self.names).terms
        return tuple(term.name for term in terms if any(power == 2 for _, power in term.powers))

    def design(self, n_centre: int, *, is_beyond: bool) -> Design:
        """Return the axial runs with so many centre runs, and what they achieve."""
        space = self.existing.space
        centre = centre_runs(space, n_centre, _INSTEAD)
        axial = axial_runs(space, self.names, self.distance)
        types = ["axial"] * len(axial) + ["centre"] * len(centre)
        runs = [*axial, *centre]
        found = _assembled(
            self.where,
            runs,
            types=types,
            method=self.method,
            instead=self.instead,
            beyond=is_beyond,
        )
        terms = with_all_interactions(space, self.names)
        blocks = self.where.after(found.n_runs)
        return _with_details(found, gains(terms, self.existing, found.runs, blocks))


def _lost(design: Design) -> list[str]:
    names = design.details["not_estimable"]
    assert isinstance(names, Sequence)
    return [str(name) for name in names]


def axial_factors(space: FactorSpace, factors: Sequence[str] | None) -> tuple[str, ...]:
    """Return the factors on whose axes runs can stand, having refused those without a middle.

    Raises:
        UnknownNameError: If a factor does not exist.
        DesignError: If a named factor has no middle, or none has.
    """
    possible = tuple(factor.name for factor in space.searched if has_middle(factor))
    if factors is not None:
        if isinstance(factors, str) or not isinstance(factors, Sequence):
            raise DesignError(
                f"factors must be a list of names, such as {list(space.names[:1])}, got "
                f"{factors!r}."
            )
        unknown = [name for name in factors if name not in space.names]
        if unknown:
            raise UnknownNameError(
                f"factors names {unknown}, which are not varied; those are {list(space.names)}: "
                "correct the names."
            )
        flat = [name for name in factors if name not in possible]
        if flat:
            raise DesignError(
                f"{flat} have no setting between their ends, so that they have no square; those "
                f"that have one are {list(possible)}: leave them out of factors."
            )
        possible = tuple(name for name in possible if name in factors)
    if not possible:
        raise DesignError(
            f"None of the factors {list(space.names)} has a setting between its ends: there is no "
            "curvature to be seen; give finer steps or more levels."
        )
    return possible


def axial_runs(space: FactorSpace, names: Sequence[str], distance: float) -> list[CodedRun]:
    """Return two runs per axis, coded, for each combination of levels that have no middle."""
    middles = centre_runs(space, 1, _INSTEAD)
    return [
        {**middle, name: sign * distance}
        for middle in middles
        for name in names
        for sign in (-1.0, 1.0)
    ]


_MIXTURE = "its centre is a blend; use replicate_uncertain or augment_optimal"


def _assembled(
    where: AddedBlock,
    runs: Sequence[CodedRun],
    *,
    types: Sequence[str],
    method: str,
    instead: str,
    beyond: bool = False,
) -> Design:
    plan = Plan(
        runs,
        types,
        method,
        instead,
        beyond=beyond,
        blocks=where.of_added(len(runs)),
        details=where.facts(),
    )
    return assemble(where.space, plan)


def _with_details(design: Design, facts: dict[str, JSON]) -> Design:
    return replace(design, details={**design.details, **facts})


def _counted(space: FactorSpace, count: int, n_runs: int) -> dict[str, JSON]:
    """Return how many centre runs there are, in words."""
    flat = [factor.name for factor in space.searched if not has_middle(factor)]
    if not flat:
        return {"centre_runs": f"{n_runs} at the middle of every factor"}
    return {
        "centre_runs": f"{n_runs}: {count} at each of the {n_runs // count} combinations of the "
        f"levels of {', '.join(flat)}, which have no middle"
    }


def _centre_facts(
    existing: ExistingRuns, added: "pd.DataFrame", where: AddedBlock
) -> dict[str, JSON]:
    groups = replicate_groups(existing, added)
    before = _curvature(existing, added.iloc[:0], where.before())
    after = _curvature(existing, added, where.after(len(added)))
    facts: dict[str, JSON] = {
        "runs": {"before": existing.n_runs, "after": existing.n_runs + len(added)},
        "degrees_of_freedom": {
            "pure_error": {
                "before": pure_error(groups[: existing.n_runs], where.before()),
                "after": pure_error(groups, where.after(len(added))),
            },
            "curvature": {"before": int(before), "after": int(after)},
        },
    }
    if not after:
        facts["note"] = (
            "Curvature cannot be told from the difference between the blocks, because the original "
            "runs have no centre run: repeat some of the original runs beside the added ones, or "
            "say in_new_block=False if all are done under the same conditions."
        )
    return facts


def _curvature(
    existing: ExistingRuns, added: "pd.DataFrame", blocks: dict[str, tuple[str, ...]]
) -> bool:
    """Return whether the mean at the centre can be tested against the main effects."""
    both = stacked(existing, added)
    model = model_runs(linear_terms(existing.space), both, existing, blocks)
    whole = ExistingRuns(existing.space, both, ("",) * len(both), {})
    at_centre = is_centre(whole).astype(np.float64)
    names = ("centre", *model.names)
    return bool(ModelRuns(names, np.column_stack([at_centre, model.matrix])).estimable()[0])


def _distance(kind: AxialKind, existing: ExistingRuns, n_factors: int) -> float:
    """Return the distance of the axial runs from the centre, the core being at -1 and +1."""
    match kind:
        case "face-centred":
            return 1.0
        case "spherical":
            return float(n_factors**0.5)
        case "rotatable":
            return float(_n_core(existing) ** 0.25)


def _n_core(existing: ExistingRuns) -> int:
    """Return how many runs have every numeric factor at its low or high."""
    is_number = [not isinstance(f, CategoricalFactor) for f in existing.space.searched]
    corners = np.abs(np.abs(existing.coded()[:, is_number]) - 1.0) <= 0.1
    n_core = int(corners.all(axis=1).sum())
    if n_core == 0:
        raise DesignError(
            "None of the runs has every factor at its low or high, so that they are no core of a "
            "rotatable design: take kind='face-centred', or augment_optimal."
        )
    # Each combination of levels without a middle has axial runs of its own.
    return max(1, n_core // len(centre_runs(existing.space, 1, _INSTEAD)))


def _check_choice(what: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise DesignError(f"{what} is {value!r}; expected one of {', '.join(choices)}.")

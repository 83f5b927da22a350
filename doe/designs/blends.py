"""From blends to a design: amounts on equipment steps, crossed with settings of the process."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

import numpy as np

from doe.designs.assembly import MAX_RUNS, Plan, assemble, centre_runs, check_count
from doe.designs.blocks import with_block
from doe.designs.factorial import full_factorial
from doe.designs.vertices import Blend, short_fraction
from doe.errors import DesignError
from doe.factors import MixtureComponent
from doe.runs import JSON, Design
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

Process = Design | Literal["full factorial", "centre"]

_SHOWN = 3
_OPTIMAL = "use optimal_design, which keeps to every constraint of the space"


@dataclass(frozen=True, slots=True)
class BlendPlan:
    """Blends on their way to a design.

    Attributes:
        blends: Each blend once, with what it is.
        method: The kind of design in words.
        instead: What to use when the space does not allow the blends.
        may_merge: Whether blends may become one by rounding to steps.
        details: Facts about the construction.
    """

    blends: Mapping[Blend, str]
    method: str
    instead: str
    may_merge: bool = False
    details: Mapping[str, JSON] = field(default_factory=dict)


def process_space(space: FactorSpace) -> FactorSpace:
    """Return the part of a factor space that is no mixture: the factors of the process.

    A design made for it can be crossed with blends. Constraints that components take part in are
    left out; they are checked when both come together.

    Raises:
        DesignError: If every factor is a mixture component.
    """
    process = [f.name for f in space.searched if not isinstance(f, MixtureComponent)]
    if not process:
        raise DesignError("This space has mixture components only, and no factor of the process.")
    return _part(space, process)


def design_of_blends(space: FactorSpace, plan: BlendPlan, process: Process | None) -> Design:
    """Return every blend at every setting of the process, all runs allowed.

    Raises:
        DesignError: If blends cannot be told apart on the steps of the components, there are too
            many runs, the process settings do not fit, or a run is not allowed.

    Source:
        Cornell (2002), Experiments with Mixtures, 3rd ed., ch. 7: mixture design by process design.
    """
    crossed = process_design(space, process, plan.method)
    blends, point_types, facts = _amounts(space, plan)
    details = dict(plan.details) | facts
    if crossed is None:
        return _checked(space, blends, plan, point_types, details)
    n_runs = len(blends) * crossed.n_runs
    if n_runs > MAX_RUNS:
        raise DesignError(
            f"{len(blends)} blends at {crossed.n_runs} settings of the process are {n_runs} runs, "
            f"and at most {MAX_RUNS} are planned: take fewer of either, or {_OPTIMAL}."
        )
    details |= {"process_design": crossed.method, "process_settings": crossed.n_runs}
    runs = crossed.runs.merge(blends, how="cross")[list(space.names)]
    types = crossed.point_types or ("",) * crossed.n_runs
    if len(set(types)) > 1:
        point_types = tuple(f"{blend}, {kind}" for kind in types for blend in point_types)
    else:
        point_types = tuple(point_types) * crossed.n_runs
    repeated = {
        name: tuple(level for level in levels for _ in range(len(blends)))
        for name, levels in crossed.blocks.items()
    }
    instead = replace(plan, method=f"{plan.method} by {crossed.method}", instead=_OPTIMAL)
    design = _checked(_with_blocks(space, crossed), runs, instead, point_types, details)
    return replace(design, blocks=repeated, whole_plots=crossed.whole_plots)


def taken(design: Design, rows: Sequence[int], details: Mapping[str, JSON]) -> Design:
    """Return the design with only these of its runs, in their order and as often as given."""
    rows = list(rows)
    return replace(
        design,
        runs=design.runs.iloc[rows],
        point_types=tuple(design.point_types[row] for row in rows),
        run_order=(),
        blocks={name: tuple(levels[row] for row in rows) for name, levels in design.blocks.items()},
        details=dict(design.details) | dict(details),
    )


def replicated(design: Design, replicates: int) -> Design:
    """Return the design with all of its runs done so many times.

    Raises:
        DesignError: If there would be too many runs.
    """
    if design.n_runs * replicates > MAX_RUNS:
        raise DesignError(
            f"{replicates} replicates of {design.n_runs} runs are {design.n_runs * replicates}; "
            f"at most {MAX_RUNS} are planned: take fewer replicates."
        )
    if replicates == 1:
        return design
    return taken(design, list(range(design.n_runs)) * replicates, {"replicates": replicates})


def process_design(space: FactorSpace, process: Process | None, method: str) -> Design | None:
    """Return the runs of the process factors, or None where there are no such factors.

    Raises:
        DesignError: If it is not said how the process is set, or the design varies other factors.
    """
    names = [f.name for f in space.searched if not isinstance(f, MixtureComponent)]
    if not names:
        if process is None:
            return None
        raise DesignError(
            f"process={process if isinstance(process, str) else process.method!r}, but this space "
            "has mixture components only: leave it out, or add the factors of the process."
        )
    if isinstance(process, Design):
        if set(process.space.names) != set(names):
            raise DesignError(
                f"The design of the process varies {list(process.space.names)}, and the factors "
                f"besides the mixture are {names}: make it for process_space(space)."
            )
        return process
    match process:
        case "full factorial":
            return full_factorial(process_space(space))
        case "centre":
            part = process_space(space)
            runs = centre_runs(part, 1, "give a design as process")
            return assemble(part, Plan(runs, ["centre"] * len(runs), "centre settings", _OPTIMAL))
        case _:
            raise DesignError(
                f"This space has the factors {names} besides the mixture, and process is "
                f"{process!r}: say how this design ({method}) sets them, with process='full "
                "factorial' (every blend at every combination), process='centre', or a design made "
                "for process_space(space)."
            )


def check_replicates(replicates: int) -> int:
    """Return how often each run is done.

    Raises:
        DesignError: If it is no whole number of at least one.
    """
    return check_count(replicates, "replicates", at_least=1)


def _part(space: FactorSpace, names: Sequence[str]) -> FactorSpace:
    factors = tuple(factor for factor in space.searched if factor.name in names)
    kept = tuple(c for c in space.constraints if set(c.factors) <= set(names))
    return FactorSpace(factors, kept, space.mixture_total)


def _amounts(
    space: FactorSpace, plan: BlendPlan
) -> tuple["pd.DataFrame", tuple[str, ...], dict[str, JSON]]:
    """Return the amounts of the components, what each blend is, and what steps did to them."""
    import pandas as pd

    total = short_fraction(space.mixture_total)
    components = [component.name for component in space.mixture]
    part = _part(space, components)
    exact = pd.DataFrame(
        [[float(share * total) for share in blend] for blend in plan.blends], columns=components
    )
    _refuse_faults(part, exact, tuple(plan.blends.values()), plan)
    point_types = tuple(plan.blends.values())
    if all(component.step is None for component in space.mixture):
        return exact, point_types, {"blends": len(exact)}
    settings = _adding_up(part, part.project(exact))
    first = ~settings.duplicated().to_numpy()
    moved = float((settings - exact).abs().to_numpy().max() / space.mixture_total)
    facts: dict[str, JSON] = {"blends": int(first.sum())}
    if moved > 1e-9:
        facts["rounded_to_steps"] = float(f"{moved:.3g}")
    n_merged = int((~first).sum())
    if n_merged and not plan.may_merge:
        raise DesignError(
            f"This design ({plan.method}) needs {len(exact)} different blends, but on the steps of "
            f"the components only {len(exact) - n_merged} of them differ: give finer steps or "
            "wider bounds, or fewer blends."
        )
    if n_merged:
        facts["merged_by_steps"] = n_merged
    kept = tuple(kind for kind, is_first in zip(point_types, first, strict=True) if is_first)
    return settings[first].reset_index(drop=True), kept, facts


def _adding_up(space: FactorSpace, settings: "pd.DataFrame") -> "pd.DataFrame":
    """Return amounts that add up to the total to the last digit, where not all go in steps."""
    total = Decimal(repr(space.mixture_total))
    balanced = settings.copy()
    free = [place for place, component in enumerate(space.mixture) if component.step is None]
    for row, amounts in enumerate(settings.to_numpy().tolist()):
        missing = total - sum(Decimal(repr(amount)) for amount in amounts)
        # An amount between its bounds can take up what rounding left.
        for place in free if missing else ():
            amount = float(Decimal(repr(amounts[place])) + missing)
            component = space.mixture[place]
            if component.low < amount < component.high:
                balanced.iloc[row, place] = amount
                break
    return balanced


def _checked(
    space: FactorSpace,
    runs: "pd.DataFrame",
    plan: BlendPlan,
    point_types: Sequence[str],
    details: Mapping[str, JSON],
) -> Design:
    if len(runs) > MAX_RUNS:
        raise DesignError(
            f"This {plan.method} has {len(runs)} runs; at most {MAX_RUNS} are planned: "
            f"{plan.instead}."
        )
    _refuse_faults(space, runs, point_types, plan)
    return Design(space, runs, plan.method, tuple(point_types), details=details)


def _refuse_faults(
    space: FactorSpace, runs: "pd.DataFrame", point_types: Sequence[str], plan: BlendPlan
) -> None:
    faults = space.faults(runs)
    rows = np.flatnonzero([bool(row) for row in faults])
    if not rows.size:
        return
    shown = "; ".join(
        f"run {row + 1} ({point_types[row]}): {', '.join(faults[row])}" for row in rows[:_SHOWN]
    )
    more = f"; and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    raise DesignError(
        f"{len(rows)} of {len(runs)} runs of this {plan.method} are not allowed: {shown}{more}. "
        f"Instead, {plan.instead}."
    )


def _with_blocks(space: FactorSpace, process: Design) -> FactorSpace:
    known = {block.name: block for block in process.space.blocks}
    for name in process.blocks:
        block = known.get(name)
        space, _ = with_block(
            space,
            name,
            random=block is not None and block.random,
            nested_in=None if block is None else block.nested_in,
        )
    return space

"""Whether any setting meets every constraint, and which constraints clash when none does."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.constraints import Constraint, ExpressionConstraint
from doe.errors import InfeasibleSpaceError
from doe.factors import CategoricalFactor, DiscreteFactor, SearchedFactor, Value
from doe.feasible.programs import Domain, build_program, solve
from doe.rounding import balanced_mixture, nearest_numbers
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

_N_TRIED = 64
_SEED = 7  # the same settings are tried every time
_N_MOVED = 12


def check_feasible(space: FactorSpace) -> None:
    """Refuse a factor space in which no setting is allowed.

    All constraints but the expressions are judged exactly, with steps and levels. Expressions are
    judged by a search; where it finds nothing, the message says that none was found.

    Raises:
        InfeasibleSpaceError: With the fewest constraints and ranges that clash.
    """
    table = _simple_settings(space)
    if (space.contains(table) & space.on_steps(table)).any():
        return
    if solve(build_program(space)) is None:
        constraints, domains = _smallest_clash(space)
        raise InfeasibleSpaceError(
            f"These constraints cannot hold together: {_listed(space, constraints, domains)}. "
            "Relax one of them."
        )
    has_expressions = any(isinstance(c, ExpressionConstraint) for c in space.constraints)
    if has_expressions and not _is_found(space):
        _check_fewer(space)
        raise InfeasibleSpaceError(
            "No setting could be found that meets these constraints together: "
            f"{_listed(space, space.all_constraints, {})}. A search cannot prove that there is "
            "none; relax one of them, or narrow the ranges to where they hold."
        )


def _simple_settings(space: FactorSpace) -> "pd.DataFrame":
    """Return the centre, two corners and other settings on steps, mixtures on their total."""
    import pandas as pd

    shares = np.random.default_rng(_SEED).random((_N_TRIED, len(space.searched)))
    shares[:3] = [[0.5], [0.0], [1.0]]
    columns: dict[str, FloatArray | list[Value]] = {}
    for place, factor in enumerate(space.searched):
        if isinstance(factor, CategoricalFactor):
            last = len(factor.levels) - 1
            which = np.minimum(shares[:, place] * (last + 1), last).astype(np.int64)
            columns[factor.name] = [factor.levels[i] for i in which]
        else:
            values = factor.low + shares[:, place] * (factor.high - factor.low)
            columns[factor.name] = nearest_numbers(factor, values)
    if space.mixture:
        names = [component.name for component in space.mixture]
        filled = _filled(space, shares[:, [space.names.index(name) for name in names]])
        columns.update(zip(names, filled.T, strict=True))
    return pd.DataFrame(columns)


def _filled(space: FactorSpace, shares: FloatArray) -> FloatArray:
    """Return mixtures moved along their ranges, all in the same proportion, until they add up."""
    low = np.array([component.low for component in space.mixture])
    high = np.array([component.high for component in space.mixture])
    values = low + shares * (high - low)
    missing = space.mixture_total - values.sum(axis=1, keepdims=True)
    room = np.where(missing > 0, high - values, values - low)
    available = room.sum(axis=1, keepdims=True)
    part = np.divide(missing, available, out=np.zeros_like(missing), where=available > 0)
    values = np.clip(values + part * room, low, high)
    balanced = balanced_mixture(space.mixture, values, space.mixture_total)
    return values if balanced is None else balanced


def _smallest_clash(space: FactorSpace) -> tuple[list[Constraint], dict[str, Domain]]:
    """Return constraints and ranges that clash, none of which could be left out."""
    kept: list[Constraint] = [
        c for c in space.all_constraints if not isinstance(c, ExpressionConstraint)
    ]
    for constraint in tuple(kept):
        fewer = [other for other in kept if other is not constraint]
        if solve(build_program(space, fewer)) is None:
            kept = fewer
    domains: dict[str, Domain] = {}
    for name in _names(kept):
        for domain in ("free", "without_steps"):
            tried: dict[str, Domain] = {**domains, name: domain}
            if solve(build_program(space, kept, domains=tried)) is None:
                domains = tried
                break
    return kept, domains


def _is_found(space: FactorSpace) -> bool:
    """Return whether a search found a setting that meets every constraint, on steps."""
    from doe.feasible.projection import nearest_setting, rounded_settings
    from doe.feasible.repair import allowed_pool

    pool = allowed_pool(space)
    if pool is None:
        return False
    rounded = rounded_settings(space, pool)
    if (space.contains(rounded) & space.on_steps(rounded)).any():
        return True
    targets = pool.head(_N_MOVED).to_dict("records")
    return any(
        nearest_setting(space, {str(name): value for name, value in target.items()}) is not None
        for target in targets
    )


def _check_fewer(space: FactorSpace) -> None:
    """Raise the error of a space with one constraint less, if that is not feasible either."""
    for constraint in space.constraints:
        fewer = tuple(other for other in space.constraints if other is not constraint)
        FactorSpace(space.factors, fewer, space.mixture_total)


def _listed(
    space: FactorSpace, constraints: Sequence[Constraint], domains: Mapping[str, Domain]
) -> str:
    sentences = [constraint.sentence() for constraint in constraints]
    involved = _names(constraints)
    ranges = [
        _range_text(factor, domains.get(factor.name, "full"))
        for factor in space.searched
        if factor.name in involved and domains.get(factor.name) != "free"
    ]
    if ranges:
        sentences.append(f"factor ranges {', '.join(ranges)}")
    return "; ".join(sentences)


def _names(constraints: Sequence[Constraint]) -> list[str]:
    return list(dict.fromkeys(name for c in constraints for name in c.factors))


def _range_text(factor: SearchedFactor, domain: Domain) -> str:
    if isinstance(factor, CategoricalFactor):
        return f"{factor.name} one of {', '.join(factor.levels)}"
    if isinstance(factor, DiscreteFactor) and domain == "full":
        levels = ", ".join(f"{level:g}" for level in factor.levels)
        return f"{factor.name} one of {levels} {factor.unit}".strip()
    text = f"{factor.name} {factor.low:g} to {factor.high:g} {factor.unit}".strip()
    step = None if isinstance(factor, DiscreteFactor) else factor.step
    return text if step is None or domain == "without_steps" else f"{text} in steps of {step:g}"

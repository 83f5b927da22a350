"""Hypothesis strategies for every type of ``doe``; each drawn value is valid.

A factor space is built around a known allowed setting, so that its constraints never contradict
each other: ``spaces_with_setting`` returns both.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from doe.constraints import (
    CardinalityConstraint,
    Condition,
    Constraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.expressions import quoted
from doe.factors import (
    BlockFactor,
    CategoricalFactor,
    Context,
    ContinuousFactor,
    ControlCapability,
    Covariate,
    DiscreteFactor,
    Factor,
    MixtureComponent,
    RecordedFactor,
    SearchedFactor,
    Value,
)
from doe.space import FactorSpace

N_SHARES = 20

_PLAIN_NAMES = [
    *("pH", "temperature", "feed rate", "glucose", "seed_density", "DO", "time", "Mg2+", "C", "Q"),
    *(
        "agitation (rpm)",
        "Einwaage",
        "größe",
        "α-ketoglutarate",
        "load/CV",
        "1st feed",
        "a:b",
        "x,y",
    ),
]
_UNITS = ["", "g/L", "h", "d", "degC", "mmol/L", "rpm", "mL/min"]
_LEVELS = ["A", "B", "resin 1", "resin 2", "yes", "no", "1", "2", "01", "nan", "Süd", "None"]

# Made once: making a strategy takes longer than drawing from it.
_STEPS = st.sampled_from([0.01, 0.1, 0.3, 0.5, 1.0, 2.5])
_N_STEPS = st.integers(2, 60)
_FLAGS = st.booleans()
_LEARN_FROM = st.sampled_from(["actual", "target"])
_letters = st.characters(exclude_categories=("C", "Z"), exclude_characters="`")


@cache
def names() -> st.SearchStrategy[str]:
    """Names that the types accept: plain ones, spaces, symbols, other scripts."""
    unusual = st.text(_letters, min_size=1, max_size=8).filter(str.isprintable)
    return st.sampled_from(_PLAIN_NAMES) | unusual


@cache
def unique_names(min_size: int, max_size: int) -> st.SearchStrategy[list[str]]:
    return st.lists(names(), min_size=min_size, max_size=max_size, unique=True)


@cache
def numbers(low: float = -1000.0, high: float = 1000.0) -> st.SearchStrategy[float]:
    """Numbers as people write them, with two decimals."""
    return st.integers(math.ceil(low * 100), math.floor(high * 100)).map(lambda i: i / 100)


@cache
def units() -> st.SearchStrategy[str]:
    return st.sampled_from(_UNITS)


@cache
def levels() -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(_LEVELS), min_size=2, max_size=4, unique=True).map(tuple)


@cache
def changes() -> st.SearchStrategy[Any]:
    return st.sampled_from(["easy", "hard", "very_hard"])


@cache
def capabilities() -> st.SearchStrategy[ControlCapability]:
    positive = numbers(0.01, 10.0)
    spread = st.sampled_from(["normal", "truncated_normal"])
    return st.one_of(
        st.builds(ControlCapability, sd=positive, distribution=spread),
        st.builds(
            ControlCapability,
            half_width=positive,
            distribution=st.sampled_from(["normal", "truncated_normal", "uniform"]),
        ),
    )


@st.composite
def continuous_factors(
    draw: st.DrawFn, name: str, *, steps: bool = True, scales: Sequence[Any] = ("linear", "log")
) -> ContinuousFactor:
    scale = draw(st.sampled_from(scales))
    low = draw(numbers(0.01, 100.0) if scale == "log" else numbers(-100.0, 100.0))
    step, n_steps = draw(_STEPS), draw(_N_STEPS)
    return ContinuousFactor(
        name,
        low,
        round(low + n_steps * step, 6),
        draw(units()),
        step=step if steps and draw(_FLAGS) else None,
        scale=scale,
        change=draw(changes()),
        capability=draw(st.none() | capabilities()),
        learn_from=draw(_LEARN_FROM),
        tolerance=draw(st.none() | numbers(0.0, 5.0)),
    )


@st.composite
def discrete_factors(draw: st.DrawFn, name: str) -> DiscreteFactor:
    scale: Any = draw(st.sampled_from(["linear", "log"]))
    values = numbers(0.01, 500.0) if scale == "log" else numbers(-50.0, 500.0)
    chosen = tuple(draw(st.lists(values, min_size=2, max_size=5, unique=True)))
    return DiscreteFactor(name, chosen, draw(units()), scale=scale, change=draw(changes()))


@st.composite
def categorical_factors(draw: st.DrawFn, name: str) -> CategoricalFactor:
    return CategoricalFactor(name, draw(levels()), change=draw(changes()))


@st.composite
def mixtures_with_setting(
    draw: st.DrawFn, component_names: Sequence[str], total: float = 1.0
) -> tuple[tuple[MixtureComponent, ...], dict[str, Value]]:
    """Components whose ranges hold a known split of the total into ``N_SHARES`` equal shares."""
    n = len(component_names)
    cuts = sorted(draw(st.lists(st.integers(0, N_SHARES), min_size=n - 1, max_size=n - 1)))
    shares = [b - a for a, b in zip([0, *cuts], [*cuts, N_SHARES], strict=True)]
    stepped, unit = draw(_FLAGS), draw(units())
    components, setting = [], {}
    for name, share in zip(component_names, shares, strict=True):
        low = draw(st.integers(0, share))
        high = draw(st.integers(share, N_SHARES).filter(lambda h, low=low: h > low))
        scale = total / N_SHARES
        component = MixtureComponent(
            name,
            round(low * scale, 9),
            round(high * scale, 9),
            unit,
            step=scale if stepped else None,
        )
        components.append(component)
        setting[name] = round(share * scale, 9)
    return tuple(components), setting


def searched_factors(name: str) -> st.SearchStrategy[SearchedFactor]:
    """A factor of any kind that stands alone (no mixture component)."""
    return st.one_of(continuous_factors(name), discrete_factors(name), categorical_factors(name))


@st.composite
def recorded_factors(draw: st.DrawFn, available: Sequence[str]) -> tuple[RecordedFactor, ...]:
    """Covariates, contexts and blocks, a block nested in an earlier one at times."""
    factors: list[RecordedFactor] = []
    for name in available:
        kind = draw(st.sampled_from(["covariate", "context", "block"]))
        blocks = [factor.name for factor in factors if isinstance(factor, BlockFactor)]
        if kind == "covariate":
            low = draw(st.none() | numbers(-10.0, 10.0))
            high = draw(st.none() | numbers(11.0, 500.0))
            factors.append(Covariate(name, draw(units()), low=low, high=high))
        elif kind == "context":
            factors.append(Context(name, draw(levels())))
        else:
            nested = draw(st.none() | st.sampled_from(blocks)) if blocks else None
            factors.append(BlockFactor(name, random=draw(_FLAGS), nested_in=nested))
    return tuple(factors)


def values_of(factor: SearchedFactor) -> st.SearchStrategy[Value]:
    """Settings that the factor allows and the equipment can set."""
    match factor:
        case CategoricalFactor(levels=choices) | DiscreteFactor(levels=choices):
            return st.sampled_from(choices)
        case _:
            step = factor.step or (factor.high - factor.low) / 40
            n_steps = math.floor((factor.high - factor.low) / step + 1e-6)
            return st.integers(0, n_steps).map(
                lambda i: min(round(factor.low + i * step, 9), factor.high)
            )


def numeric(factors: Sequence[Factor]) -> list[str]:
    kinds = (ContinuousFactor, DiscreteFactor, MixtureComponent)
    return [factor.name for factor in factors if isinstance(factor, kinds)]


@st.composite
def linear_constraints(
    draw: st.DrawFn, factors: Sequence[SearchedFactor], setting: Mapping[str, Value]
) -> LinearConstraint:
    """A constraint that the setting meets, at times exactly."""
    candidates = numeric(factors)
    chosen = draw(st.lists(st.sampled_from(candidates), min_size=1, max_size=4, unique=True))
    weights = numbers(-5.0, 5.0).filter(lambda c: abs(c) > 0.05)
    coefficients = {name: draw(weights) for name in chosen}
    total = sum(c * float(setting[name]) for name, c in coefficients.items())
    slack = numbers(0.0, 20.0)
    match draw(st.sampled_from(["upper", "lower", "both", "equals"])):
        case "upper":
            return LinearConstraint(coefficients, upper=total + draw(slack))
        case "lower":
            return LinearConstraint(coefficients, lower=total - draw(slack))
        case "equals":
            return LinearConstraint(coefficients, equals=total)
        case _:
            lower, upper = total - draw(slack) - 0.5, total + draw(slack)
            return LinearConstraint(coefficients, lower=lower, upper=upper)


@st.composite
def forbidden_combinations(
    draw: st.DrawFn, factors: Sequence[SearchedFactor], setting: Mapping[str, Value]
) -> ForbiddenCombination | None:
    """A combination that the setting avoids; None where a drawn factor leaves no other choice."""
    chosen = draw(st.lists(st.sampled_from(factors), min_size=1, max_size=3, unique=True))
    conditions: dict[str, Condition] = {}
    for place, factor in enumerate(chosen):
        value = setting[factor.name]
        if isinstance(factor, CategoricalFactor):
            options = [level for level in factor.levels if place or level != value]
            some = st.lists(st.sampled_from(options), min_size=1, max_size=2, unique=True)
            conditions[factor.name] = tuple(draw(some))
            continue
        end = float(value) if place == 0 else float(draw(values_of(factor)))
        conditions[factor.name] = draw(st.sampled_from([(end, None), (None, end)]))
    return ForbiddenCombination(conditions) if conditions else None


@st.composite
def cardinality_constraints(
    draw: st.DrawFn, factors: Sequence[SearchedFactor], setting: Mapping[str, Value]
) -> CardinalityConstraint | None:
    """A count that the setting keeps; None where too few factors may be zero."""
    usable = [
        factor.name
        for factor in factors
        if not isinstance(factor, CategoricalFactor) and factor.low <= 0 <= factor.high
    ]
    if len(usable) < 2:
        return None
    chosen = draw(st.lists(st.sampled_from(usable), min_size=2, unique=True))
    n_used = sum(setting[name] != 0 for name in chosen)
    if n_used >= len(chosen):
        return None
    return CardinalityConstraint(tuple(chosen), draw(st.integers(max(1, n_used), len(chosen) - 1)))


@st.composite
def expression_constraints(
    draw: st.DrawFn, factors: Sequence[SearchedFactor], setting: Mapping[str, Value]
) -> ExpressionConstraint:
    """A nonlinear comparison that the setting meets with some room."""
    first, second = (draw(st.sampled_from(numeric(factors))) for _ in range(2))
    a, b = float(setting[first]), float(setting[second])
    forms = {
        "{a} * {b}": a * b,
        "{a} ** 2 + abs({b})": a**2 + abs(b),
        "max({a}, {b}) - {a} / 4": max(a, b) - a / 4,
        "sqrt(abs({a})) - 2 * {b}": math.sqrt(abs(a)) - 2 * b,
    }
    form = draw(st.sampled_from(sorted(forms)))
    text = form.format(a=quoted(first), b=quoted(second))
    slack = draw(numbers(0.5, 50.0))
    if draw(_FLAGS):
        return ExpressionConstraint(f"{text} <= {forms[form] + slack!r}")
    return ExpressionConstraint(f"{text} >= {forms[form] - slack!r}")


@st.composite
def constraints(
    draw: st.DrawFn, factors: Sequence[SearchedFactor], setting: Mapping[str, Value]
) -> tuple[Constraint, ...]:
    """Up to three constraints of any kind that the setting meets."""
    kinds: list[Any] = [forbidden_combinations, cardinality_constraints]
    if numeric(factors):
        kinds += [linear_constraints, expression_constraints]
    chosen = draw(st.lists(st.sampled_from(kinds), max_size=3))
    made = [draw(kind(factors, setting)) for kind in chosen]
    return tuple(constraint for constraint in made if constraint is not None)


@st.composite
def spaces_with_setting(
    draw: st.DrawFn, *, constrained: bool = True, recorded: bool = True, mixture: bool | None = None
) -> tuple[FactorSpace, pd.DataFrame]:
    """A factor space and one setting that it allows, as a table of one row."""
    available = draw(unique_names(6, 9))
    with_mixture = draw(_FLAGS) if mixture is None else mixture
    n_searched = draw(st.integers(0 if with_mixture else 1, 3))
    factors: list[SearchedFactor] = [draw(searched_factors(n)) for n in available[:n_searched]]
    setting = {factor.name: draw(values_of(factor)) for factor in factors}
    rest, total = available[n_searched:], draw(st.sampled_from([1.0, 100.0]))
    if with_mixture:
        n_components = draw(st.integers(2, 3))
        components, split = draw(mixtures_with_setting(rest[:n_components], total))
        factors, setting, rest = [*factors, *components], {**setting, **split}, rest[n_components:]
    beside = draw(recorded_factors(rest[: draw(st.integers(0, 3))])) if recorded else ()
    made = draw(constraints(factors, setting)) if constrained else ()
    space = FactorSpace((*factors, *beside), made, total if with_mixture else 1.0)
    return space, pd.DataFrame({name: [setting[name]] for name in space.names})


def spaces(**options: Any) -> st.SearchStrategy[FactorSpace]:
    """Factor spaces; options as for ``spaces_with_setting``."""
    return spaces_with_setting(**options).map(lambda pair: pair[0])


@st.composite
def settings_tables(
    draw: st.DrawFn, space: FactorSpace, *, min_size: int = 1, max_size: int = 5
) -> pd.DataFrame:
    """Rows of settings within each factor's range; constraints are not asked for."""
    n_rows = draw(st.integers(min_size, max_size))
    return pd.DataFrame(
        {f.name: [draw(values_of(f)) for _ in range(n_rows)] for f in space.searched}
    )

"""Hypothesis strategies for responses, objectives, designs and observations; all are valid."""

import math
from collections.abc import Sequence
from datetime import timedelta, timezone
from typing import Any

import pandas as pd
from hypothesis import strategies as st

from doe.expressions import quoted
from doe.factors import BlockFactor, Context, Covariate
from doe.responses import (
    AnyResponse,
    At,
    DerivedResponse,
    Desirability,
    Goal,
    Objective,
    Pareto,
    ProbabilityInSpecification,
    Response,
    Single,
    Specification,
    Weighted,
)
from doe.runs import Design, Measurement, Observations
from doe.space import FactorSpace
from tests.doe.strategies import (
    names,
    numbers,
    numeric,
    settings_tables,
    spaces_with_setting,
    units,
)


@st.composite
def responses(draw: st.DrawFn, name: str) -> Response:
    return Response(
        name,
        draw(units()),
        kind=draw(st.sampled_from(["continuous", "continuous", "pass_fail"])),
        transform=draw(st.sampled_from(["none", "log", "sqrt", "inverse", "logit"])),
        detection_limit=draw(st.none() | numbers(0.0, 1.0)),
        method=draw(st.none() | st.sampled_from(["HPLC", "offline OD"])),
        method_sd=draw(st.none() | numbers(0.01, 5.0)),
        summary=draw(
            st.sampled_from(["end", "max", "integral"])
            | st.builds(At, numbers(0.0, 10.0), st.sampled_from(["h", "d", "min"]))
        ),
        time_unit=draw(st.sampled_from(["h", "d", "min"])),
    )


@st.composite
def all_responses(draw: st.DrawFn, taken: Sequence[str] = ()) -> tuple[AnyResponse, ...]:
    """One to three measured responses, and at times one derived from them."""
    free = names().filter(lambda name: name not in taken)
    chosen = draw(st.lists(free, min_size=2, max_size=4, unique=True))
    measured = [draw(responses(name)) for name in chosen[:-1]]
    if not draw(st.booleans()):
        return tuple(measured)
    parts = " + ".join(quoted(response.name) for response in measured)
    return (*measured, DerivedResponse(chosen[-1], f"2 * ({parts})", draw(units())))


@st.composite
def specifications(draw: st.DrawFn, response: str) -> Specification:
    lower = draw(st.none() | numbers(-100.0, 0.0))
    upper = draw(numbers(0.5, 100.0) if lower is None else st.none() | numbers(0.5, 100.0))
    basis: Any = draw(st.sampled_from(["specification", "in-process", "target"]))
    return Specification(response, lower, upper, basis=basis)


@st.composite
def goals(draw: st.DrawFn, response: str, *, aims: Sequence[Any], bounded: bool = False) -> Goal:
    aim = draw(st.sampled_from(aims))
    with_range = bounded or aim == "range" or draw(st.booleans())
    return Goal(
        response,
        aim,
        target=draw(numbers(0.5, 10.0)) if aim == "target" else None,
        low=draw(numbers(-50.0, 0.0)) if with_range else None,
        high=draw(numbers(11.0, 50.0)) if with_range else None,
        weight=draw(numbers(0.1, 5.0)),
        importance=draw(numbers(0.1, 5.0)),
    )


@st.composite
def objectives(draw: st.DrawFn, among: Sequence[str]) -> Objective:
    """An objective of any kind over the responses of these names."""
    kinds = ["single", "desirability", "weighted", "probability"]
    kind = draw(st.sampled_from([*kinds, "pareto"] if len(among) > 1 else kinds))
    any_aim, monotone = ["maximise", "minimise", "target", "range"], ["maximise", "minimise"]
    match kind:
        case "single":
            return Single(draw(goals(among[0], aims=any_aim)))
        case "pareto":
            reference = draw(st.none() | st.just({among[0]: 1.5}))
            return Pareto(tuple(draw(goals(name, aims=any_aim)) for name in among), reference)
        case "desirability":
            return Desirability(
                tuple(draw(goals(name, aims=any_aim, bounded=True)) for name in among)
            )
        case "weighted":
            return Weighted(tuple(draw(goals(name, aims=monotone)) for name in among))
        case _:
            return ProbabilityInSpecification()


@st.composite
def designs(draw: st.DrawFn) -> Design:
    """A design with blocks, an order, generators and details at times."""
    space, setting = draw(spaces_with_setting())
    runs = pd.concat([setting, draw(settings_tables(space))], ignore_index=True)
    n_runs, block_levels = len(runs), st.sampled_from(["1", "2", "day 3"])
    return Design(
        space,
        runs,
        draw(st.sampled_from(["full factorial, 2 levels", "Latin hypercube"])),
        point_types=tuple(draw(st.sampled_from([("factorial",) * n_runs, ()]))),
        run_order=tuple(draw(st.permutations(range(1, n_runs + 1)))),
        blocks={b.name: tuple(draw(block_levels) for _ in range(n_runs)) for b in space.blocks},
        generators=draw(st.sampled_from([(), ("E = ABCD",)])),
        seed=draw(st.none() | st.integers(0, 2**32)),
        details=draw(st.dictionaries(st.sampled_from(["alpha", "note"]), _json(), max_size=2)),
    )


def _json() -> st.SearchStrategy[Any]:
    leaf = st.none() | st.booleans() | st.integers(-9, 9) | numbers() | st.text(max_size=5)
    return leaf | st.lists(leaf, max_size=3)


@st.composite
def measurements(
    draw: st.DrawFn, run: str, response: str, *, time: float | None = None, replicate: int = 1
) -> Measurement:
    offset = timezone(timedelta(minutes=draw(st.integers(-720, 720))))
    return Measurement(
        run,
        response,
        draw(numbers()),
        qualifier=draw(st.sampled_from(["=", "=", "=", "<", ">"])),
        time=time,
        replicate=replicate,
        sd=draw(st.none() | numbers(0.01, 5.0)),
        method=draw(st.none() | st.sampled_from(["HPLC", "ELISA"])),
        measured_at=draw(st.none() | st.datetimes(timezones=st.just(offset))),
    )


@st.composite
def observations(draw: st.DrawFn) -> Observations:
    """Runs with targets, actual settings that are missing at times, and measurements."""
    space, setting = draw(spaces_with_setting())
    taken = [factor.name for factor in space.factors]
    measured = draw(all_responses(taken))
    target = pd.concat([setting, draw(settings_tables(space))], ignore_index=True)
    runs = [f"run {i}" for i in range(1, len(target) + 1)]
    target.index = pd.Index(runs)
    actual = target.copy()
    for name in numeric(space.searched):
        missing = [draw(st.booleans()) for _ in runs]
        actual[name] = actual[name].astype(float).mask(missing)
    return Observations(
        space,
        measured,
        target,
        actual,
        draw(_recorded_tables(space, runs)),
        draw(_all_measurements(runs, measured)),
        tuple(
            draw(st.sampled_from(["designed", "recommended", "added", "imported"])) for _ in runs
        ),
    )


@st.composite
def _recorded_tables(draw: st.DrawFn, space: FactorSpace, runs: Sequence[str]) -> pd.DataFrame:
    columns: dict[str, list[Any]] = {}
    for factor in space.factors:
        match factor:
            case Covariate():
                values: st.SearchStrategy[Any] = numbers(0.0, 10.0) | st.just(math.nan)
            case Context(levels=choices):
                values = st.sampled_from(choices)
            case BlockFactor():
                values = st.sampled_from(["1", "2", "day 3"])
            case _:
                continue
        columns[factor.name] = [draw(values) for _ in runs]
    return pd.DataFrame(columns, index=pd.Index(runs))


@st.composite
def _all_measurements(
    draw: st.DrawFn, runs: Sequence[str], measured: Sequence[AnyResponse]
) -> tuple[Measurement, ...]:
    made: list[Measurement] = []
    for run in runs:
        for response in measured:
            if not isinstance(response, Response):
                continue
            times = draw(st.sampled_from([(), (None,), (0.0, 1.5, 4.0)]))
            for time in times:
                for replicate in range(1, draw(st.integers(1, 2)) + 1):
                    one = measurements(run, response.name, time=time, replicate=replicate)
                    made.append(draw(one))
    return tuple(made)

"""Planning the first runs: a design by name or by advice, and the sheet to fill in."""

from collections.abc import Callable, Mapping
from importlib import import_module
from inspect import Parameter, Signature
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, Literal, cast

import typer

from campaigns.commands.design_options import KINDS, OPTIONS, Blocking, arguments_of, later_blocks
from campaigns.commands.option_words import in_options, said_in_options
from campaigns.commands.session import (
    DEFAULT_STORE,
    TABLES,
    ActorOption,
    CampaignOption,
    ForceOption,
    JsonOption,
    StoreOption,
    free_path,
    opened,
)

if TYPE_CHECKING:
    import numpy as np

    from campaigns.campaign import Campaign
    from doe.advice import Advice
    from doe.designs.optimal.costs import RunCost
    from doe.runs import Design

KindName = Literal[
    "full-factorial",
    "fractional-factorial",
    "plackett-burman",
    "definitive-screening",
    "central-composite",
    "box-behnken",
    "doehlert",
    "simplex-lattice",
    "simplex-centroid",
    "extreme-vertices",
    "latin-hypercube",
    "sobol",
    "max-projection",
    "fast-flexible",
    "optimal",
    "split-plot",
]
Purpose = Literal["screen", "characterise", "optimise", "robustness"]
DEFAULT_SHEET = Path("run-sheet.xlsx")

Kind = Annotated[KindName | None, typer.Argument(help="Which kind of design.")]
Advise = Annotated[
    bool, typer.Option("--advise", help="Compare designs for a goal instead of planning one.")
]
GoalOption = Annotated[
    Purpose | None, typer.Option("--goal", help="What the advised study is for.")
]
Budget = Annotated[int | None, typer.Option("--budget", help="The most runs, for advice.")]
Effect = Annotated[
    float | None, typer.Option("--effect", help="Difference to be found, in the response's unit.")
]
Sd = Annotated[float, typer.Option("--sd", help="Run-to-run SD, in the same unit.")]
RunCostOption = Annotated[
    float | None, typer.Option("--run-cost", help="Cost of one run, for advice; 1 when absent.")
]
InStandardOrder = Annotated[
    bool, typer.Option("--standard-order", help="Do not randomise the order of the runs.")
]
Preview = Annotated[
    bool, typer.Option("--preview", help="Show the design; record and write nothing.")
]
Out = Annotated[Path, typer.Option("--out", help="The sheet to fill in.")]

# What every kind takes, and its default.
_COMMON: tuple[tuple[str, Any, object], ...] = (
    ("advise", Advise, False),
    ("goal", GoalOption, None),
    ("budget", Budget, None),
    ("effect", Effect, None),
    ("sd", Sd, 1.0),
    ("run_cost", RunCostOption, None),
    ("standard_order", InStandardOrder, False),
    ("preview", Preview, False),
    ("out", Out, DEFAULT_SHEET),
    ("force", ForceOption, False),
    ("store", StoreOption, DEFAULT_STORE),
    ("campaign", CampaignOption, None),
    ("actor", ActorOption, None),
    ("as_json", JsonOption, False),
)


def design(kind: KindName | None = None, **given: Any) -> None:
    """Plan the first runs by a classical design, or ask for advice on which one."""
    with opened(given["store"], given["campaign"], given["actor"]) as study, said_in_options():
        if given["advise"]:
            _advise(study, kind, given)
            return
        blocking, arguments = _arguments(kind, given)
        planned = _plan(
            study, str(kind), arguments, blocking, randomise=not given["standard_order"]
        )
        if given["preview"]:
            show_design(planned, None, None, as_json=given["as_json"])
            return
        sheet = free_path(given["out"], force=given["force"], endings=TABLES)
        seed_and_write(study, planned, sheet, as_json=given["as_json"])


def _signature() -> Signature:
    """Return the parameters of the command, so that the table of options is their only list."""
    first = Parameter("kind", Parameter.POSITIONAL_OR_KEYWORD, default=None, annotation=Kind)
    others = [
        Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, annotation, default in _COMMON
    ]
    return Signature([first, *(option.parameter() for option in OPTIONS), *others])


design.__signature__ = _signature()  # type: ignore[attr-defined]  # Typer reads it from here


def seed_and_write(
    study: "Campaign",
    planned: "Design",
    sheet: Path,
    *,
    adds_to_others: bool = False,
    as_json: bool,
) -> None:
    """Take over a design that passes its pre-flight check, and write its run sheet.

    Raises:
        DesignError: If a run must not be done as it is planned.
    """
    from campaigns.exports.run_sheet import write_run_sheet

    check_ready(planned)
    names = study.seed(planned)
    in_order = [name for _, name in sorted(zip(planned.run_order, names, strict=True))]
    write_run_sheet(study.state, sheet, runs=in_order)
    show_design(planned, names, sheet, adds_to_others=adds_to_others, as_json=as_json)


def check_ready(planned: "Design") -> None:
    """Refuse a design with a run that must not be done as it is planned.

    Raises:
        DesignError: With the first of them.
    """
    from doe.errors import DesignError
    from doe.preflight_check import preflight

    faults = [finding for finding in preflight(planned) if finding.severity == "error"]
    if faults:
        raise DesignError(f"{len(faults)} findings stop this design: {faults[0].sentence}")


def show_design(
    planned: "Design",
    names: tuple[str, ...] | None,
    sheet: Path | None,
    *,
    adds_to_others: bool = False,
    as_json: bool,
) -> None:
    """Show a design in the order of doing, with what its pre-flight check found."""
    from campaigns.commands.console import answer_json, hint, say, show_table
    from doe.preflight_check import preflight

    table = planned.run_sheet()
    checked = preflight(planned, adds_to_others=adds_to_others)
    found = [(finding.severity, in_options(finding.sentence)) for finding in checked]
    found += [("note", in_options(sentence)) for sentence in _remarks(planned)]
    if names is not None:
        table.insert(0, "run", [names[place - 1] for place in table["standard order"]])
    if as_json:
        answer_json(
            {
                "method": planned.method,
                "n_runs": planned.n_runs,
                "runs": None if names is None else list(names),
                "sheet": None if sheet is None else str(sheet),
                "generators": list(planned.generators),
                "randomisation": planned.randomisation,
                "details": dict(planned.details),
                "findings": [list(finding) for finding in found],
                "table": table.to_dict(orient="records"),
            }
        )
        return
    say(f"{planned.method}: {planned.n_runs} runs.")
    show_table([str(column) for column in table.columns], table.to_numpy().tolist())
    say(f"Order: {planned.randomisation or 'standard order, not randomised'}.")
    for severity, sentence in found:
        say(f"{severity.capitalize()}: {sentence}", style="yellow")
    if sheet is not None:
        say(f"The sheet to fill in: {sheet}")
        hint(f"When it is filled in: bayeswell import {quote(str(sheet))}")


def _remarks(planned: "Design") -> list[str]:
    """Return what the maker of a design wants to be known: what it assumed and what follows."""
    remarks: list[str] = []
    for name in ("note", "assumptions", "centre_runs"):
        value = planned.details.get(name)
        if isinstance(value, str):
            remarks.append(value if name != "centre_runs" else f"centre runs: {value}")
        elif isinstance(value, list | tuple):
            remarks += [str(each) for each in value]
    return remarks


def _arguments(
    kind: str | None, given: Mapping[str, Any]
) -> tuple[Blocking | None, dict[str, Any]]:
    from doe.errors import InvalidValueError

    if kind is None:
        raise InvalidValueError(
            f"Say which kind of design: {', '.join(KINDS)}; or ask for advice with --advise --goal "
            "screen --budget 20."
        )
    for_advice = ("goal", "budget", "effect", "run_cost")
    advised = [f"--{n.replace('_', '-')}" for n in for_advice if given[n] is not None]
    if advised:
        raise InvalidValueError(f"{', '.join(advised)} needs --advise beside it.")
    blocking, others = later_blocks(kind, _typed(given))
    return blocking, arguments_of(kind, others)


def _typed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of designs that were given, by flag."""
    asked = {option.flag: given[option.name] for option in OPTIONS}
    # Zero is a number that was given; a switch that is off, and no list, are not.
    return {f: v for f, v in asked.items() if v is not None and v is not False and v != []}


def _plan(
    study: "Campaign",
    kind: str,
    arguments: dict[str, Any],
    blocking: Blocking | None,
    *,
    randomise: bool,
) -> "Design":
    from campaigns.randomness import generator, spawn_key
    from doe.named_models import model_terms

    # Keyed by the last event, so that a second design of the same kind is another one.
    seed = study.state.definition.seed
    rng = generator(seed, spawn_key(study.state.sequence, "design"))
    for name in {"terms", "potential"} & set(arguments):
        arguments[name] = model_terms(arguments[name], study.space)
    if "cost" in arguments:
        arguments["cost"] = _run_cost(arguments["cost"])
    if KINDS[kind].draws:
        arguments["rng"] = rng
    module, _, function = KINDS[kind].maker.partition(":")
    maker = cast("Callable[..., Design]", getattr(import_module(module), function))
    planned = maker(study.space, **arguments)
    if blocking is not None:
        planned = _divided(planned, blocking, rng)
    return planned.randomised(rng=rng, seed=seed) if randomise else planned


def _divided(planned: "Design", blocking: Blocking, rng: "np.random.Generator") -> "Design":
    from doe.designs.blocking import in_blocks

    return in_blocks(planned, blocking.n_blocks, blocking.terms, block=blocking.block, rng=rng)


def _run_cost(expression: str, base: float | None = None) -> "RunCost":
    from doe.designs.optimal.costs import RunCost

    return RunCost(base or 0.0, expression)


def _advise(study: "Campaign", kind: str | None, given: Mapping[str, Any]) -> None:
    from campaigns.randomness import generator, spawn_key
    from doe.advice import advise
    from doe.errors import InvalidValueError

    if kind is not None or given["goal"] is None or given["budget"] is None:
        raise InvalidValueError(
            "Advice compares kinds of design for a goal within a budget of runs: "
            "bayeswell design --advise --goal screen --budget 20."
        )
    unheard = [flag for flag in _typed(given) if flag != "--cost"]
    if unheard:
        raise InvalidValueError(
            f"{', '.join(unheard)} means nothing beside --advise: leave it out."
        )
    rng = generator(study.state.definition.seed, spawn_key(study.state.sequence, "advice"))
    by_run = given["run_cost"]
    plain = 1.0 if by_run is None else by_run
    found = advise(
        study.space,
        given["goal"],
        given["budget"],
        effect=given["effect"],
        sd=given["sd"],
        run_cost=plain if given["cost"] is None else _run_cost(given["cost"], by_run),
        rng=rng,
    )
    _show_advice(found, as_json=given["as_json"])


def _show_advice(found: "Advice", *, as_json: bool) -> None:
    from campaigns.commands.console import answer_json, say, show_table
    from doe.advice.rules import RULES

    table, sentences = found.table(), [in_options(text) for text in found.sentences()]
    for column in ("for", "against"):
        table[column] = [in_options(text) for text in table[column]]
    left_out = [[name, in_options(why)] for name, why in found.left_out]
    if as_json:
        answer_json(
            {
                "goal": found.goal,
                "budget": found.budget,
                "designs": table.to_dict(orient="records"),
                "sentences": sentences,
                "left_out": left_out,
                "rules": list(RULES),
            }
        )
        return
    shown = table.drop(columns=["for", "against", "source"])
    show_table([str(column) for column in shown.columns], shown.to_numpy().tolist())
    for sentence in sentences:
        say(sentence)
    for row in table.to_dict(orient="records"):
        say(f"\n{row['design']}\n  for: {row['for']}\n  against: {row['against']}")
        say(f"  source: {row['source']}")
    for name, why in left_out:
        say(f"\nNot offered, {name}: {why}")
    say("\n  ".join(["\nRules:", *RULES]))

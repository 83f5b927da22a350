"""Classical designs: the first runs of a campaign, on a sheet to fill in."""

from collections.abc import Callable, Mapping
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

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
    from doe.runs import Design
    from doe.space import FactorSpace

DesignKind = Literal[
    "full-factorial",
    "fractional-factorial",
    "plackett-burman",
    "central-composite",
    "box-behnken",
    "latin-hypercube",
    "sobol",
]
Variant = Literal["face-centred", "inscribed", "rotatable", "spherical", "orthogonal blocks"]
DEFAULT_SHEET = Path("run-sheet.xlsx")

# Which options each kind listens to, by the name of the argument that they become.
_ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "full-factorial": {
        "--levels": "levels",
        "--centre-points": "centre_points",
        "--replicates": "replicates",
    },
    "fractional-factorial": {
        "--runs": "n_runs",
        "--resolution": "resolution",
        "--generator": "generators",
        "--centre-points": "centre_points",
        "--replicates": "replicates",
    },
    "plackett-burman": {"--runs": "n_runs", "--centre-points": "centre_points"},
    "central-composite": {
        "--variant": "kind",
        "--beyond": "axial",
        "--centre-points": "centre_points",
    },
    "box-behnken": {"--centre-points": "centre_points"},
    "latin-hypercube": {"--runs": "n_runs"},
    "sobol": {"--runs": "n_runs"},
}

Levels = Annotated[int | None, typer.Option(help="Levels per factor (full factorial).")]
Resolution = Annotated[int | None, typer.Option(help="Of a fraction: 3, 4, 5...")]
Generators = Annotated[
    list[str] | None, typer.Option("--generator", help='Of a fraction: "E=ABCD".')
]
Axial = Annotated[
    Variant | None, typer.Option(help="Where the axial runs of a central composite are.")
]
Beyond = Annotated[
    bool, typer.Option("--beyond", help="Axial runs may lie outside the factors' ranges.")
]
InStandardOrder = Annotated[
    bool, typer.Option("--standard-order", help="Do not randomise the order of the runs.")
]
Preview = Annotated[
    bool, typer.Option("--preview", help="Show the design; record and write nothing.")
]


def design(
    kind: Annotated[DesignKind, typer.Argument(help="Which kind of design.")],
    *,
    runs: Annotated[int | None, typer.Option("--runs", help="How many runs.")] = None,
    levels: Levels = None,
    resolution: Resolution = None,
    generator: Generators = None,
    variant: Axial = None,
    beyond: Beyond = False,
    centre_points: Annotated[int | None, typer.Option(help="How many centre runs.")] = None,
    replicates: Annotated[int | None, typer.Option(help="How often each factorial run.")] = None,
    standard_order: InStandardOrder = False,
    preview: Preview = False,
    out: Annotated[Path, typer.Option("--out", help="The sheet to fill in.")] = DEFAULT_SHEET,
    force: ForceOption = False,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Plan the first runs by a classical design, and write the sheet to fill in."""
    given = {
        "--runs": runs,
        "--levels": levels,
        "--resolution": resolution,
        "--generator": generator or None,
        "--variant": variant,
        "--beyond": "beyond" if beyond else None,
        "--centre-points": centre_points,
        "--replicates": replicates,
    }
    arguments = _arguments(kind, {n: v for n, v in given.items() if v is not None})
    with opened(store, campaign, actor) as study:
        planned = _plan(study, kind, arguments, randomise=not standard_order)
        if preview:
            _show(planned, None, None, as_json=as_json)
            return
        sheet = free_path(out, force=force, endings=TABLES)
        _seed(study, planned, sheet, as_json=as_json)


def _seed(study: "Campaign", planned: "Design", sheet: Path, *, as_json: bool) -> None:
    from campaigns.exports.run_sheet import write_run_sheet

    names = study.seed(planned)
    in_order = [name for _, name in sorted(zip(planned.run_order, names, strict=True))]
    write_run_sheet(study.state, sheet, runs=in_order)
    _show(planned, names, sheet, as_json=as_json)


def _arguments(kind: str, given: Mapping[str, Any]) -> dict[str, Any]:
    from doe.errors import InvalidValueError

    heard = _ARGUMENTS[kind]
    unheard = [option for option in given if option not in heard]
    if unheard:
        raise InvalidValueError(
            f"{', '.join(unheard)} means nothing for a {kind} design; it takes {', '.join(heard)}."
        )
    if kind in ("latin-hypercube", "sobol") and "--runs" not in given:
        raise InvalidValueError(f"Say how many runs the {kind} design is to have: --runs 20.")
    return {heard[option]: value for option, value in given.items()}


def _plan(study: "Campaign", kind: str, arguments: dict[str, Any], *, randomise: bool) -> "Design":
    from campaigns.randomness import generator, spawn_key

    # Keyed by the last event, so that a second design of the same kind is another one.
    seed = study.state.definition.seed
    rng = generator(seed, spawn_key(study.state.sequence, "design"))
    planned = _made(study.space, kind, arguments, rng=rng)
    return planned.randomised(rng=rng, seed=seed) if randomise else planned


def _made(
    space: "FactorSpace", kind: str, arguments: dict[str, Any], *, rng: "np.random.Generator"
) -> "Design":
    from doe.designs.factorial import fractional_factorial, full_factorial
    from doe.designs.response_surface import box_behnken, central_composite
    from doe.designs.screening import plackett_burman
    from doe.designs.space_filling import latin_hypercube, sobol

    makers: Mapping[str, Callable[..., Design]] = {
        "full-factorial": full_factorial,
        "fractional-factorial": fractional_factorial,
        "plackett-burman": plackett_burman,
        "central-composite": central_composite,
        "box-behnken": box_behnken,
    }
    if kind in makers:
        return makers[kind](space, **arguments)
    spread = latin_hypercube if kind == "latin-hypercube" else sobol
    return spread(space, arguments["n_runs"], rng=rng)


def _show(
    planned: "Design", names: tuple[str, ...] | None, sheet: Path | None, *, as_json: bool
) -> None:
    from campaigns.commands.console import answer_json, hint, say, show_table

    table = planned.run_sheet()
    if names is not None:
        table.insert(0, "run", [names[place - 1] for place in table["standard order"]])
    if as_json:
        answer_json(
            {
                "method": planned.method,
                "runs": None if names is None else list(names),
                "sheet": None if sheet is None else str(sheet),
                "generators": list(planned.generators),
                "table": table.to_dict(orient="records"),
            }
        )
        return
    say(f"{planned.method}: {planned.n_runs} runs.")
    show_table([str(column) for column in table.columns], table.to_numpy().tolist())
    if sheet is not None:
        say(f"The sheet to fill in: {sheet}")
        hint(f"When it is filled in: bayeswell record {quote(str(sheet))}")

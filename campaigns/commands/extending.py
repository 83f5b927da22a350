"""Runs judged before they are done, and further runs for what the runs so far cannot tell."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from campaigns.commands.designs import DEFAULT_SHEET, Out, seed_and_write, show_design
from campaigns.commands.option_words import said_in_options
from campaigns.commands.session import (
    DEFAULT_STORE,
    TABLES,
    ActorOption,
    CampaignOption,
    ForceOption,
    JsonOption,
    StoreOption,
    free_folder,
    free_path,
    opened,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd

    from campaigns.campaign import Campaign
    from doe.evaluation import DesignEvaluation
    from doe.runs import Design

Addition = Literal[
    "centre-points",
    "axial-points",
    "fold-over",
    "curvature",
    "separate",
    "surface",
    "optimal",
    "replicates",
    "repair",
    "space-filling",
]
AxialVariant = Literal["face-centred", "rotatable", "spherical"]
TermsOption = Annotated[
    str, typer.Option("--terms", help="Model: linear, interaction, quadratic, or a formula.")
]
WhatArgument = Annotated[
    Addition,
    typer.Argument(
        help="What the further runs are for. The ranges of a campaign stay as they are: for wider "
        "ones begin another campaign and import these runs."
    ),
]
RunsOption = Annotated[
    int | None,
    typer.Option(
        "--runs",
        help="How many further runs; of centre points, for each combination of levels that have "
        "no middle.",
    ),
]
ModelOption = Annotated[
    str | None, typer.Option("--terms", help="Model: linear, interaction, quadratic...")
]
FactorOption = Annotated[
    list[str] | None, typer.Option("--factor", help="A factor that they are for.")
]
FreeOption = Annotated[
    list[str] | None, typer.Option("--free", help='An effect to set free: "pH:feed".')
]
VariantOption = Annotated[
    AxialVariant | None, typer.Option("--variant", help="Where axial runs are.")
]
BeyondOption = Annotated[
    bool, typer.Option("--beyond", help="Axial runs may lie outside the factors' ranges.")
]
BlockOption = Annotated[
    str | None,
    typer.Option("--block", help="Block factor that tells further runs from the earlier ones."),
]
SameBlockOption = Annotated[bool, typer.Option("--same-block", help="Not in a block of their own.")]
PreviewOption = Annotated[
    bool, typer.Option("--preview", help="Show the runs; record and write nothing.")
]


def evaluate(
    table: Annotated[
        Path | None, typer.Argument(help="Runs to judge, CSV or XLSX; the campaign's when absent.")
    ] = None,
    *,
    terms: TermsOption = "quadratic",
    effect: Annotated[
        float | None, typer.Option(help="Difference to be found, in the response's unit; 2 SD.")
    ] = None,
    sd: Annotated[float, typer.Option(help="Run-to-run SD, in the same unit.")] = 1.0,
    variance_ratio: Annotated[
        float | None, typer.Option(help="Variance of random blocks over that of runs.")
    ] = None,
    figures: Annotated[Path | None, typer.Option(help="Folder for the figures.")] = None,
    force: ForceOption = False,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge runs before they are done: power, precision, aliases, what can be estimated."""
    from campaigns.commands.console import answer_json, say

    with opened(store, campaign, actor) as study, said_in_options():
        found = _evaluated(study, table, terms, effect=effect, sd=sd, variance_ratio=variance_ratio)
    files = [] if figures is None else _draw(found, figures, force=force)
    if as_json:
        answer_json({**found.to_record(), "figures": [str(file) for file in files]})
        return
    _show_evaluation(found)
    for file in files:
        say(f"Figure: {file}")


def _evaluated(
    study: "Campaign",
    table: Path | None,
    terms: str,
    *,
    effect: float | None,
    sd: float,
    variance_ratio: float | None,
) -> "DesignEvaluation":
    from campaigns.randomness import generator, spawn_key
    from campaigns.runs_so_far import runs_so_far
    from doe.evaluation import evaluate as evaluated
    from doe.named_models import model_terms

    runs = runs_so_far(study.state) if table is None else _read(study, table)
    key = spawn_key(study.state.sequence, "evaluation")
    rng = generator(study.state.definition.seed, key)
    return evaluated(
        runs,
        model_terms(terms, study.space),
        space=study.space,
        effect=effect,
        sd=sd,
        variance_ratio=variance_ratio,
        rng=rng,
    )


def augment(
    what: WhatArgument,
    *,
    runs: RunsOption = None,
    terms: ModelOption = None,
    factor: FactorOption = None,
    effects: FreeOption = None,
    variant: VariantOption = None,
    beyond: BeyondOption = False,
    block: BlockOption = None,
    same_block: SameBlockOption = False,
    preview: PreviewOption = False,
    out: Out = DEFAULT_SHEET,
    force: ForceOption = False,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Plan further runs for what the runs so far cannot tell, and write their sheet."""
    given = {
        "--runs": runs,
        "--terms": terms,
        "--factor": factor or None,
        "--free": effects or None,
        "--variant": variant,
        "--beyond": "beyond" if beyond else None,
        "--block": block,
    }
    asked = {flag: value for flag, value in given.items() if value is not None}
    with opened(store, campaign, actor) as study, said_in_options():
        planned = _added(study, what, asked, in_new_block=not same_block)
        if preview:
            show_design(planned, None, None, adds_to_others=True, as_json=as_json)
            return
        sheet = free_path(out, force=force, endings=TABLES)
        seed_and_write(study, planned, sheet, adds_to_others=True, as_json=as_json)


def _added(
    study: "Campaign", what: Addition, asked: Mapping[str, Any], *, in_new_block: bool
) -> "Design":
    from campaigns.randomness import generator, spawn_key
    from doe.errors import InvalidValueError

    takes, needs = _TAKES[what]
    unheard = [flag for flag in asked if flag not in takes]
    lacking = [flag for flag in needs if flag not in asked]
    if unheard or lacking:
        problem = f"takes no {', '.join(unheard)}" if unheard else f"needs {', '.join(lacking)}"
        raise InvalidValueError(
            f"`augment {what}` {problem}; it takes {', '.join(takes) or 'no option of its own'}."
        )
    seed = study.state.definition.seed
    rng = generator(seed, spawn_key(study.state.sequence, "design"))
    made = _MAKERS[what](_Request(study, asked, in_new_block, rng))
    return made.randomised(rng=rng, seed=seed)


_TAKES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "centre-points": (("--runs", "--block"), ()),
    "axial-points": (("--factor", "--variant", "--beyond", "--block"), ()),
    "fold-over": (("--factor", "--free", "--block"), ()),
    "curvature": (("--factor", "--runs", "--block"), ()),
    "separate": (("--free", "--runs", "--block"), ("--free",)),
    "surface": (("--factor", "--runs", "--block"), ("--factor",)),
    "optimal": (("--runs", "--terms", "--block"), ("--runs", "--terms")),
    "replicates": (("--runs", "--terms", "--block"), ("--runs", "--terms")),
    "repair": (("--terms", "--block"), ("--terms",)),
    "space-filling": (("--runs",), ("--runs",)),
}


@dataclass(frozen=True, slots=True)
class _Request:
    """What further runs are asked for, and where random draws come from."""

    study: "Campaign"
    asked: Mapping[str, Any]
    in_new_block: bool
    rng: "np.random.Generator"


def _with(
    function: str, names: Mapping[str, str], *, draws: bool = True
) -> Callable[[_Request], "Design"]:
    """Return what calls a function of ``doe.augmentation`` on the runs so far."""

    def made(request: _Request) -> "Design":
        import doe.augmentation as further
        from campaigns.runs_so_far import runs_so_far

        argument_of = {**names, "--block": "block"}
        arguments = {argument_of[flag]: value for flag, value in request.asked.items()}
        if function != "add_fold_over":
            arguments["in_new_block"] = request.in_new_block
        if draws:
            arguments["rng"] = request.rng
        study = request.study
        runs = runs_so_far(study.state)
        design: Design = getattr(further, function)(runs, study.space, **arguments)
        return design

    return made


def _repaired(request: _Request) -> "Design":
    import pandas as pd

    from campaigns.runs_so_far import lost_runs, runs_so_far
    from doe.augmentation import repair_lost_runs
    from doe.runs import Design

    state = request.study.state
    lost = lost_runs(state)
    both = pd.concat([lost, runs_so_far(state)])
    names = [block.name for block in state.space.blocks if not both[block.name].isna().any()]
    settings = both[list(state.space.names)]
    blocks = {name: tuple(map(str, both[name])) for name in names}
    return repair_lost_runs(
        Design(state.space, settings, "runs of the campaign", blocks=blocks),
        lost=range(1, len(lost) + 1),
        terms=request.asked["--terms"],
        block=request.asked.get("--block"),
        rng=request.rng,
        in_new_block=request.in_new_block,
    )


def _filled(request: _Request) -> "Design":
    from campaigns.runs_so_far import runs_so_far
    from doe.designs.fast_flexible import augment_space_filling

    space = request.study.space
    existing = runs_so_far(request.study.state)[list(space.names)]
    return augment_space_filling(space, existing, request.asked["--runs"], rng=request.rng)


_MAKERS: Mapping[str, Callable[[_Request], "Design"]] = {
    "centre-points": _with("add_centre_points", {"--runs": "centre_points"}, draws=False),
    "axial-points": _with(
        "add_axial_points",
        {"--factor": "factors", "--variant": "kind", "--beyond": "axial"},
        draws=False,
    ),
    "fold-over": _with("add_fold_over", {"--factor": "factors", "--free": "free"}, draws=False),
    "curvature": _with("estimate_curvature", {"--factor": "factors", "--runs": "n_runs"}),
    "separate": _with("separate_effects", {"--free": "effects", "--runs": "n_runs"}),
    "surface": _with("extend_screening_to_surface", {"--factor": "factors", "--runs": "n_runs"}),
    "optimal": _with("augment_optimal", {"--runs": "n_runs", "--terms": "terms"}),
    "replicates": _with("replicate_uncertain", {"--runs": "n_runs", "--terms": "terms"}),
    "repair": _repaired,
    "space-filling": _filled,
}


def _read(study: "Campaign", table: Path) -> "pd.DataFrame":
    from doe.tables import read_table

    responses = study.state.definition.responses
    observed = read_table(table, space=study.space, responses=responses).observations
    return observed.settings()


def _show_evaluation(found: "DesignEvaluation") -> None:
    from campaigns.commands.console import say, show_table

    for frame in (found.summary(), found.terms_table()):
        show_table([str(column) for column in frame.columns], frame.to_numpy().tolist())
    for sentence in found.sentences():
        say(sentence)


def _draw(found: "DesignEvaluation", folder: Path, *, force: bool) -> list[Path]:
    from campaigns.exports.package import write_image
    from doe.evaluation.plots import correlation_plot, fraction_plot, leverage_plot, power_plot

    plots = {"power": power_plot, "correlations": correlation_plot, "leverage": leverage_plot}
    drawn = {name: plot(found) for name, plot in plots.items()}
    if found.region is not None:
        drawn["fraction of design space"] = fraction_plot(found)
    free_folder(folder)
    files = []
    for name, plot in drawn.items():
        file = free_path(folder / f"{name}.png", force=force, endings=(".png",))
        write_image(plot, file)
        files.append(file)
    return files

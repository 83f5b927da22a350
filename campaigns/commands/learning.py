"""What the results say: validation, drivers, the map of the design space, the choice of model."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from campaigns.commands.session import (
    DEFAULT_STORE,
    FIGURES,
    ActorOption,
    CampaignOption,
    ForceOption,
    JsonOption,
    ReasonOption,
    StoreOption,
    free_path,
    opened,
    pairs,
    settings_of,
)

if TYPE_CHECKING:
    from campaigns.events import Censored
    from campaigns.maps import ReliabilityMap
    from surrogates.drivers import Driver
    from surrogates.validation import Comparison

ResponseOption = Annotated[
    str | None, typer.Option("--response", help="One response; all measured ones when left out.")
]
COVERAGES = (0.50, 0.80, 0.95)


def choose_model(
    response: Annotated[str, typer.Argument(help="Which response.")],
    model: Annotated[
        str,
        typer.Argument(
            help="gaussian_process, linear, interaction, quadratic, cubic, or a formula."
        ),
    ],
    *,
    reason: ReasonOption,
    censored: Annotated[
        str,
        typer.Option(help="Values at a limit: refuse, leave_out, at_limit or likelihood."),
    ] = "refuse",
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Choose the kind of surrogate that models a response from now on."""
    from campaigns.commands.console import answer_json, say

    with opened(store, campaign, actor) as study:
        # What is not among the choices is refused by the campaign, in its own words.
        treatment = cast("Censored", censored)
        study.choose_model(response, model, censored=treatment, reason=reason)
    if as_json:
        answer_json({"response": response, "model": model, "censored": censored})
    else:
        say(f"{response} is modelled by {model} from now on.")


def validate(
    *,
    response: ResponseOption = None,
    groups: Annotated[
        str | None,
        typer.Option(help="What is held out together: run, replicates, or a block factor."),
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how well the surrogates predict runs that they have not seen."""
    from campaigns.commands.console import answer_json, showing_progress
    from campaigns.validations import validate_model
    from doe.responses import Response

    with opened(store, campaign, actor) as study:
        known = {m.response for m in study.observations.measurements}
        responses = study.state.definition.responses
        measured = [r.name for r in responses if isinstance(r, Response) and r.name in known]
        with showing_progress("Validating") as progress:
            compared = {
                name: validate_model(study, name, groups=groups, progress=progress)
                for name in ([response] if response else measured)
            }
    if as_json:
        found = {
            name: {
                "candidates": {n: dict(v.summary()) for n, v in each.validations.items()},
                "refused": dict(each.refusals),
            }
            for name, each in compared.items()
        }
        answer_json({"responses": found})
        return
    for name, each in compared.items():
        _show_comparison(name, each)


def _show_comparison(response: str, compared: "Comparison") -> None:
    from campaigns.commands.console import say, show_table

    shares = [f"within {100 * coverage:.0f} %" for coverage in COVERAGES]
    rows = [
        [name, found.q2, found.rmse, found.log_density, *(found.coverage[c] for c in COVERAGES)]
        for name, found in compared.validations.items()
    ]
    show_table(["candidate", "Q2", "RMSE", "log density", *shares], rows, title=response)
    for name, found in compared.validations.items():
        say(f"{name}: {found.verdict}")
    for name, why in compared.refusals.items():
        say(f"{name} was not possible: {why}", style="yellow")


def drivers(
    *,
    response: ResponseOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Also a figure, PNG or SVG; needs --response.")
    ] = None,
    force: ForceOption = False,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank the factors by how much they drive each response, with intervals."""
    from campaigns.commands.console import answer_json, say, stderr
    from campaigns.exports.package import write_image
    from doe.errors import InvalidValueError

    if out is not None and response is None:
        raise InvalidValueError("A figure shows one response: name it with --response.")
    figure = None if out is None else free_path(out, force=force, endings=FIGURES)
    with opened(store, campaign, actor) as study, stderr().status("Ranking the drivers"):
        ranking = study.drivers()
    shown = {response: ranking.of(response)} if response else ranking.drivers
    if figure is not None and response is not None:
        write_image(ranking.plot(response), figure)
    if as_json:
        table = ranking.table()
        rows = table[table["response"].isin(list(shown))].to_dict(orient="records")
        answer_json({"drivers": rows, "units": dict(ranking.units), "notes": list(ranking.notes)})
        return
    for name, found in shown.items():
        _show_drivers(name, ranking.units[name], found)
    for note in ranking.notes:
        say(note)


def _show_drivers(response: str, unit: str, drivers: "Sequence[Driver]") -> None:
    from campaigns.commands.console import show_table

    effect = f"effect, {unit} (95 %)" if unit else "effect (95 %)"
    cells = [
        [
            driver.factor,
            f"{driver.total.mean:.0%} ({driver.total.low:.0%} to {driver.total.high:.0%})",
            f"{driver.effect.mean:.2g} ({driver.effect.low:.2g} to {driver.effect.high:.2g})",
            driver.rank_probability[0],
            driver.studied,
        ]
        for driver in drivers
    ]
    columns = ["factor", "share of variation (95 %)", effect, "P(strongest)", "studied"]
    show_table(columns, cells, title=f"Drivers of {response}")


def design_space(
    *,
    x: Annotated[str | None, typer.Option("--x", help="Factor of the horizontal axis.")] = None,
    y: Annotated[str | None, typer.Option("--y", help="Factor of the vertical axis.")] = None,
    at: Annotated[
        list[str] | None, typer.Option("--at", help='Where to hold another factor: "pH=7".')
    ] = None,
    target: Annotated[
        float, typer.Option(min=0.01, max=0.9999, help="Reliability that is asked for.")
    ] = 0.95,
    out: Annotated[Path | None, typer.Option("--out", help="Also a figure, PNG or SVG.")] = None,
    force: ForceOption = False,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Map the probability that a new run meets every specification, over two factors."""
    from campaigns.commands.console import answer_json, say, stderr
    from campaigns.exports.package import write_image
    from campaigns.maps import map_reliability

    figure = None if out is None else free_path(out, force=force, endings=FIGURES)
    with opened(store, campaign, actor) as study, stderr().status("Mapping the design space"):
        held = settings_of(study.space.searched, pairs(at or [], "--at"))
        found = map_reliability(study, x, y, at=held, target=target)
    if figure is not None:
        write_image(found.plot, figure)
    if as_json:
        answer_json(_map_document(found, figure))
        return
    show_map(found)
    if figure is not None:
        say(f"The figure: {figure}")


def show_map(found: "ReliabilityMap") -> None:
    """Write a map as a coarse table, highest row first."""
    from campaigns.commands.console import say, stdout, table_of

    columns, rows, probability, outside = found.coarse()
    heading = [f"{found.plot.y.title} \\ {found.plot.x.title}", *(f"{c:.4g}" for c in columns)]
    cells = [
        [f"{row:.4g}", *(f"{p:.2f}{'*' if out else ' '}" for p, out in zip(ps, outs, strict=True))]
        for row, ps, outs in zip(rows, probability, outside, strict=True)
    ]
    stdout().print(table_of(heading, cells, title=found.plot.title))
    say(found.plot.sentence)
    if found.held_as_in is not None:
        say(f"The other factors are held as in run {found.held_as_in}.")
    say("An asterisk marks extrapolation: the runs do not support the number.")


def _map_document(found: "ReliabilityMap", figure: Path | None) -> dict[str, Any]:
    surface = found.surface
    shaded = None if surface.shaded is None else (surface.shaded > 0.5).tolist()
    return {
        "x": {"factor": found.x, "unit": found.plot.x.unit, "values": surface.x.tolist()},
        "y": {"factor": found.y, "unit": found.plot.y.unit, "values": surface.y.tolist()},
        "at": dict(found.at),
        "held_as_in_run": found.held_as_in,
        "probability": surface.z.tolist(),
        "extrapolates": shaded,
        "sentence": found.plot.sentence,
        "figure": None if figure is None else str(figure),
    }

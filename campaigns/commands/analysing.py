"""The analysis of a designed experiment: fit, analysis of variance, coefficients, diagnostics."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from campaigns.commands.session import (
    DEFAULT_STORE,
    ActorOption,
    CampaignOption,
    ForceOption,
    JsonOption,
    StoreOption,
    free_path,
    opened,
)

if TYPE_CHECKING:
    from campaigns.analysis import Analysis
    from campaigns.campaign import Campaign

# Long tables are for the files.
_SHOWN = (
    "fit",
    "analysis of variance",
    "coefficients, coded",
    "fit summary",
    "variance components",
    "values at a limit",
)


def analyse(
    response: Annotated[str, typer.Argument(help="Which response.")],
    *,
    terms: Annotated[
        str | None,
        typer.Option("--terms", help="Model: linear, interaction, quadratic, cubic, a formula."),
    ] = None,
    select: Annotated[
        Literal["backward", "forward", "stepwise", "all"] | None,
        typer.Option("--select", help="Select terms from these."),
    ] = None,
    by: Annotated[
        Literal["p", "AICc", "BIC"], typer.Option("--by", help="What decides the selection.")
    ] = "p",
    anova: Annotated[
        Literal["III", "I"], typer.Option("--anova", help="Partial or sequential sums of squares.")
    ] = "III",
    censored: Annotated[
        Literal["refuse", "leave_out", "at_limit", "likelihood"] | None,
        typer.Option("--censored", help="Values at a limit; as chosen when left out."),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="Folder for all tables and figures.")
    ] = None,
    force: ForceOption = False,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Analyse one response by a linear model: ANOVA, coefficients, diagnostics, figures."""
    from campaigns.analysis import analyse as analysed
    from campaigns.analysis import as_records
    from campaigns.commands.console import answer_json

    with opened(store, campaign, actor) as study:
        found = analysed(
            study,
            response,
            terms=terms,
            censored=censored,
            select=select,
            criterion=by,
            anova_kind=anova,
        )
        files = [] if out is None else _written(study, found, out, force=force)
    if as_json:
        document = {
            "response": response,
            "model": dict(found.model.describe()),
            "sentences": list(found.sentences()),
            "tables": as_records(found.tables()),
            "notes": list(found.notes()),
            "files": [str(file) for file in files],
        }
        answer_json(document)
        return
    _show(found, files)


def _show(found: "Analysis", files: list[Path]) -> None:
    from campaigns.commands.console import say, show_table

    for name, table in found.tables().items():
        if name in _SHOWN:
            flat = table.reset_index() if table.index.name is not None else table
            say(f"\n{name.capitalize()}")
            show_table([str(column) for column in flat.columns], flat.to_numpy().tolist())
    say()
    for sentence in found.sentences():
        say(sentence)
    for file in files:
        say(f"Written: {file}")


def _written(study: "Campaign", found: "Analysis", folder: Path, *, force: bool) -> list[Path]:
    from campaigns.exports.origin import origin
    from campaigns.exports.package import figure_name, write_image
    from doe.plot_tables import data_table
    from doe.tables import write_table

    tables = {figure_name(found.response, name): table for name, table in found.tables().items()}
    plots = {figure_name(found.response, name): plot for name, plot in found.plots().items()}
    paths = [
        *(folder / f"{name}.csv" for name in tables),
        *(folder / f"{name}.png" for name in plots),
        *(folder / f"{name}_data.csv" for name in plots),
    ]
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        free_path(path, force=force, endings=(path.suffix,))
    about = {**origin(study.state), "model": found.basis}
    for name, table in tables.items():
        flat = table.reset_index() if table.index.name is not None else table
        write_table(folder / f"{name}.csv", flat, title=name, metadata=about)
    for name, plot in plots.items():
        write_image(plot, folder / f"{name}.png")
        shown = data_table(plot).reset_index(drop=True)
        write_table(folder / f"{name}_data.csv", shown, title=plot.title, metadata=about)
    return paths

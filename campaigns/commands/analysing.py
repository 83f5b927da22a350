"""The analysis of a designed experiment: fit, analysis of variance, coefficients, diagnostics."""

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from campaigns.commands.option_words import said_in_options
from campaigns.commands.session import (
    DEFAULT_STORE,
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
    from campaigns.analysis import Analysis
    from campaigns.campaign import Campaign
    from campaigns.screening import Screening, ScreeningKind
    from surrogates.linear.screening.definitive_analysis import NoiseFrom

    Found = Analysis | Screening

# Long tables are for the files.
_SHOWN = (
    "fit",
    "analysis of variance",
    "coefficients, coded",
    "fit summary",
    "variance components",
    "values at a limit",
    "decisions",
    "probabilities",
    "sets of factors",
)
# What the packages call their arguments, as options of this command.
_OPTIONS: Mapping[str, str] = {
    "censored": "--censored",
    "terms": "--terms",
    "method": "--select",
    "select": "--select",
    "criterion": "--by",
    "anova_kind": "--anova",
    "noise": "--noise",
}
# The packages fit values at a limit by other functions; here it is one option more.
_WORDS: Mapping[str, str] = {
    "censored='leave_out' or 'at_limit'": "--censored leave_out, at_limit or likelihood",
    ", or Lenth's method (effects)": ", or Lenth's method (--screening effects)",
    "fewer candidates, or a larger max_models": "or fewer candidates",
    "max_models=": "",
}


Terms = Annotated[
    str | None,
    typer.Option("--terms", help="Model: linear, interaction, quadratic, cubic, a formula."),
]
Select = Annotated[
    Literal["backward", "forward", "stepwise", "all"] | None,
    typer.Option("--select", help="Select terms from these."),
]
By = Annotated[
    Literal["p", "AICc", "BIC"] | None,
    typer.Option("--by", help="What decides the selection; p when left out."),
]
Anova = Annotated[
    Literal["III", "I"] | None,
    typer.Option(
        "--anova", help="Partial (III) or sequential (I) sums of squares; III when left out."
    ),
]
Limits = Annotated[
    Literal["refuse", "leave_out", "at_limit", "likelihood"] | None,
    typer.Option("--censored", help="Values at a limit; as chosen when left out."),
]
Screen = Annotated[
    Literal["effects", "definitive", "bayesian"] | None,
    typer.Option(
        "--screening",
        help="Instead of a model: all effects of a two-level design, the two stages of a "
        "definitive screening design, or the probability that each factor is active.",
    ),
]
Noise = Annotated[
    Literal["clean", "residual"] | None,
    typer.Option(
        "--noise",
        help="With --screening definitive: test against what no second-order effect touches "
        "(clean; when left out), or against all that main effects leave.",
    ),
]
Out = Annotated[Path | None, typer.Option("--out", help="Folder for all tables and figures.")]


def analyse(
    response: Annotated[str, typer.Argument(help="Which response.")],
    *,
    terms: Terms = None,
    select: Select = None,
    by: By = None,
    anova: Anova = None,
    censored: Limits = None,
    screening: Screen = None,
    noise: Noise = None,
    out: Out = None,
    force: ForceOption = False,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Analyse one response by a linear model: ANOVA, coefficients, diagnostics, figures."""
    from campaigns.commands.console import answer_json

    model_options = {"terms": terms, "censored": censored, "select": select}
    model_options |= {"criterion": by, "anova_kind": anova}
    given = {name: value for name, value in model_options.items() if value is not None}
    with opened(store, campaign, actor) as study, said_in_options(_in_options):
        found = _found(study, response, screening, noise, given)
        files = [] if out is None else _written(study, found, out, force=force)
    if as_json:
        answer_json({"response": response, **_document(found), "files": list(map(str, files))})
        return
    _show(found, files)


def _document(found: "Found") -> dict[str, Any]:
    from campaigns.analysis import as_records

    return {
        "model": dict(found.describe()),
        "sentences": [_in_options(sentence) for sentence in found.sentences()],
        "tables": as_records(found.tables()),
        "notes": [_in_options(note) for note in found.notes()],
    }


def _found(
    study: "Campaign",
    response: str,
    screening: "ScreeningKind | None",
    noise: "NoiseFrom | None",
    given: Mapping[str, Any],
) -> "Found":
    from campaigns.analysis import analyse as analysed
    from campaigns.screening import screen
    from doe.errors import InvalidValueError

    if screening is None:
        if noise is not None:
            raise InvalidValueError(
                f"--noise {noise} is for --screening definitive: add that, or leave it out."
            )
        return analysed(study, response, **given)
    if given:
        flags = ", ".join(_OPTIONS[name] for name in given)
        raise InvalidValueError(
            f"`analyse --screening {screening}` takes no {flags}: it finds the terms itself, from "
            "measured values. Leave one of them out."
        )
    return screen(study, response, screening, noise=noise)


def _in_options(sentence: str) -> str:
    for words, plain in _WORDS.items():
        sentence = sentence.replace(words, plain)
    return re.sub(
        rf"\b({'|'.join(_OPTIONS)})=('[^']*'(?:(?:, | or |, or )'[^']*')*)",
        lambda found: f"{_OPTIONS[found[1]]} {found[2].replace(chr(39), '')}",
        sentence,
    )


def _show(found: "Found", files: list[Path]) -> None:
    from campaigns.analysis import plain
    from campaigns.commands.console import say, show_table

    tables = found.tables()
    # Without degrees of freedom for the noise the effects say what the coefficients cannot.
    shown = _SHOWN if found.describe().get("degrees_of_freedom") else (*_SHOWN, "effects")
    for name, table in tables.items():
        if name in shown:
            flat = plain(table)
            say(f"\n{name.capitalize()}")
            show_table([str(column) for column in flat.columns], flat.to_numpy().tolist())
    say()
    for sentence in found.sentences():
        say(_in_options(sentence))
    for file in files:
        say(f"Written: {file}")
    for note in found.notes() if files else ():
        say(_in_options(note))


def _written(study: "Campaign", found: "Found", folder: Path, *, force: bool) -> list[Path]:
    from campaigns.analysis import plain
    from campaigns.exports.origin import origin
    from campaigns.exports.package import figure_name, write_image
    from doe.plot_tables import data_table
    from doe.tables import write_table

    tables = {figure_name(found.response, name): table for name, table in found.tables().items()}
    plots = {figure_name(found.response, name): plot for name, plot in found.plots().items()}
    free_folder(folder)
    paths = [
        *(folder / f"{name}.csv" for name in tables),
        *(folder / f"{name}.png" for name in plots),
        *(folder / f"{name}_data.csv" for name in plots),
    ]
    for path in paths:
        free_path(path, force=force, endings=(path.suffix,))
    about = {**origin(study.state), "model": found.basis}
    for name, table in tables.items():
        # A table has no number for what has no end, such as an interval of a variance.
        flat = plain(table).replace([math.inf, -math.inf], ["infinite", "-infinite"])
        write_table(folder / f"{name}.csv", flat, title=name, metadata=about)
    for name, plot in plots.items():
        write_image(plot, folder / f"{name}.png")
        shown = data_table(plot).reset_index(drop=True)
        write_table(folder / f"{name}_data.csv", shown, title=plot.title, metadata=about)
    return paths

"""The `bayeswell` command: its words in the order of the work, each with an example."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from campaigns.commands import (
    analysing,
    batches,
    definitions,
    designs,
    extending,
    installation,
    learning,
    record,
    results,
)

PLAN, DO, LEARN, LOOK, HOUSE = "Plan", "Do", "Learn", "Look back", "This installation"
EXIT_REFUSED = 2  # the same code as for an option that does not exist
EXIT_CANCELLED = 130


@dataclass(frozen=True, slots=True)
class Command:
    """One word of the command line.

    Attributes:
        name: The word.
        function: What it does; its first docstring line is the help.
        panel: Under which heading the help lists it.
        examples: Lines that work as they stand, given their files.
        takes_negative_numbers: Whether an argument may begin with a minus sign.
    """

    name: str
    function: Callable[..., None]
    panel: str
    examples: tuple[str, ...]
    takes_negative_numbers: bool = False


COMMANDS = (
    Command(
        "new",
        definitions.new,
        PLAN,
        ("bayeswell new --template > study.yaml", "bayeswell new study.yaml"),
    ),
    Command(
        "design",
        designs.design,
        PLAN,
        (
            "bayeswell design central-composite --out runs.xlsx",
            "bayeswell design latin-hypercube --runs 20 --preview",
            "bayeswell design --advise --goal optimise --budget 30",
            "bayeswell design optimal --runs 24 --terms quadratic --criterion I",
        ),
    ),
    Command(
        "evaluate",
        extending.evaluate,
        PLAN,
        (
            "bayeswell evaluate --terms interaction --effect 0.4 --sd 0.2",
            "bayeswell evaluate runs.xlsx --figures evaluation",
        ),
    ),
    Command(
        "augment",
        extending.augment,
        PLAN,
        (
            "bayeswell augment centre-points --runs 3",
            'bayeswell augment separate --free "pH:feed" --preview',
        ),
    ),
    Command(
        "recommend",
        batches.recommend,
        PLAN,
        ("bayeswell recommend 4", 'bayeswell recommend 4 --fix "sucrose=80" --json'),
    ),
    Command(
        "approve", batches.approve, PLAN, ("bayeswell approve 35 36", "bayeswell approve --all")
    ),
    Command(
        "reject", batches.reject, PLAN, ('bayeswell reject 37 --reason "too much sucrose to mix"',)
    ),
    Command("start", results.start, DO, ('bayeswell start 35 --known "batch=7"',)),
    Command(
        "record",
        results.record,
        DO,
        (
            "bayeswell record runs.xlsx",
            'bayeswell record --run 35 --value "growth rate=1.2" --known "batch=7"',
        ),
    ),
    Command(
        "fail", results.fail, DO, ('bayeswell fail 36 --reason "the culture was contaminated"',)
    ),
    Command("abort", results.abort, DO, ('bayeswell abort 36 --reason "the stirrer stopped"',)),
    Command(
        "import",
        results.import_runs,
        DO,
        ("bayeswell import history.csv", 'bayeswell import history.xlsx --column "Suc=sucrose"'),
    ),
    Command(
        "correct",
        results.correct,
        DO,
        ('bayeswell correct 12 "wet mass" 36.4 --reason "typing error in the notebook"',),
        takes_negative_numbers=True,
    ),
    Command(
        "exclude",
        results.exclude,
        DO,
        ('bayeswell exclude 13 --reason "mass and rate contradict each other"',),
    ),
    Command(
        "include", results.include, DO, ('bayeswell include 13 --reason "the scale was checked"',)
    ),
    Command(
        "analyse",
        analysing.analyse,
        LEARN,
        (
            'bayeswell analyse "growth rate"',
            'bayeswell analyse "growth rate" --terms quadratic --select backward --out analysis',
        ),
    ),
    Command(
        "choose-model",
        learning.choose_model,
        LEARN,
        ('bayeswell choose-model "growth rate" quadratic --reason "no lack of fit"',),
    ),
    Command(
        "validate", learning.validate, LEARN, ("bayeswell validate", "bayeswell validate --json")
    ),
    Command("drivers", learning.drivers, LEARN, ("bayeswell drivers", "bayeswell drivers --json")),
    Command(
        "design-space",
        learning.design_space,
        LEARN,
        ('bayeswell design-space --x ammonium --y sucrose --at "phosphate=2.8" --out map.png',),
    ),
    Command("status", record.status, LOOK, ("bayeswell status", "bayeswell status --json")),
    Command("log", record.log, LOOK, ("bayeswell log", "bayeswell log --last 10 --json")),
    Command("check", record.check, LOOK, ("bayeswell check", "bayeswell check --json")),
    Command("reproduce", record.reproduce, LOOK, ("bayeswell reproduce 1",)),
    Command("export", record.export, LOOK, ("bayeswell export report",)),
    Command(
        "schema", definitions.schema, HOUSE, ("bayeswell schema > campaign-definition.schema.json",)
    ),
    Command("doctor", installation.doctor, HOUSE, ("bayeswell doctor", "bayeswell doctor --json")),
    Command(
        "demo", installation.demo, HOUSE, ("bayeswell demo", "bayeswell demo --folder trial --json")
    ),
)


class _Commands(TyperGroup):
    """Turns what the product refuses into one message and an exit code."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the words in the order of the work."""
        return [command.name for command in COMMANDS]

    def invoke(self, ctx: Any) -> Any:
        """Run the command; a refusal is a message, anything else is a bug and traces."""
        from campaigns.commands.console import stderr
        from doe.errors import CancelledError, ExperimentError

        try:
            return super().invoke(ctx)
        except (KeyboardInterrupt, CancelledError) as stop:
            stderr().print("Cancelled: what was under way was not written.", style="yellow")
            raise typer.Exit(EXIT_CANCELLED) from stop
        except ExperimentError as refusal:
            stderr().print(f"Error: {refusal}", style="red")
            raise typer.Exit(EXIT_REFUSED) from refusal


def _print_version(wanted: bool | None) -> None:  # noqa: FBT001 - Typer calls it by position
    if wanted:
        from importlib.metadata import version

        typer.echo(f"bayeswell {version('bayeswell')}")
        raise typer.Exit


app = typer.Typer(
    cls=_Commands,
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def start(
    *,
    version: Annotated[
        bool | None,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version."),
    ] = None,
) -> None:
    """The next experiments in process development, and where the process meets its limits.

    A campaign lives in one file: bayeswell.sqlite, unless --store names another.

    To see a whole campaign: bayeswell demo. To begin one: bayeswell new --template.
    """


for _command in COMMANDS:
    app.command(
        _command.name,
        rich_help_panel=_command.panel,
        # Otherwise -0.1 would be read as an option.
        context_settings={"ignore_unknown_options": _command.takes_negative_numbers},
        epilog="\n\n".join(["Example:", *(f"  {example}" for example in _command.examples)]),
    )(_command.function)


def main() -> None:
    """Answer the command line."""
    app(prog_name="bayeswell")

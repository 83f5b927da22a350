"""The installation itself: whether it can work, and the demonstration of what it does."""

from pathlib import Path
from typing import Annotated

import typer

from campaigns.commands.session import DEFAULT_STORE, ActorOption, JsonOption, StoreOption

EXIT_FOUND_WRONG = 1


def doctor(*, store: StoreOption = DEFAULT_STORE, as_json: JsonOption = False) -> None:
    """Check Python, libraries, imports and the store; exit code 1 when something is wrong."""
    from campaigns.commands.console import answer_json, say, stdout, table_of
    from campaigns.commands.session import shown
    from campaigns.doctor import examine

    findings = examine(store, label=shown(store))
    wrong = [finding for finding in findings if finding.verdict == "wrong"]
    if as_json:
        listed = [{"subject": f.subject, "verdict": f.verdict, "found": f.found} for f in findings]
        answer_json({"good": not wrong, "findings": listed})
    else:
        rows = [(f.verdict, f.subject, f.found) for f in findings]
        stdout().print(table_of(("", "what", "found"), rows))
        if wrong:
            say(f"{len(wrong)} of {len(findings)} are wrong.", style="red")
        else:
            say("Nothing is wrong.", style="green")
    if wrong:
        raise typer.Exit(EXIT_FOUND_WRONG)


def demo(
    *,
    folder: Annotated[
        Path, typer.Option("--folder", help="Where to write; made when it is not there.")
    ] = Path("bayeswell-demo"),
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Play a whole campaign on published data, from its first run to the next batch."""
    from campaigns.commands.session import actor_of
    from campaigns.demo import play

    facts = play(folder, actor=actor_of(actor), quiet=as_json)
    if as_json:
        from campaigns.commands.console import answer_json

        answer_json(facts)

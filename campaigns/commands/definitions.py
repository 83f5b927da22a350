"""Campaign definitions: beginning a campaign from one, a template to start from, the schema."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from campaigns.commands.session import (
    DEFAULT_STORE,
    ActorOption,
    JsonOption,
    StoreOption,
    actor_of,
    shown,
)


def new(
    definition: Annotated[
        Path | None, typer.Argument(help="Campaign definition, YAML or JSON.")
    ] = None,
    *,
    template: Annotated[
        bool, typer.Option("--template", help="Print a definition to start from, and stop.")
    ] = False,
    name: Annotated[
        str | None, typer.Option("--name", help="Another name than the file gives.")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Begin a campaign from a definition: its factors, responses, limits and goal."""
    from doe.errors import InvalidValueError

    if template:
        sys.stdout.write(template_text())
        return
    if definition is None:
        raise InvalidValueError(
            "Name the file with the campaign's definition, or print one to start from with "
            "`bayeswell new --template`."
        )
    _create(definition, name, store, actor, as_json=as_json)


def _create(
    definition: Path, name: str | None, store: str, actor: str | None, *, as_json: bool
) -> None:
    from dataclasses import replace

    from campaigns.campaign import Campaign
    from campaigns.commands.console import answer_json, hint, say
    from campaigns.definition import CampaignDefinition
    from doe.documents import from_document, load_document

    who = actor_of(actor)
    described = from_document(CampaignDefinition, load_document(definition))
    if name is not None:
        described = replace(described, name=name)
    with Campaign.create_from(store, described, actor=who) as campaign:
        state = campaign.state
    if as_json:
        head = {"sequence": state.sequence, "hash": state.head}
        answer_json({"campaign": described.name, "store": shown(store), "head": head})
        return
    varied = ", ".join(described.space.names)
    say(f"Campaign '{described.name}' begins in {shown(store)}: {varied} will be varied.")
    hint(
        "Next: `bayeswell import TABLE` for runs that were done, or `bayeswell design KIND` to "
        "plan the first ones."
    )


def schema() -> None:
    """Print the JSON Schema of a campaign definition, for editors and other programs."""
    from campaigns.definition import CampaignDefinition
    from doe.documents import json_schema

    text = json.dumps(json_schema(CampaignDefinition), indent=2, ensure_ascii=False)
    sys.stdout.write(f"{text}\n")


def template_text() -> str:
    """Return a commented campaign definition to start from."""
    template = Path(__file__).parents[1] / "examples" / "template.yaml"
    return template.read_text(encoding="utf-8")

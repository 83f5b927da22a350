"""What the results say: validation, drivers, the map of the design space, the choice of model."""

from typing import Annotated

import typer

from campaigns.commands.session import (
    DEFAULT_STORE,
    ActorOption,
    CampaignOption,
    JsonOption,
    ReasonOption,
    StoreOption,
    opened,
)


def choose_model(
    response: Annotated[str, typer.Argument(help="Which response.")],
    model: Annotated[
        str, typer.Argument(help="gaussian_process, linear, interaction or quadratic.")
    ],
    *,
    reason: ReasonOption,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Choose the kind of surrogate that models a response from now on."""
    from campaigns.commands.console import answer_json, say

    with opened(store, campaign, actor) as study:
        study.choose_model(response, model, reason=reason)
    if as_json:
        answer_json({"response": response, "model": model})
    else:
        say(f"{response} is modelled by {model} from now on.")


def validate(
    *,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how well the surrogates predict runs that they have not seen."""


def drivers(
    *,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rank the factors by how much they drive each response, with intervals."""


def design_space(
    *,
    store: StoreOption = DEFAULT_STORE,
    campaign: CampaignOption = None,
    actor: ActorOption = None,
    as_json: JsonOption = False,
) -> None:
    """Map the probability that a new run meets every specification."""

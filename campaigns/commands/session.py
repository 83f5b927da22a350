"""Where a command finds its campaign, and in whose name it acts."""

import getpass
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from campaigns.campaign import Campaign
    from campaigns.envelope import Actor
    from campaigns.ledger import Ledger
    from doe.factors import Factor, Value

DEFAULT_STORE = "bayeswell.sqlite"
TABLES, FIGURES = (".xlsx", ".csv"), (".png", ".svg")

StoreOption = Annotated[
    str,
    typer.Option(
        "--store", envvar="BAYESWELL_STORE", help="File or database URL that holds the campaign."
    ),
]
CampaignOption = Annotated[
    str | None,
    typer.Option("--campaign", "-c", help="Name of the campaign; the only one when left out."),
]
ActorOption = Annotated[
    str | None,
    typer.Option(
        "--actor",
        envvar="BAYESWELL_ACTOR",
        help="Who acts, as the record will say; your login name when left out.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Answer in JSON, for scripts.")]
ForceOption = Annotated[bool, typer.Option("--force", help="Replace files that are there.")]
ReasonOption = Annotated[
    str, typer.Option("--reason", "-r", help="Why; a later reader will want to know.")
]


@contextmanager
def opened(store: str, campaign: str | None, actor: str | None) -> Iterator["Campaign"]:
    """Open the campaign that the options mean, and close it afterwards.

    Raises:
        UnknownNameError: If there is no such store or campaign.
        InvalidValueError: If the store has several campaigns and none was named.
    """
    from campaigns.campaign import Campaign

    who = actor_of(actor)
    with open_ledger(store) as ledger:
        name = chosen_campaign(ledger, store, campaign)
        yield Campaign.open(ledger, name, actor=who)


@contextmanager
def open_ledger(store: str) -> Iterator["Ledger"]:
    """Open a store that is there, and close it afterwards.

    Raises:
        UnknownNameError: If there is no such file.
    """
    from campaigns.ledger import Ledger
    from doe.errors import UnknownNameError

    if "://" not in store and not Path(store).exists():
        raise UnknownNameError(
            f"There is no store '{store}': begin a campaign with `bayeswell new`, or say where "
            "it is with --store or BAYESWELL_STORE."
        )
    with Ledger(store) as ledger:
        yield ledger


def chosen_campaign(ledger: "Ledger", store: str, campaign: str | None) -> str:
    """Return the campaign that was named, or the only one in the store.

    Raises:
        UnknownNameError: If there is none.
        InvalidValueError: If there are several and none was named.
    """
    from campaigns.streams import campaign_names
    from doe.errors import InvalidValueError, UnknownNameError

    if campaign is not None:
        return campaign
    names = campaign_names(ledger)
    if not names:
        raise UnknownNameError(
            f"The store '{shown(store)}' holds no campaign: begin one with `bayeswell new`."
        )
    if len(names) > 1:
        raise InvalidValueError(
            f"The store '{shown(store)}' holds several campaigns: {', '.join(names)}. Say which "
            "one with --campaign."
        )
    return names[0]


def actor_of(name: str | None) -> "Actor":
    """Return who acts: the person named, else whoever is logged in to the machine.

    Raises:
        InvalidValueError: If neither is known.
    """
    from campaigns.envelope import Actor
    from doe.errors import InvalidValueError

    if name is None:
        try:
            name = getpass.getuser()
        except (OSError, KeyError) as error:
            raise InvalidValueError(
                "The machine does not say who is logged in: name yourself with --actor."
            ) from error
    return Actor(name)


def shown(store: str) -> str:
    """Return a store as it may be shown: a URL without its password."""
    if "://" not in store:
        return store
    scheme, _, rest = store.partition("://")
    return f"{scheme}://{rest.rpartition('@')[2]}"


def pairs(texts: Sequence[str], option: str) -> dict[str, str]:
    """Return the names and values of options written as ``name=value``.

    Raises:
        InvalidValueError: If one has no ``=``, or a name comes twice.
    """
    from doe.errors import InvalidValueError

    found: dict[str, str] = {}
    for text in texts:
        name, sign, value = (part.strip() for part in text.rpartition("="))
        if not sign or not name or not value:
            raise InvalidValueError(
                f"{option} '{text}' cannot be read: write it as name=value, for example "
                f'{option} "sucrose=80".'
            )
        if name in found:
            raise InvalidValueError(f"{option} names '{name}' twice: keep one.")
        found[name] = value
    return found


def settings_of(factors: Sequence["Factor"], texts: Mapping[str, str]) -> dict[str, "Value"]:
    """Return what a person wrote as settings: levels as text, everything else as numbers.

    Raises:
        UnknownNameError: If a name is none of the factors.
        InvalidValueError: If a number is none.
    """
    from doe.errors import UnknownNameError
    from doe.factors import BlockFactor, CategoricalFactor, Context

    named = {factor.name: factor for factor in factors}
    unknown = [name for name in texts if name not in named]
    if unknown:
        raise UnknownNameError(f"No factor here is called {unknown}; those are {list(named)}.")
    return {
        name: text
        if isinstance(named[name], CategoricalFactor | BlockFactor | Context)
        else number(text, name)
        for name, text in texts.items()
    }


def number(text: str, what: str) -> float:
    """Return the number that a person wrote.

    Raises:
        InvalidValueError: If it is none, or not finite.
    """
    from doe.errors import InvalidValueError
    from doe.factors import check_number

    try:
        return check_number(float(text), what)
    except ValueError as error:
        if isinstance(error, InvalidValueError):
            raise
        raise InvalidValueError(
            f"{what} must be a number with a decimal point, got '{text}'."
        ) from None


def free_path(path: Path, *, force: bool, endings: Sequence[str]) -> Path:
    """Return a path that may be written.

    Args:
        path: Where somebody wants to write.
        force: Whether a file that is there may be replaced.
        endings: How the name may end, such as ``.png``.

    Raises:
        InvalidValueError: If something is there that is not to be replaced, the name ends
            otherwise, or its folder is not there.
    """
    from doe.errors import InvalidValueError

    if path.suffix.lower() not in endings:
        raise InvalidValueError(
            f"'{path}' must end in {' or '.join(endings)} to say how it is written."
        )
    if path.is_dir():
        raise InvalidValueError(f"'{path}' is a folder: name a file.")
    if path.exists() and not force:
        raise InvalidValueError(
            f"'{path}' is there already: choose another name with --out, or replace it with "
            "--force."
        )
    if not path.parent.is_dir():
        raise InvalidValueError(f"The folder '{path.parent}' is not there: make it first.")
    return path


def free_folder(path: Path) -> Path:
    """Return a folder that files may be written to, made when it is not there.

    Raises:
        InvalidValueError: If it is a file, or cannot be made.
    """
    from doe.errors import InvalidValueError

    if path.exists() and not path.is_dir():
        raise InvalidValueError(f"'{path}' is a file: name a folder.")
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidValueError(
            f"The folder '{path}' cannot be made ({error.strerror}): name another one."
        ) from error
    return path

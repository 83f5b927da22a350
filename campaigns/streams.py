"""How campaigns are called in a ledger."""

from campaigns.ledger import Ledger


def stream_of(name: str) -> str:
    """Return the name of a campaign's stream in the ledger."""
    return f"campaign/{name}"


def campaign_names(ledger: Ledger) -> tuple[str, ...]:
    """Return the names of the campaigns in a ledger."""
    streams = (summary.stream for summary in ledger.streams())
    prefix = stream_of("")
    return tuple(name.removeprefix(prefix) for name in streams if name.startswith(prefix))

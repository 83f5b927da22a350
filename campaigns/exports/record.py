"""The whole record of a campaign as one JSON file, and the anchor that tells it from another."""

from pathlib import Path
from typing import TYPE_CHECKING

from campaigns.canonical import JSON
from campaigns.exports.origin import origin
from doe.documents import save_document

if TYPE_CHECKING:
    from campaigns.campaign import Campaign


def write_record(campaign: "Campaign", path: Path) -> str:
    """Write every event of a campaign, as `Ledger.restore` takes it; return the anchor.

    The anchor is the head of the record: kept elsewhere, on paper or in a report, it shows later
    whether a record is this one (``bayeswell check --anchor``).

    Raises:
        RecordError: If the record was changed: a copy of it would hide that.
    """
    from campaigns.streams import stream_of

    exported = campaign.ledger.export(stream_of(campaign.name))
    about: dict[str, JSON] = dict(origin(campaign.state))
    save_document(path, {**exported, "about": about})
    head = campaign.state
    return f"{head.sequence}:{head.head}"

"""What every export says of itself: which campaign, which state of the record, made by what."""

from importlib.metadata import PackageNotFoundError, version

from campaigns.state import CampaignState

# The store is written by whoever holds the file; nothing here vouches for a controlled system.
RESEARCH_MODE = "research mode: written by a trusted writer, not a controlled record"


def software_version() -> str:
    """Return the version of the product."""
    try:
        return version("bayeswell")
    except PackageNotFoundError:
        return "not installed as a package"


def origin(state: CampaignState) -> dict[str, str]:
    """Return the facts that an export carries: campaign, head of the record, mode, version."""
    return {
        "campaign": state.definition.name,
        "record head": f"{state.sequence}:{state.head}",
        "mode": RESEARCH_MODE,
        "software": f"bayeswell {software_version()}",
    }

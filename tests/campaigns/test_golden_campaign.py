"""A campaign written by format version 1 is read for ever, with the same state and hashes."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from campaigns.campaign import Campaign
from campaigns.events import KINDS, ModelChosen, decode
from campaigns.ledger import Ledger
from doe.documents import to_document
from tests.campaigns.campaigns import ANA

# Fields that came after the golden file, with the default that an old event is read with.
ADDED: dict[str, dict[str, Any]] = {"design": {"whole_plots": [], "randomisation": ""}}

GOLDEN = Path(__file__).parent / "golden" / "campaign_v1.json"


@pytest.fixture
def campaign() -> Campaign:
    ledger = Ledger(":memory:")
    ledger.restore(json.loads(GOLDEN.read_text(encoding="utf-8")))
    return Campaign.open(ledger, "golden study", actor=ANA)


@pytest.mark.requirement("DI-9", "DI-10")
def test_the_golden_campaign_holds_every_kind_of_event_and_verifies(campaign: Campaign) -> None:
    assert {event.kind for event in campaign.events()} == set(KINDS)
    assert campaign.check_record().intact


def test_the_golden_campaign_adds_up_to_what_was_done(campaign: Campaign) -> None:
    """The acts: five corners seeded; 1 to 3 recorded, 4 failed, 5 aborted; two imported runs;
    a batch of three, of which one was rejected and one started; one value corrected, one run and
    one value excluded, and the exclusion of a run lifted again."""
    state = campaign.state
    assert {name: run.status for name, run in state.runs.items()} == {
        "1": "done",
        "2": "done",
        "3": "done",
        "4": "failed",
        "5": "aborted",
        "6": "done",
        "7": "done",
        "8": "started",
        "9": "approved",
        "10": "rejected",
    }
    assert state.run("10").reason == "too close to run 9"
    assert state.run("1").actual == {"pH": 6.82}
    assert state.measurements["1", "titre", None, 1].current.value == 4.5
    assert state.measurements["1", "titre", None, 1].before[0].value == 4.25
    assert state.run("2").excluded is None
    assert state.run("6").excluded == "another medium was used"
    assert state.measurements["3", "aggregates", None, 1].excluded == "sample was lost"
    assert state.models == {"titre": ModelChosen("titre", "quadratic")}
    assert [limit.upper for limit in state.specifications] == [3.0]
    assert campaign.observations.runs == ("1", "2", "3", "7")


def test_what_this_version_would_write_of_each_event_is_what_was_written(
    campaign: Campaign,
) -> None:
    """A field that is added later must have a default, and then this says so on purpose."""
    for event in campaign.events():
        written = json.loads(json.dumps(to_document(decode(event))))
        assert written == _with_added(event.payload), event.kind


def _with_added(payload: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: {**ADDED[name], **value} if name in ADDED else value
        for name, value in payload.items()
    }

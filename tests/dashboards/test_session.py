"""What one person sees of a campaign, and does in it."""

import sqlite3
from pathlib import Path

import pytest

from campaigns.campaign import Campaign
from campaigns.envelope import Actor
from dashboards.maps import MapRequest
from dashboards.session import Session
from doe.errors import (
    CancelledError,
    ConflictError,
    InvalidValueError,
    StateError,
    UnknownNameError,
)
from doe.plots import Points, Surface
from tests.dashboards.small_campaign import ANA, LOWER, NAME, create

BEN = Actor("ben", "Ben Okafor")


def proposed(session: Session) -> list[str]:
    return [run.name for run in session.state.runs.values() if run.status == "proposed"]


def test_the_only_campaign_of_a_store_needs_no_name(store: Path):
    session = Session.open(str(store), None, actor=ANA)

    assert session.overview().name == NAME
    session.close()


def test_a_store_that_is_not_there_is_refused_and_not_created(tmp_path: Path):
    missing = tmp_path / "missing.db"

    with pytest.raises(UnknownNameError, match="There is no store"):
        Session.open(str(missing), None, actor=ANA)
    assert not missing.exists()


def test_a_campaign_of_another_name_is_refused_with_the_names_there_are(store: Path):
    with pytest.raises(UnknownNameError, match=NAME):
        Session.open(str(store), "another", actor=ANA)


def test_of_several_campaigns_one_has_to_be_named(store: Path):
    create(store, "second").close()

    with pytest.raises(InvalidValueError, match="second"):
        Session.open(str(store), None, actor=ANA)


def test_the_overview_counts_runs_and_names_goal_limits_and_mode(session: Session):
    overview = session.overview()

    assert overview.counts == {"done": 11, "proposed": 3, "excluded": 1}
    assert overview.wanted == "Maximise titre (g/L)."
    assert overview.limits == (f"titre >= {LOWER} g/L",)
    assert "Research mode" in overview.mode


@pytest.mark.requirement("DI-1")
def test_the_overview_shows_the_head_of_an_intact_record(session: Session):
    record = session.overview().record

    assert record.intact
    assert record.n_events == len(session.campaign.events())
    assert record.head is not None
    assert record.head.hash == session.state.head


@pytest.mark.requirement("DI-1")
def test_a_changed_record_is_reported_as_not_intact(session: Session, store: Path):
    with sqlite3.connect(store) as connection:
        triggers = connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
        for (name,) in triggers.fetchall():
            connection.execute(f'DROP TRIGGER "{name}"')
        (table,) = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND sql LIKE '%payload%'"
        ).fetchone()
        connection.execute(f"UPDATE {table} SET payload = replace(payload, 'titre', 'yield')")
    connection.close()

    assert not session.overview().record.intact


@pytest.mark.requirement("MG-7")
def test_an_approval_is_written_in_the_name_of_the_person(store: Path):
    session = Session.open(str(store), None, actor=BEN)
    run = proposed(session)[0]

    session.approve(run)

    event = session.campaign.events()[-1]
    assert (event.kind, event.actor) == ("runs-approved", BEN)
    assert session.state.run(run).status == "approved"
    session.close()


@pytest.mark.requirement("DI-2")
@pytest.mark.parametrize("reason", ["", "   ", "no"])
def test_a_rejection_without_a_reason_is_refused_and_not_written(session: Session, reason: str):
    before = len(session.campaign.events())

    with pytest.raises(InvalidValueError, match="reason"):
        session.reject(proposed(session)[0], reason)
    assert len(session.campaign.events()) == before


def test_a_rejection_keeps_its_reason_in_the_record(session: Session):
    run = proposed(session)[0]

    session.reject(run, "the pump cannot hold this")

    assert session.campaign.events()[-1].reason == "the pump cannot hold this"
    assert session.state.run(run).status == "rejected"


def test_whoever_watches_hears_of_every_change_of_the_state(session: Session):
    heard: list[int] = []
    session.param.watch(lambda event: heard.append(event.new), "revision")

    session.approve(proposed(session)[0])
    session.reject(proposed(session)[0], "not this one")
    session.refresh()

    assert heard == [1, 2, 3]


@pytest.mark.requirement("DI-13")
def test_the_second_of_two_writers_is_told_and_sees_the_new_state(session: Session, store: Path):
    first, second = proposed(session)[:2]
    other = Session.open(str(store), None, actor=BEN)
    other.approve(first)
    other.close()

    with pytest.raises(ConflictError, match="decide again"):
        session.approve(second)

    assert session.state.run(first).status == "approved"
    assert session.state.run(second).status == "proposed"
    session.approve(second)


def test_refreshing_shows_what_others_wrote(session: Session, store: Path):
    run = proposed(session)[0]
    with Campaign.open(str(store), NAME, actor=BEN) as other:
        other.approve([run])

    session.refresh()

    assert session.state.run(run).status == "approved"


def test_nothing_is_decided_while_a_batch_is_computed_from_the_present_state(session: Session):
    run = proposed(session)[0]
    refused: list[str] = []

    def decide(fraction: float, sentence: str) -> None:
        with pytest.raises(StateError, match="being recommended") as caught:
            session.approve(run)
        refused.append(str(caught.value))

    session.recommend(1, decide)

    assert refused
    assert session.state.run(run).status == "proposed"
    session.approve(run)


def test_a_cancelled_recommendation_writes_nothing_and_leaves_the_session_free(session: Session):
    before = session.state.sequence

    with pytest.raises(CancelledError):
        session.recommend(1, _cancel)

    assert session.state.sequence == before
    session.approve(proposed(session)[0])


def test_the_last_batch_is_shown_and_earlier_ones_on_request(session: Session):
    session.recommend(1)

    last, first = session.batch(), session.batch(1)
    assert last is not None
    assert first is not None
    assert (last.number, len(last.rows)) == (2, 1)
    assert (first.number, len(first.rows)) == (1, 3)


@pytest.mark.requirement("ANA-13")
def test_drivers_are_ranked_for_each_response(session: Session):
    ranking = session.drivers()

    assert {driver.factor for driver in ranking.of("titre")} == {"temperature", "pH"}


@pytest.mark.requirement("DS-2")
def test_the_map_shows_the_probability_the_runs_and_what_is_recommended(session: Session):
    found = session.map(MapRequest("temperature", "pH", target=0.9))

    layers = {layer.label: layer for layer in found.plot.layers}
    surface = next(layer for layer in layers.values() if isinstance(layer, Surface))
    roles = {layer.role: layer for layer in layers.values() if isinstance(layer, Points)}
    assert 0.9 in surface.levels
    assert len(roles["data"].x) == 11
    assert roles["excluded"].names == ("R12",)
    assert set(roles["recommended"].names) == set(proposed(session))
    assert not any("design space" in label for label in layers)


def test_a_campaign_without_results_says_that_nothing_can_be_learned(tmp_path: Path):
    store = tmp_path / "empty.db"
    with create(store) as campaign:
        definition = campaign.state.definition
    empty = tmp_path / "fresh.db"
    Campaign.create_from(str(empty), definition, actor=ANA).close()
    session = Session.open(str(empty), None, actor=ANA)

    assert session.overview().counts == {}
    assert session.batch() is None
    assert session.runs().frame.empty
    session.close()


def _cancel(fraction: float, sentence: str) -> None:
    raise CancelledError("cancelled by the person")

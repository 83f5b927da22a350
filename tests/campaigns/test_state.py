"""The state of a campaign is what its events add up to, in whatever order people act."""

import contextlib
import json
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from campaigns.envelope import Event
from campaigns.events import KINDS, decode, sentence
from campaigns.state import advance, replay
from doe.errors import DocumentError, ExperimentError, RecordError
from doe.responses import Goal, Single, Specification
from doe.runs import Measurement
from tests.campaigns.campaigns import DrawnStrategy, corners, new_campaign, results

RUN = st.integers(1, 12).map(str)
REASON = st.sampled_from(["probe drifted", "medium was old", "décongelé trop tard"])
VALUE = st.floats(-1e6, 1e6, allow_nan=False)
RESPONSE = st.sampled_from(["titre", "aggregates"])


class AnyCampaign(RuleBasedStateMachine):
    """People act at random; whatever is refused must leave no trace."""

    @initialize()
    def begin(self) -> None:
        self.campaign = new_campaign()
        self.n_events = 1

    def act(self, method: str, *arguments: Any, **options: Any) -> None:
        before = self.campaign.state
        try:
            getattr(self.campaign, method)(*arguments, **options)
            self.n_events += 1
        except ExperimentError:
            assert self.campaign.state is before

    @rule()
    def seed(self) -> None:
        self.act("seed", corners())

    @rule(n_runs=st.integers(1, 3))
    def recommend(self, n_runs: int) -> None:
        self.act("recommend", n_runs, DrawnStrategy())

    @rule(runs=st.lists(RUN, max_size=3))
    def approve(self, runs: list[str]) -> None:
        self.act("approve", runs)

    @rule(runs=st.lists(RUN, max_size=2), reason=REASON)
    def reject(self, runs: list[str], reason: str) -> None:
        self.act("reject", runs, reason)

    @rule(run=RUN)
    def start(self, run: str) -> None:
        self.act("start", run)

    @rule(run=RUN, achieved=st.none() | st.floats(6.5, 7.6))
    def record(self, run: str, achieved: float | None) -> None:
        with contextlib.suppress(ExperimentError):
            values = results(self.campaign, run)
            actual = {} if achieved is None else {run: {"pH": achieved}}
            self.act("record", values, actual=actual)

    @rule(run=RUN, reason=REASON, how=st.sampled_from(["fail", "abort"]))
    def end(self, run: str, reason: str, how: str) -> None:
        self.act(how, run, reason)

    @rule(run=RUN, response=RESPONSE, value=VALUE, reason=REASON)
    def correct(self, run: str, response: str, value: float, reason: str) -> None:
        self.act("correct", Measurement(run, response, 0), value, reason=reason)

    @rule(run=RUN, response=RESPONSE, reason=REASON)
    def exclude_value(self, run: str, response: str, reason: str) -> None:
        self.act("exclude", Measurement(run, response, 0), reason=reason)

    @rule(run=RUN, reason=REASON, how=st.sampled_from(["exclude", "include"]))
    def exclude_or_include(self, run: str, reason: str, how: str) -> None:
        self.act(how, run, reason=reason)

    @rule(response=RESPONSE, model=st.sampled_from(["linear", "quadratic"]), reason=REASON)
    def choose_model(self, response: str, model: str, reason: str) -> None:
        self.act("choose_model", response, model, reason=reason)

    @rule(response=RESPONSE, reason=REASON)
    def change_objective(self, response: str, reason: str) -> None:
        self.act("change_objective", Single(Goal(response, "minimise")), reason=reason)

    @rule(limit=VALUE, reason=REASON)
    def change_limits(self, limit: float, reason: str) -> None:
        self.act("change_specifications", [Specification("titre", lower=limit)], reason=reason)

    @invariant()
    def the_state_is_what_the_events_add_up_to(self) -> None:
        events = self.campaign.events()
        assert len(events) == self.n_events
        assert replay(events) == self.campaign.state

    def teardown(self) -> None:
        events = self.campaign.events()
        assert self.campaign.check_record().intact
        for cut in range(1, len(events)):
            assert advance(replay(events[:cut]), events[cut:]) == self.campaign.state
        for event in events:
            assert sentence(decode(event))
        self.campaign.close()


TestAnyCampaign = AnyCampaign.TestCase
TestAnyCampaign.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
TestAnyCampaign = pytest.mark.requirement("DI-1")(TestAnyCampaign)


@pytest.fixture
def events() -> tuple[Event, ...]:
    campaign = new_campaign()
    campaign.seed(corners())
    campaign.record(results(campaign, "1", "2"))
    return campaign.events()


def test_a_missing_event_is_refused(events: tuple[Event, ...]) -> None:
    with pytest.raises(RecordError, match="does not follow"):
        replay([events[0], events[2]])


def test_a_record_begins_with_the_creation(events: tuple[Event, ...]) -> None:
    with pytest.raises(RecordError, match="creation"):
        replay(events[1:])
    with pytest.raises(RecordError, match="creation"):
        replay([])


def test_an_event_of_a_newer_version_says_to_update(events: tuple[Event, ...]) -> None:
    document = {**events[1].to_document(), "format_version": 99}
    with pytest.raises(DocumentError, match="update bayeswell"):
        decode(Event.from_document(document))


def test_an_event_of_an_unknown_kind_is_refused(events: tuple[Event, ...]) -> None:
    document = {**events[1].to_document(), "kind": "run-teleported"}
    with pytest.raises(DocumentError, match="run-teleported"):
        decode(Event.from_document(document))


def test_every_kind_has_a_name_that_stays() -> None:
    """Kinds are in every stored record; adding one is fine, changing one is not."""
    assert set(KINDS) >= {
        "campaign-created",
        "design-seeded",
        "runs-imported",
        "batch-recommended",
        "runs-approved",
        "runs-rejected",
        "run-started",
        "measurements-recorded",
        "run-failed",
        "run-aborted",
        "measurement-corrected",
        "measurement-excluded",
        "run-excluded",
        "exclusion-lifted",
        "model-chosen",
        "objective-changed",
        "specifications-changed",
    }


def test_events_are_plain_json(events: tuple[Event, ...]) -> None:
    for event in events:
        text = json.dumps(event.to_document(), allow_nan=False)
        assert decode(Event.from_document(json.loads(text))) == decode(event)


def test_a_campaign_reopens_from_its_events_alone(events: tuple[Event, ...]) -> None:
    state = replay(events)
    assert [run.status for run in state.runs.values()] == ["done", "done"] + ["approved"] * 3

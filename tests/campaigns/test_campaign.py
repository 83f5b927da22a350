"""What people may do with a campaign, and what it refuses."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from campaigns.campaign import Campaign
from campaigns.state import replay
from doe.errors import (
    CancelledError,
    ConflictError,
    InvalidValueError,
    StateError,
    TooFewDataError,
    UnknownNameError,
)
from doe.responses import Goal, Response, Single, Specification
from doe.runs import Measurement
from tests.campaigns.campaigns import (
    ANA,
    BEN,
    BLOCKED_SPACE,
    GOAL,
    RESPONSES,
    SPACE,
    DrawnStrategy,
    corners,
    new_campaign,
    results,
)


@pytest.fixture
def campaign() -> Campaign:
    return new_campaign()


@pytest.fixture
def seeded(campaign: Campaign) -> Campaign:
    campaign.seed(corners())
    return campaign


@pytest.fixture
def proposed(seeded: Campaign) -> Campaign:
    seeded.record(results(seeded, "1", "2", "3", "4", "5"))
    seeded.recommend(3, DrawnStrategy())
    return seeded


def test_a_campaign_is_the_same_after_it_is_reopened(tmp_path: Path) -> None:
    store = tmp_path / "study.sqlite"
    with new_campaign(store) as campaign:
        campaign.seed(corners())
        campaign.record(results(campaign, "1", "2"))
        before = campaign.state
    with Campaign.open(store, "feed study", actor=BEN) as reopened:
        assert reopened.state == before
        assert reopened.check_record().intact


@pytest.mark.requirement("DI-1")
def test_every_act_is_one_event_in_the_name_of_its_actor(tmp_path: Path) -> None:
    store = tmp_path / "study.sqlite"
    with new_campaign(store) as campaign:
        campaign.seed(corners())
    with Campaign.open(store, "feed study", actor=BEN) as campaign:
        campaign.start("1")
        events = campaign.events()
    assert [(event.kind, event.actor.id) for event in events] == [
        ("campaign-created", "ana"),
        ("design-seeded", "ana"),
        ("run-started", "ben"),
    ]


def test_a_second_campaign_of_the_same_name_is_refused(tmp_path: Path) -> None:
    new_campaign(tmp_path / "study.sqlite").close()
    with pytest.raises(StateError, match="'feed study' already exists"):
        new_campaign(tmp_path / "study.sqlite")


def test_opening_an_unknown_campaign_names_those_that_are_there(tmp_path: Path) -> None:
    new_campaign(tmp_path / "study.sqlite").close()
    with pytest.raises(UnknownNameError, match="there are feed study"):
        Campaign.open(tmp_path / "study.sqlite", "fed study", actor=ANA)


def test_seeded_runs_are_approved_and_may_be_recorded(seeded: Campaign) -> None:
    assert {run.status for run in seeded.state.runs.values()} == {"approved"}
    seeded.record(results(seeded, "3"))
    assert seeded.state.run("3").status == "done"
    assert seeded.observations.runs == ("3",)


@pytest.mark.requirement("MG-7", "OPT-9")
def test_a_recommended_run_cannot_be_carried_out_before_it_is_approved(proposed: Campaign) -> None:
    before = proposed.state
    with pytest.raises(StateError, match=r"Run 6 is proposed.*approve it first"):
        proposed.record(results(proposed, "6"))
    with pytest.raises(StateError, match="run 6"):
        proposed.start("6")
    assert proposed.state == before
    proposed.approve(["6"])
    proposed.start("6")
    proposed.record(results(proposed, "6"))
    assert proposed.state.run("6").status == "done"


def test_approving_several_runs_is_all_or_nothing(proposed: Campaign) -> None:
    proposed.reject(["7"], "the vessel is away")
    with pytest.raises(StateError, match="run 7 \\(which is rejected\\)"):
        proposed.approve(["6", "7", "8"])
    assert proposed.state.run("6").status == "proposed"


@pytest.mark.requirement("DI-2")
@pytest.mark.parametrize("reason", ["", "   ", "no", "\n\t"])
@pytest.mark.parametrize(
    "act",
    [
        lambda c, why: c.reject(["6"], why),
        lambda c, why: c.exclude("1", reason=why),
        lambda c, why: c.exclude(Measurement("1", "titre", 0), reason=why),
        lambda c, why: c.correct(Measurement("1", "titre", 0), 9.9, reason=why),
        lambda c, why: c.choose_model("titre", "quadratic", reason=why),
        lambda c, why: c.change_objective(GOAL, reason=why),
    ],
    ids=["reject", "exclude run", "exclude value", "correct", "choose model", "change objective"],
)
def test_what_changes_a_decision_or_a_value_needs_a_reason(
    proposed: Campaign, act: Callable[[Campaign, str], None], reason: str
) -> None:
    before = proposed.state
    with pytest.raises(InvalidValueError, match="reason"):
        act(proposed, reason)
    assert proposed.state == before


def test_a_corrected_value_counts_and_the_old_one_stays(proposed: Campaign) -> None:
    old = results(proposed, "1")[0]
    proposed.correct(old, 4.25, reason="dilution factor was wrong")
    record = proposed.state.measurements[old.key]
    assert (record.current.value, record.before) == (4.25, (old,))
    values = proposed.observations.values("titre").set_index("run")["value"]
    assert values["1"] == 4.25
    with pytest.raises(InvalidValueError, match="nothing to correct"):
        proposed.correct(old, 4.25, reason="dilution factor was wrong")


@pytest.mark.requirement("ANA-7", "DI-12")
def test_an_excluded_run_stays_in_the_record_and_leaves_the_observations(
    proposed: Campaign,
) -> None:
    proposed.exclude("2", reason="probe was not calibrated")
    assert "2" not in proposed.observations.runs
    assert proposed.state.run("2").excluded == "probe was not calibrated"
    with pytest.raises(StateError, match="excluded already"):
        proposed.exclude("2", reason="probe was not calibrated")
    proposed.include("2", reason="the calibration was found")
    assert "2" in proposed.observations.runs


def test_an_excluded_value_leaves_the_other_values_of_its_run(proposed: Campaign) -> None:
    proposed.exclude(Measurement("2", "titre", 0), reason="sample was lost")
    assert "2" not in set(proposed.observations.values("titre")["run"])
    assert "2" in set(proposed.observations.values("aggregates")["run"])


@pytest.mark.requirement("ANA-14")
def test_a_value_below_its_limit_is_modelled_only_when_somebody_says_how(
    seeded: Campaign,
) -> None:
    first, *others = results(seeded, "1", "2", "3", "4", "5")
    seeded.record([replace(first, qualifier="<"), *others])
    with pytest.raises(InvalidValueError, match="known only as a limit"):
        seeded.surrogates()
    seeded.choose_model(
        "titre", "gaussian_process", censored="leave_out", reason="run 1 is far from the optimum"
    )
    description = seeded.surrogates()["titre"].describe()
    assert description["n_runs"] == 4


def test_a_value_is_recorded_once(proposed: Campaign) -> None:
    with pytest.raises(InvalidValueError, match="already recorded"):
        proposed.record(results(proposed, "1"))
    proposed.record([replace(results(proposed, "1")[0], replicate=2)])


def test_the_same_idempotency_key_records_once(seeded: Campaign) -> None:
    values = results(seeded, "1")
    seeded.record(values, idempotency_key="robot-17")
    before = seeded.state
    with pytest.raises(InvalidValueError, match="already recorded"):
        seeded.record(values)
    seeded.record(values, idempotency_key="robot-17")
    assert seeded.state == before


@pytest.mark.requirement("DI-13")
def test_a_second_writer_is_told_and_can_go_on_with_the_new_state(tmp_path: Path) -> None:
    store = tmp_path / "study.sqlite"
    ours = new_campaign(store)
    ours.seed(corners())
    theirs = Campaign.open(store, "feed study", actor=BEN)
    ours.start("1")
    with pytest.raises(ConflictError):
        theirs.start("2")
    theirs.refresh()
    theirs.start("2")
    ours.refresh()
    assert ours.state == theirs.state == replay(ours.events())
    ours.close()
    theirs.close()


def test_a_failed_run_has_no_result_and_takes_none(seeded: Campaign) -> None:
    seeded.fail("2", "contaminated on day 3")
    assert seeded.state.run("2").reason == "contaminated on day 3"
    with pytest.raises(StateError, match="Run 2 is failed"):
        seeded.record(results(seeded, "2"))


def test_a_result_says_in_which_block_it_was_obtained() -> None:
    campaign = new_campaign(space=BLOCKED_SPACE)
    campaign.seed(corners(BLOCKED_SPACE))
    with pytest.raises(InvalidValueError, match="Run 1 has no vessel"):
        campaign.record(results(campaign, "1"))
    campaign.record(results(campaign, "1"), recorded={"1": {"vessel": "B3"}})
    assert campaign.observations.recorded.loc["1", "vessel"] == "B3"


@pytest.mark.requirement("DOE-11")
def test_target_and_achieved_settings_are_both_kept(seeded: Campaign) -> None:
    seeded.record(results(seeded, "1"), actual={"1": {"pH": 6.83}})
    observations = seeded.observations
    assert observations.target.loc["1", "pH"] == 6.8
    assert observations.actual.loc["1", "pH"] == 6.83
    assert observations.settings().loc["1", "pH"] == 6.83


@pytest.mark.requirement("OPT-5")
def test_without_results_the_bayesian_strategy_advises_a_design(seeded: Campaign) -> None:
    with pytest.raises(TooFewDataError, match="design"):
        seeded.recommend(2)


@pytest.mark.requirement("OPT-5")
def test_when_every_run_failed_the_recommendation_says_so_and_nothing_is_written(
    seeded: Campaign,
) -> None:
    for run in ("1", "2", "3", "4", "5"):
        seeded.fail(run, "power was lost")
    before = seeded.state
    with pytest.raises(TooFewDataError):
        seeded.recommend(2)
    assert seeded.state == before


def test_a_campaign_without_objective_says_what_is_missing() -> None:
    campaign = Campaign.create(":memory:", "c", SPACE, RESPONSES, seed=1, actor=ANA)
    campaign.seed(corners())
    campaign.record(results(campaign, "1", "2"))
    with pytest.raises(StateError, match="no objective"):
        campaign.recommend(1, DrawnStrategy())


def test_a_cancelled_recommendation_writes_nothing(proposed: Campaign) -> None:
    def cancel(fraction: float, sentence: str) -> None:
        raise CancelledError(f"cancelled at {fraction:.0%}: {sentence}")

    before = proposed.state
    with pytest.raises(CancelledError):
        proposed.recommend(2, DrawnStrategy(), progress=cancel)
    assert proposed.state == before


@pytest.mark.parametrize(
    ("specifications", "objective", "message"),
    [
        ((Specification("titer", lower=1),), None, "'titer', which is not a response"),
        ((Specification("titre", lower=1), Specification("titre", upper=9)), None, "two spec"),
        ((), Single(Goal("purity")), "'purity', which is not a response"),
    ],
)
def test_limits_and_goals_name_responses(
    specifications: tuple[Specification, ...], objective: Single | None, message: str
) -> None:
    with pytest.raises(InvalidValueError, match=message):
        Campaign.create(
            ":memory:", "c", SPACE, RESPONSES, specifications, objective, seed=1, actor=ANA
        )


def test_a_factor_and_a_response_cannot_share_a_name() -> None:
    with pytest.raises(InvalidValueError, match="'pH' is used twice"):
        Campaign.create(":memory:", "c", SPACE, (Response("pH"),), seed=1, actor=ANA)


def test_imported_runs_get_the_next_free_numbers(seeded: Campaign) -> None:
    import pandas as pd

    from doe.runs import Observations

    table = pd.DataFrame({"pH": [7.0, 7.2], "temperature": [33, 34], "titre": [4.0, 4.1]})
    names = seeded.import_runs(Observations.from_frame(table, SPACE, RESPONSES))
    assert names == ("6", "7")
    assert seeded.state.run("6").origin == "imported"
    assert seeded.observations.runs == ("6", "7")


def test_an_unknown_run_is_named_with_its_nearest(proposed: Campaign) -> None:
    with pytest.raises(UnknownNameError, match="'66'"):
        proposed.approve(["66"])


def test_a_bare_name_is_one_run_and_not_its_letters(proposed: Campaign) -> None:
    proposed.approve("6")
    assert proposed.state.run("6").status == "approved"


@pytest.mark.requirement("OPT-2", "MG-3")
def test_the_same_seed_and_acts_give_the_same_batch_also_after_reopening(tmp_path: Path) -> None:
    batches = []
    for name in ("one", "other"):
        with new_campaign(tmp_path / f"{name}.sqlite", seed=11) as campaign:
            campaign.seed(corners())
            campaign.record(results(campaign, "1", "2", "3", "4", "5"))
            if name == "one":
                batches.append(campaign.recommend(2))
    with Campaign.open(tmp_path / "other.sqlite", "feed study", actor=BEN) as reopened:
        batches.append(reopened.recommend(2))
        assert reopened.reproduce(1).outcome == "identical"
    assert batches[0] == batches[1]
    assert len({str(run.settings) for run in batches[0].runs}) == 2


def test_a_second_batch_is_drawn_afresh(tmp_path: Path) -> None:
    with new_campaign(tmp_path / "study.sqlite", seed=11) as campaign:
        campaign.seed(corners())
        campaign.record(results(campaign, "1", "2", "3", "4", "5"))
        first = campaign.recommend(1, DrawnStrategy())
        second = campaign.recommend(1, DrawnStrategy())
    assert first.runs[0].settings != second.runs[0].settings


@pytest.mark.requirement("DI-11")
def test_the_same_file_is_imported_once(tmp_path: Path) -> None:
    from doe.tables import read_table

    path = tmp_path / "history.csv"
    path.write_text("pH,temperature,titre\n7.0,33,4.0\n7.2,34,4.1\n", encoding="utf-8")
    campaign = new_campaign()
    campaign.import_runs(read_table(path, space=SPACE, responses=RESPONSES))
    with pytest.raises(StateError, match=r"imported before, as 'history\.csv'"):
        campaign.import_runs(read_table(path, space=SPACE, responses=RESPONSES))
    assert list(campaign.state.runs) == ["1", "2"]


@pytest.mark.parametrize("name", ["run", "Status", "order", "replicate"])
def test_a_name_that_run_sheets_use_themselves_is_refused(name: str) -> None:
    with pytest.raises(InvalidValueError, match=r"column .* of their own"):
        Campaign.create(":memory:", "c", SPACE, (Response(name),), seed=1, actor=ANA)

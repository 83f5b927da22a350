"""What stands in the cells of a page's tables."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards.session import Session
from dashboards.tables import batch_table, decimals, number_text, run_table, titled
from doe.runs import Measurement
from tests.dashboards.small_campaign import results


@given(
    values=st.lists(st.floats(-1e6, 1e6).filter(lambda v: abs(v) > 1e-3), min_size=2, max_size=20)
)
def test_rounded_numbers_differ_from_the_true_ones_by_little_of_their_range(values: list[float]):
    places = decimals(values)

    span = max(map(abs, values)) - min(map(abs, values)) or max(map(abs, values))
    assert all(abs(value - round(value, places)) <= 1e-3 * span for value in values)


def test_a_setting_has_the_decimals_of_its_step():
    assert decimals([30.0, 37.0], step=0.05) == 2
    assert decimals([30.0, 37.0], step=5.0) == 0


def test_numbers_that_need_few_decimals_get_no_more():
    assert decimals([6.5, 7.0, 7.25]) == 2
    assert decimals([100.0, 250.0]) == 0


def test_a_missing_number_is_a_dash_and_zero_has_no_sign():
    assert number_text(None, 2) == "–"
    assert number_text(float("nan"), 2) == "–"
    assert number_text(-0.001, 2) == "0.00"
    assert number_text(-0.5, 1) == "−0.5"


def test_a_unit_is_never_broken_across_lines():
    assert " " not in titled("rate", "g/(L h)").removeprefix("rate ")


def test_every_run_is_listed_with_its_settings_and_results(session: Session):
    table = run_table(session.state)

    measured = results().set_index("run")
    frame = table.frame.loc[measured.index]
    assert list(frame["titre"]) == pytest.approx(list(measured["titre"]))
    assert list(frame["temperature"]) == pytest.approx(list(measured["temperature"]))
    assert {column.title for column in table.columns} >= {"titre (g/L)", "temperature (degC)", "pH"}


@pytest.mark.requirement("DI-12")
def test_an_excluded_run_stays_in_the_table_with_its_result(session: Session):
    frame = run_table(session.state).frame

    assert frame.loc["R12", "status"] == "excluded"
    assert frame.loc["R12", "titre"] == pytest.approx(results()["titre"].iloc[-1])


def test_proposed_runs_have_no_result_yet(session: Session):
    frame = run_table(session.state).frame

    proposed = frame[frame["status"] == "proposed"]
    assert len(proposed) == 3
    assert proposed["titre"].isna().all()
    assert set(proposed["origin"]) == {"batch 1"}


def test_a_result_below_the_detection_limit_is_shown_as_such(session: Session):
    name = session.campaign.batches[0].names[0]
    session.approve(name)
    session.campaign.record([Measurement(name, "titre", 0.5, qualifier="<")])

    table = run_table(session.state)

    assert table.frame.loc[name, "titre"] == "<0.5"
    assert next(c for c in table.columns if c.name == "titre").decimals is None


@pytest.mark.requirement("OPT-4")
def test_a_recommended_run_shows_its_prediction_probability_neighbour_and_reason(
    session: Session,
):
    (batch,) = session.campaign.batches
    table = batch_table(batch, session.state)

    for row, run in zip(table.rows, batch.runs, strict=True):
        (prediction,) = run.predictions
        mean, _, interval = row.cells["titre ±"].partition(" ")
        assert float(mean) == pytest.approx(prediction.mean, abs=0.01)
        assert interval.startswith("[")
        assert interval.endswith("]")
        assert float(row.cells["probability"]) == pytest.approx(
            run.probability_in_specification, abs=0.005
        )
        assert row.cells["nearest"].startswith(str(run.nearest_run))
        assert row.reason.startswith(run.reason.sentence)
    titles = " ".join(column.title for column in table.columns)
    assert "g/L" in titles
    assert "degC" in titles


@pytest.mark.parametrize(
    ("status", "acts"),
    [
        ("proposed", ("approve", "reject")),
        ("approved", ("reject",)),
        ("rejected", ()),
        ("started", ()),
        ("done", ()),
    ],
)
@pytest.mark.requirement("OPT-9")
def test_only_what_the_state_of_a_run_allows_can_be_decided(
    session: Session, status: str, acts: tuple[str, ...]
):
    (batch,) = session.campaign.batches
    runs = dict(session.state.runs)
    runs[batch.names[0]] = replace(runs[batch.names[0]], status=status)

    table = batch_table(batch, replace(session.state, runs=runs))

    assert table.rows[0].acts == acts


def test_a_rejected_run_says_why(session: Session):
    (batch,) = session.campaign.batches
    session.reject(batch.names[1], "the pump cannot hold this")

    row = batch_table(batch, session.state).rows[1]

    assert "the pump cannot hold this" in row.reason

"""Progress, confounding, maps and validation of a campaign, on data whose answer is known."""

import numpy as np
import pandas as pd
import pytest

from campaigns.campaign import Campaign
from campaigns.confounding import find_confounding
from campaigns.maps import map_reliability
from campaigns.progress import report_progress
from campaigns.validations import usual_groups, validate_model, validation_plot
from doe.errors import StateError, TooFewDataError
from doe.factors import BlockFactor, ContinuousFactor, Covariate
from doe.plots import Points, Surface
from doe.responses import Goal, Response, Single, Specification
from doe.runs import Design, Measurement, Observations
from doe.space import FactorSpace
from tests.campaigns.campaigns import ANA, RESPONSES, SPACE, corners, new_campaign, results

TIMED = FactorSpace((*SPACE.factors, BlockFactor("batch"), Covariate("time", "h", low=0)))


def observed(*rows: tuple[float, float, str, float, float]) -> Observations:
    """Return runs of pH, temperature, batch, time and titre."""
    table = pd.DataFrame(rows, columns=["pH", "temperature", "batch", "time", "titre"])
    return Observations.from_frame(table, TIMED, (Response("titre", "g/L"),))


# Progress


@pytest.mark.parametrize(
    ("goal", "best"),
    [
        (Goal("titre", "maximise"), [2.0, 4.0, 4.0, 4.5]),
        (Goal("titre", "minimise"), [2.0, 2.0, 1.0, 1.0]),
        (Goal("titre", "target", target=4.2), [2.0, 4.0, 4.0, 4.0]),
        (Goal("titre", "range", low=0.5, high=1.5), [2.0, 2.0, 1.0, 1.0]),
    ],
)
def test_the_best_so_far_is_what_the_goal_asks_for(goal: Goal, best: list[float]) -> None:
    campaign = Campaign.create(
        ":memory:", "study", SPACE, RESPONSES, (), Single(goal), seed=1, actor=ANA
    )
    campaign.seed(corners())
    values = dict(zip("1234", (2.0, 4.0, 1.0, 4.5), strict=True))
    campaign.record([Measurement(run, "titre", value) for run, value in values.items()])

    (report,) = report_progress(campaign.state)

    assert report.runs == tuple(values)
    assert report.best.tolist() == best
    assert f"{best[-1]:g}" in report.sentence()


@pytest.mark.requirement("ANA-14")
def test_a_run_that_does_not_count_is_shown_and_is_never_the_best() -> None:
    campaign = new_campaign()
    campaign.seed(corners())
    campaign.record([Measurement("1", "titre", 9.0), Measurement("2", "titre", 3.0)])
    campaign.exclude("1", reason="the probe drifted")

    (report,) = campaign.progress()

    assert report.counts.tolist() == [False, True]
    assert np.isnan(report.best[0])
    assert report.best[1] == 3.0
    labels = [layer.label for layer in report.plot().layers]
    assert "left out of the models" in labels


def test_a_response_without_a_goal_has_no_best() -> None:
    campaign = new_campaign()
    campaign.seed(corners())
    campaign.record([Measurement("1", "aggregates", 1.0)])

    (report,) = campaign.progress()

    assert report.goal is None
    assert np.isnan(report.best).all()
    assert report.limits == (2.0,)


# Confounding


def test_a_covariate_that_follows_the_batch_is_wholly_confounded() -> None:
    runs = observed((6.8, 30, "A", 50, 1.0), (7.4, 38, "A", 50, 2.0), (6.8, 30, "B", 150, 3.0))

    found = find_confounding(runs, "time", "batch", "titre")

    assert found.share == pytest.approx(1.0)
    assert found.repeated == ("1", "3")
    assert "1 g/L after 50 h in batch A; 3 g/L after 150 h in batch B" in found.sentence()


def test_a_covariate_that_varies_alike_in_every_batch_is_not() -> None:
    runs = observed(
        (6.8, 30, "A", 50, 1.0),
        (7.4, 38, "A", 150, 2.0),
        (6.8, 30, "B", 150, 3.0),
        (7.4, 38, "B", 50, 3.0),
    )

    assert find_confounding(runs, "time", "batch", "titre").share == pytest.approx(0.0)


def test_without_repeated_settings_there_is_nothing_to_compare() -> None:
    runs = observed((6.8, 30, "A", 50, 1.0), (7.4, 38, "B", 150, 2.0))

    with pytest.raises(TooFewDataError, match="repeated"):
        find_confounding(runs, "time", "batch", "titre")


def test_a_covariate_that_never_changes_explains_nothing() -> None:
    runs = observed((6.8, 30, "A", 50, 1.0), (6.8, 30, "B", 50, 2.0))

    with pytest.raises(TooFewDataError, match="same in every run"):
        find_confounding(runs, "time", "batch", "titre")


# Maps and validation


@pytest.fixture(scope="module")
def learned() -> Campaign:
    """Titre peaks at pH 7.1 and 35 degC, aggregates rise with temperature only; twelve runs."""
    campaign = new_campaign(seed=5)
    design = corners()
    campaign.seed(design)
    inner = [(6.8, 34), (7.4, 34), (7.1, 30), (7.1, 38), (6.95, 32), (7.25, 36), (6.95, 36)]
    runs = pd.DataFrame(inner, columns=["pH", "temperature"])
    campaign.seed(Design(design.space, runs, "axial and inner"))
    campaign.record(results(campaign, *map(str, range(1, 13))))
    return campaign


@pytest.mark.slow
def test_the_map_is_over_the_strongest_drivers_of_what_is_limited(learned: Campaign) -> None:
    found = map_reliability(learned, n=9)

    assert (found.x, found.y) == ("temperature", "pH")
    assert found.at == {}
    assert found.held_as_in is None


@pytest.mark.slow
def test_the_map_follows_the_limit(learned: Campaign) -> None:
    """Aggregates are 0.05 % per degC, so that 2 % is never reached and 1.7 % at 34 degC."""
    campaign = learned
    campaign.change_specifications(
        [Specification("aggregates", upper=1.7)], reason="a tighter limit"
    )

    found = map_reliability(campaign, "temperature", "pH", n=9)
    x, _, probability, _ = found.coarse()

    assert (probability[:, x <= 33] > 0.9).all()
    assert (probability[:, x >= 35] < 0.1).all()
    drawn = found.with_batch(["10"], [{"pH": 7.0, "temperature": 33.0}])
    last = drawn.layers[-1]
    assert isinstance(last, Points)
    assert (last.x.tolist(), last.y.tolist(), last.names) == ([33.0], [7.0], ("10",))
    assert isinstance(found.surface, Surface)


@pytest.mark.slow
def test_factors_that_are_on_no_axis_are_held_as_in_the_likeliest_run() -> None:
    space = FactorSpace((*SPACE.factors, ContinuousFactor("stirrer", 100, 300, "rpm")))
    campaign = Campaign.create(
        ":memory:",
        "study",
        space,
        RESPONSES,
        (Specification("titre", lower=4.0),),
        Single(Goal("titre")),
        seed=2,
        actor=ANA,
    )
    rng = np.random.default_rng(8)
    runs = space.sample(10, rng=rng)
    table = runs.assign(titre=5 - 0.0002 * (runs["stirrer"] - 250) ** 2, aggregates=1.0)
    table["aggregates"] += 0.01 * np.arange(10)
    campaign.import_runs(Observations.from_frame(table, space, RESPONSES))

    found = map_reliability(campaign, "pH", "temperature", n=5)

    best = str(table["titre"].to_numpy().argmax() + 1)
    assert found.held_as_in == best
    assert dict(found.at)["stirrer"] == pytest.approx(runs["stirrer"].iloc[int(best) - 1])
    given = map_reliability(campaign, "pH", "temperature", at={"stirrer": 120.0}, n=5)
    assert (given.at, given.held_as_in) == ({"stirrer": 120.0}, None)


def test_without_a_limit_there_is_no_map() -> None:
    campaign = Campaign.create(
        ":memory:", "study", SPACE, RESPONSES, (), Single(Goal("titre")), seed=1, actor=ANA
    )

    with pytest.raises(StateError, match="no specification"):
        map_reliability(campaign)


def test_runs_of_a_random_block_are_held_out_together() -> None:
    """A run predicted from others of its own batch looks better than one of a batch to come."""
    assert usual_groups(TIMED) == "batch"
    assert usual_groups(SPACE) == "replicates"


@pytest.mark.slow
@pytest.mark.requirement("ANA-11")
def test_the_model_is_validated_beside_response_surfaces_on_the_same_folds(
    learned: Campaign,
) -> None:
    found = validate_model(learned, "titre", groups="run")

    assert list(found.validations) == ["gaussian_process", "quadratic", "linear"]
    folds = [tuple(v.table["run"]) for v in found.validations.values()]
    assert len(set(folds)) == 1
    # The titre is a quadratic, which the quadratic surface therefore predicts without error.
    assert found.validations["quadratic"].q2 == pytest.approx(1.0)
    plot = validation_plot(found.validations["gaussian_process"], found.validations)
    assert "linear" in plot.sentence

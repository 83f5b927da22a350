import json

import numpy as np
import pandas as pd
import pytest

from doe.errors import CancelledError, InvalidValueError, TooFewDataError
from surrogates.fitting import gaussian_process_candidate, quadratic_candidate
from surrogates.validation import Validation, compare, cross_validate, without_runs
from tests.surrogates.examples import culture_study

RNG_SEED = 3


def rng() -> np.random.Generator:
    return np.random.default_rng(RNG_SEED)


@pytest.fixture(scope="module")
def study():
    return culture_study(n_runs=26)


@pytest.fixture(scope="module")
def leave_one_out(study):
    return cross_validate(study, "titre", quadratic_candidate("titre"), rng=rng())


@pytest.mark.requirement("ANA-1")
def test_leaving_one_run_out_of_least_squares_gives_the_press_residuals(study, leave_one_out):
    """e_i / (1 - h_i), from one fit: Allen (1974), Technometrics 16, 125-127."""
    surface = quadratic_candidate("titre")(study, rng())
    matrix = surface.matrix.to_numpy()
    hat = matrix @ np.linalg.pinv(matrix)
    residuals = surface.rows.measured - hat @ surface.rows.measured
    press = residuals / (1 - np.diag(hat))

    found = leave_one_out.table["observed"] - leave_one_out.table["mean"]

    np.testing.assert_allclose(found, press, rtol=1e-8)
    total = np.square(surface.rows.measured - surface.rows.measured.mean()).sum()
    assert leave_one_out.q2 == pytest.approx(1 - np.square(press).sum() / total)
    assert leave_one_out.rmse == pytest.approx(np.sqrt(np.square(press).mean()))


@pytest.mark.requirement("ANA-11")
def test_a_useful_surrogate_is_green_and_covers(leave_one_out):
    assert leave_one_out.colour == "green"
    assert leave_one_out.coverage[0.95] > 0.8
    assert leave_one_out.verdict.startswith("Green: with single runs held out, Q2 is 0.")
    assert "Of 26 held-out values" in leave_one_out.verdict


@pytest.mark.requirement("ANA-11")
def test_a_surrogate_of_pure_noise_is_red_and_its_q2_is_not_clipped():
    study = culture_study(noise=2000.0, seed=4)

    validation = cross_validate(study, "titre", quadratic_candidate("titre"), rng=rng())

    assert validation.q2 < 0
    assert validation.colour == "red"
    assert "do not rely on it" in validation.verdict


def test_the_summary_is_plain_json(leave_one_out):
    summary = leave_one_out.summary()

    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_replicates_are_held_out_together(study):
    validation = cross_validate(
        study, "titre", quadratic_candidate("titre"), groups="replicates", rng=rng()
    )

    folds = dict(zip(validation.table["run"], validation.table["fold"], strict=True))
    assert len({folds["24"], folds["25"], folds["26"]}) == 1
    assert validation.n_folds == 24


@pytest.mark.slow
@pytest.mark.requirement("ANA-11")
def test_a_held_out_block_is_predicted_as_a_new_one():
    """Leaving a run of a known day out uses that day's effect; leaving the day out cannot."""
    study = culture_study(n_runs=18, block_std=6.0)
    candidate = gaussian_process_candidate("titre")

    runs = cross_validate(study, "titre", candidate, rng=rng())
    days = cross_validate(study, "titre", candidate, groups="day", rng=rng())

    assert days.n_folds == 6
    assert days.rmse > 1.5 * runs.rmse
    assert days.table["new_run_std"].min() > runs.table["new_run_std"].max()
    assert days.coverage[0.95] > 0.7


def test_the_same_seed_gives_the_same_validation():
    study = culture_study(n_runs=12, block_std=2.0, n_blocks=3)
    one, other = (
        cross_validate(
            study, "titre", gaussian_process_candidate("titre"), groups="day", rng=rng()
        ).table
        for _ in range(2)
    )

    assert one.equals(other)


@pytest.mark.requirement("ANA-11")
def test_candidates_are_compared_on_the_same_folds_and_refusals_are_kept():
    study = culture_study(n_runs=13)
    candidates = {
        "linear": quadratic_candidate("titre", "linear"),
        "quadratic": quadratic_candidate("titre"),
    }

    comparison = compare(study, "titre", candidates, rng=rng())

    assert list(comparison.validations) == ["linear"]
    assert comparison.best == "linear"
    assert "degrees of freedom" in comparison.refusals["quadratic"]
    assert comparison.table()["candidate"].tolist() == ["linear"]


def test_progress_is_told_and_cancelling_stops(study):
    told: list[tuple[float, str]] = []
    candidate = quadratic_candidate("titre", "linear")

    cross_validate(
        study,
        "titre",
        candidate,
        rng=rng(),
        progress=lambda share, text: told.append((share, text)),
    )

    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert told[-1][0] == 1.0
    assert "fold 1 of 26" in told[0][1]
    answers = iter([False, False, True])
    with pytest.raises(CancelledError, match="fold 3"):
        cross_validate(study, "titre", candidate, rng=rng(), is_cancelled=lambda: next(answers))


def test_groups_that_do_not_exist_are_refused(study):
    with pytest.raises(InvalidValueError, match="groups 'batch' is unknown"):
        cross_validate(study, "titre", quadratic_candidate("titre"), groups="batch", rng=rng())


def test_one_group_alone_cannot_be_held_out():
    study = culture_study(block_std=1.0, n_blocks=1)

    with pytest.raises(TooFewDataError, match="only one"):
        cross_validate(study, "titre", quadratic_candidate("titre"), groups="day", rng=rng())


def test_runs_are_taken_out_with_everything_that_belongs_to_them(study):
    fewer = without_runs(study, {"1", "26"})

    assert "1" not in fewer.runs
    assert {m.run for m in fewer.measurements} == set(fewer.runs)
    assert len(fewer.origins) == len(fewer.actual) == len(fewer.recorded) == 24


@pytest.mark.parametrize("unit", [1.0, 1e300, 1e-300])
def test_q2_and_error_do_not_depend_on_the_unit(unit):
    """By hand: PRESS 1 + 0 + 4, total 42/9 about the mean 7/3, so Q2 = 1 - 45/42."""
    table = pd.DataFrame({"observed": [unit, 2 * unit, 4 * unit], "mean": [2 * unit] * 3})
    found = Validation("any", "titre", "g/L", "run", 3, table)
    assert found.q2 == pytest.approx(-3 / 42)
    assert found.rmse / unit == pytest.approx((5 / 3) ** 0.5)
    assert found.colour == "red"

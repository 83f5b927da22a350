"""Designs, measurements and observations: their shape, their order, what they refuse."""

import dataclasses
from datetime import UTC, datetime
from itertools import groupby

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.errors import DesignError, InvalidValueError, UnknownNameError
from doe.factors import BlockFactor, CategoricalFactor, ContinuousFactor
from doe.responses import DerivedResponse, Response
from doe.runs import Design, Measurement, Observations
from doe.space import FactorSpace
from tests.doe.run_strategies import designs, observations

SPACE = FactorSpace(
    (ContinuousFactor("pH", 6, 8), CategoricalFactor("resin", ("A", "B")), BlockFactor("day"))
)
RUNS = pd.DataFrame({"pH": [6.0, 7.0, 8.0, 7.0], "resin": ["A", "B", "A", "B"]})


def design(**changes) -> Design:
    return Design(**{"space": SPACE, "runs": RUNS, "method": "by hand", **changes})


def observed(**changes) -> Observations:
    target = RUNS.set_axis(["1", "2", "3", "4"])
    parts = {
        "space": SPACE,
        "responses": (Response("titre"), DerivedResponse("twice", "2 * titre")),
        "target": target,
        "actual": target.assign(pH=np.nan, resin=None),
        "recorded": pd.DataFrame({"day": list("ABAB")}, index=target.index),
        "measurements": (Measurement("1", "titre", 3.0),),
    }
    return Observations(**{**parts, **changes})


@settings(max_examples=20)
@given(designs())
def test_a_design_equals_its_copy_and_not_one_with_other_runs(made):
    assert dataclasses.replace(made) == made
    assert dataclasses.replace(made, method=made.method + "!") != made
    assert dataclasses.replace(made, runs=made.runs.iloc[::-1].assign(extra=1)) != made or (
        made.runs.iloc[::-1].reset_index(drop=True).equals(made.runs)
    )


@settings(max_examples=20)
@given(designs())
def test_a_run_sheet_lists_every_run_once_in_the_order_of_doing(made):
    sheet = made.run_sheet()

    assert sheet["run order"].tolist() == list(range(1, made.n_runs + 1))
    back = sheet.sort_values("standard order").reset_index(drop=True)
    pd.testing.assert_frame_equal(back[list(made.space.names)], made.runs)
    assert tuple(back["run order"]) == made.run_order
    assert all(tuple(back[name]) == levels for name, levels in made.blocks.items())


@pytest.mark.requirement("DOE-8")
@settings(max_examples=20)
@given(designs(), st.integers(0, 2**32 - 1))
def test_randomising_changes_the_order_alone_and_can_be_repeated(made, seed):
    randomised = made.randomised(rng=np.random.default_rng(seed), seed=seed)

    assert randomised == made.randomised(rng=np.random.default_rng(seed), seed=seed)
    kept = {"run_order": made.run_order, "seed": made.seed, "randomisation": made.randomisation}
    assert dataclasses.replace(randomised, **kept) == made
    assert sorted(randomised.run_order) == sorted(made.run_order)


@pytest.mark.requirement("DOE-8")
@given(st.integers(0, 2**32 - 1))
def test_randomising_keeps_the_runs_of_a_block_together(seed):
    made = design(blocks={"day": ("Mon", "Tue", "Mon", "Tue")})

    sheet = made.randomised(rng=np.random.default_rng(seed)).run_sheet()

    assert sheet["day"].tolist() == ["Mon", "Mon", "Tue", "Tue"]


@pytest.mark.requirement("DOE-8")
def test_the_record_of_randomisation_says_what_was_drawn_and_what_was_kept():
    free = design().randomised(rng=np.random.default_rng(3), seed=3)
    days = {"day": ("Mon", "Mon", "Tue", "Tue")}
    by_day = design(blocks=days).randomised(rng=np.random.default_rng(3))

    assert free.randomisation == "complete: the order of all 4 runs was drawn from seed 3"
    assert by_day.randomisation == (
        "restricted: the order of day was kept, and runs were drawn within day"
    )


@pytest.mark.requirement("DOE-7")
@given(st.integers(0, 2**32 - 1))
def test_a_whole_plot_is_done_in_one_piece_and_its_setting_set_once(seed):
    made = split_plot()

    randomised = made.randomised(rng=np.random.default_rng(seed))
    sheet = randomised.run_sheet()

    plots = sheet["whole plot"].tolist()
    assert len(list(groupby(plots))) == 3
    assert len(list(groupby(zip(plots, sheet["temperature"], strict=True)))) == 3
    assert "temperature is set once per whole plot, 3 times" in randomised.randomisation
    assert "the order of whole plot was drawn" in randomised.randomisation


@pytest.mark.requirement("DOE-7")
def test_whole_plots_come_in_every_order():
    orders = {
        tuple(dict.fromkeys(split_plot().randomised(rng=rng).run_sheet()["whole plot"]))
        for rng in map(np.random.default_rng, range(60))
    }

    assert len(orders) == 6


def split_plot() -> Design:
    """Return six runs in three whole plots of one temperature each."""
    space = FactorSpace(
        (
            ContinuousFactor("temperature", 30, 37, "degC", change="hard"),
            ContinuousFactor("pH", 6.8, 7.2),
            BlockFactor("whole plot"),
        )
    )
    runs = pd.DataFrame(
        {"temperature": [30, 30, 37, 37, 33, 33], "pH": [6.8, 7.2, 6.8, 7.2, 6.8, 7.2]}
    )
    blocks = {"whole plot": ("1", "1", "2", "2", "3", "3")}
    return Design(space, runs, "split-plot", blocks=blocks, whole_plots=("whole plot",))


def test_a_design_keeps_its_own_copy_of_the_settings_in_the_order_of_the_factors():
    table = RUNS[["resin", "pH"]].set_axis([7, 7, 7, 7]).assign(note="x")

    made = design(runs=table)
    table["pH"] = 0.0

    pd.testing.assert_frame_equal(made.runs, RUNS)


def test_lists_and_numbers_as_block_levels_become_tuples_of_text():
    made = design(blocks={"day": [1, 2, 1, 2]}, point_types=["centre"] * 4, run_order=[4, 3, 2, 1])

    assert made.blocks == {"day": ("1", "2", "1", "2")}
    assert made.run_order == (4, 3, 2, 1)
    assert made.point_types == ("centre",) * 4


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"runs": RUNS.iloc[:0]}, ["at least one run"]),
        ({"runs": RUNS.assign(pH=[6, np.nan, 7, 8])}, ["Run 2", "no setting of 'pH'"]),
        ({"runs": RUNS.assign(resin=["A", "B", None, "A"])}, ["Run 3", "'resin'"]),
        ({"run_order": (1, 2, 3)}, ["1 to 4 once", "[1, 2, 3]"]),
        ({"run_order": (1, 2, 3, 3)}, ["1 to 4 once"]),
        ({"whole_plots": ("day",)}, ["Whole plots 'day'", "give each run"]),
        ({"point_types": ("centre",)}, ["1 point types for 4 runs"]),
        ({"blocks": {"day": ("Mon",)}}, ["'day' has 1 of 4 levels"]),
    ],
)
def test_a_design_whose_parts_do_not_fit_is_refused(changes, parts):
    with pytest.raises(DesignError) as refusal:
        design(**changes)

    assert all(part in str(refusal.value) for part in parts), refusal.value


def test_a_factor_with_the_name_of_a_column_of_the_run_sheet_is_refused():
    space = FactorSpace((ContinuousFactor("run order", 0, 1),))
    made = Design(space, pd.DataFrame({"run order": [0.5]}), "by hand")

    with pytest.raises(DesignError, match="two columns 'run order': rename"):
        made.run_sheet()


def test_a_design_cannot_be_changed_and_has_no_hash():
    made = design()

    with pytest.raises(dataclasses.FrozenInstanceError):
        made.method = "other"
    with pytest.raises(TypeError):
        hash(made)


def test_coded_runs_are_those_of_the_space():
    assert design().coded()["pH"].tolist() == [-1, 0, 1, 0]


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: Measurement("", "titre", 1), ["run needs a name"]),
        (lambda: Measurement(1, "titre", 1), ["run needs a name", "1"]),
        (lambda: Measurement("1", "titre", None), ["'titre' on run '1'", "number", "None"]),
        (lambda: Measurement("1", "titre", float("nan")), ["finite", "nan"]),
        (lambda: Measurement("1", "titre", "3,5"), ["number", "'3,5'"]),
        (lambda: Measurement("1", "titre", 1, qualifier="~"), ["'~'", "'<'"]),
        (lambda: Measurement("1", "titre", 1, sd=0), ["sd must be positive", "0"]),
        (lambda: Measurement("1", "titre", 1, time="late"), ["time", "'late'"]),
        (lambda: Measurement("1", "titre", 1, replicate=0), ["from 1", "0"]),
        (lambda: Measurement("1", "titre", 1, replicate=1.5), ["whole number"]),
        (lambda: Measurement("1", "titre", 1, replicate=True), ["whole number"]),
        (
            lambda: Measurement("1", "titre", 1, measured_at=datetime(2026, 1, 1)),
            ["time zone"],
        ),
    ],
)
def test_a_measurement_that_cannot_be_is_refused(make, parts):
    with pytest.raises(InvalidValueError) as refusal:
        make()

    assert all(part in str(refusal.value) for part in parts), refusal.value


def test_a_measurement_is_known_by_run_response_time_and_replicate():
    made = Measurement("1", "titre", 1, time=2, replicate=3, measured_at=datetime.now(UTC))

    assert made.key == ("1", "titre", 2.0, 3)
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.value = 2.0


@settings(max_examples=20)
@given(observations())
def test_every_view_of_observations_has_a_row_per_run(made):
    assert list(made.settings().index) == list(made.runs)
    assert list(made.replicate_groups().index) == list(made.runs)
    assert made.settings()[list(made.space.names)].notna().all(axis=None)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"target": RUNS.set_axis(["1", "2", "2", "3"])}, ["Runs occur twice: ['2']"]),
        ({"actual": RUNS}, ["actual settings have other runs", "same index"]),
        ({"recorded": pd.DataFrame({"day": ["A"]}, index=["1"])}, ["recorded settings"]),
        ({"origins": ("added",)}, ["1 origins for 4 runs"]),
        ({"responses": (Response("titre"), Response("titre"))}, ["occurs twice", "rename"]),
        ({"measurements": (Measurement("9", "titre", 1),)}, ["run '9'", "no such run", "'1'"]),
        ({"measurements": (Measurement("1", "hcp", 1),)}, ["'hcp'", "no such", "['titre']"]),
        ({"measurements": (Measurement("1", "twice", 1),)}, ["'twice'", "no such measured"]),
        (
            {"measurements": (Measurement("1", "titre", 1),) * 2},
            ["two values of 'titre'", "number the replicates"],
        ),
    ],
)
def test_observations_whose_parts_do_not_fit_are_refused(changes, parts):
    with pytest.raises(InvalidValueError) as refusal:
        observed(**changes)

    assert all(part in str(refusal.value) for part in parts), refusal.value


def test_actual_settings_need_a_column_for_each_factor():
    without = observed().actual.drop(columns="pH")

    with pytest.raises(InvalidValueError, match=r"lack the factors \['pH'\]"):
        observed(actual=without)


def test_runs_that_came_from_nowhere_else_were_imported():
    assert observed().origins == ("imported",) * 4


def test_responses_are_found_by_name_or_refused_with_those_there_are():
    made = observed()

    assert made.response("twice") == DerivedResponse("twice", "2 * titre")
    assert made.derived() == (DerivedResponse("twice", "2 * titre"),)
    with pytest.raises(UnknownNameError, match=r"'hcp'; the responses are \['titre', 'twice'\]"):
        made.response("hcp")

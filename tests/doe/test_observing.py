"""Observations read from tables, summarised to one number per run, grouped by replicates."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.errors import InvalidValueError
from doe.factors import (
    BlockFactor,
    ContinuousFactor,
    Covariate,
    DiscreteFactor,
)
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from tests.doe.run_strategies import observations
from tests.doe.wide_runs import SPACE, TITRE, read, table


def test_a_wide_table_becomes_runs_numbered_from_one():
    made = read(titre=[3.0, np.nan, 4.5], pH=[6, 7, 8])

    assert made.runs == ("1", "2", "3")
    assert made.target["pH"].tolist() == [6.0, 7.0, 8.0]
    assert made.values("titre")[["run", "value"]].to_numpy().tolist() == [["1", 3.0], ["3", 4.5]]
    assert made.origins == ("imported",) * 3


@pytest.mark.parametrize("names", [[1, 2], [1.0, 2.0], ["1", "2"], [" 1", "2 "]])
def test_run_names_are_text_however_the_spreadsheet_kept_them(names):
    assert read(titre=[1.0, 2.0], run=names).runs == ("1", "2")


def test_an_index_called_run_names_the_runs():
    named = table(titre=[1.0, 2.0]).set_axis(pd.Index(["x", "y"], name="run"))

    assert Observations.from_frame(named, SPACE, (TITRE,)).runs == ("x", "y")


@pytest.mark.requirement("ANA-14")
def test_rows_of_one_run_are_its_replicates_and_empty_cells_are_none():
    made = read(titre=[3.0, 3.2, None, 4.0], run=["a", "a", "b", "b"])

    assert made.runs == ("a", "b")
    assert made.values("titre")[["run", "replicate", "value"]].to_numpy().tolist() == [
        ["a", 1, 3.0],
        ["a", 2, 3.2],
        ["b", 1, 4.0],
    ]


@pytest.mark.requirement("ANA-14")
@pytest.mark.parametrize("cell", ["<0.5", "< 0.5", " <0.5 "])
def test_a_value_below_its_limit_stays_a_limit(cell):
    values = read(titre=[cell, 2.0]).values("titre")

    assert values[["value", "qualifier"]].to_numpy().tolist() == [[0.5, "<"], [2.0, "="]]


@pytest.mark.parametrize(("cell", "value"), [(True, 1.0), (0, 0.0), (np.True_, 1.0), (1.0, 1.0)])
def test_pass_and_fail_are_one_and_zero(cell, value):
    made = read(Response("clear", kind="pass_fail"), clear=pd.Series([cell], dtype=object))

    assert made.values("clear")["value"].tolist() == [value]


def test_blocks_and_contexts_are_text():
    made = read(titre=[1.0, 2.0], day=[1.0, 2.0], scale=["2 L", None])

    assert made.recorded["day"].tolist() == ["1", "2"]
    assert made.recorded["scale"].tolist()[0] == "2 L"
    assert made.recorded["scale"].isna().tolist() == [False, True]
    assert made.recorded["purity"].isna().all()


def test_text_columns_of_any_kind_are_read_alike():
    plain = table(titre=[1.0, 2.0], day=["Mon", "Tue"])

    for kind in ("object", "str", "category", "string"):
        made = Observations.from_frame(plain.astype({"resin": kind, "day": kind}), SPACE, (TITRE,))
        assert made.target["resin"].tolist() == ["A", "A"]
        assert made.recorded["day"].tolist() == ["Mon", "Tue"]
        assert made.settings()["resin"].tolist() == ["A", "A"]


def test_a_covariate_that_follows_from_others_is_computed_where_it_was_not_measured():
    space = FactorSpace((*SPACE.factors[:3], Covariate("hours", expression="mass / rate")))
    rows = table(mass=[10.0, 12.0, 9.0], rate=[2.0, 3.0, 1.0]).assign(hours=[np.nan, np.nan, 7.0])

    made = Observations.from_frame(rows, space, (Response("mass"), Response("rate")))

    assert made.recorded["hours"].tolist() == [5.0, 4.0, 7.0]


@pytest.mark.parametrize(
    ("columns", "parts"),
    [
        ({"titre": [1, 2], "pH": [7, 6], "run": ["a", "a"]}, ["'a'", "different 'pH', 7.0 and 6"]),
        (
            {"titre": [1, 2], "day": ["x", "y"], "run": ["a", "a"]},
            ["Run 'a'", "different 'day', x and y", "own name"],
        ),
        ({"titre": [1], "run": [None]}, ["Row 1", "no run name", "column 'run'"]),
        ({"titre": [1], "pH": [np.nan]}, ["Run '1'", "no setting of 'pH'"]),
        ({"titre": [1], "resin": ["C"]}, ["Run '1', 'resin' is 'C'", "A, B"]),
        ({"titre": [1], "scale": ["20 L"]}, ["'scale' is '20 L'", "2 L, 200 L"]),
        ({"titre": ["much"]}, ["Run '1', 'titre' is 'much'", "number"]),
        ({"titre": ["<"]}, ["'titre' is ''", "number"]),
        ({"titre": ["3,5"]}, ["'3,5'", "number"]),
        ({"titre": [float("inf")]}, ["'titre' is inf", "finite"]),
        ({"titre": [1], "pH (actual)": ["7.1"]}, ["'pH (actual)' is '7.1'", "number"]),
        ({"titre": [1], "titre (qualifier)": ["~"]}, ["qualifier '~'"]),
        ({"titer": [1]}, ["none of the responses ['titre']", "'titer'", "rename"]),
        ({"titre": [1], "purity": ["high"]}, ["'purity' is 'high'", "number"]),
        ({"titre": [1], "time": ["noon"]}, ["'time' is 'noon'", "number"]),
    ],
)
def test_a_cell_that_cannot_be_read_is_named_with_its_run(columns, parts):
    with pytest.raises(InvalidValueError) as refusal:
        read(**columns)

    assert all(part in str(refusal.value) for part in parts), refusal.value


def test_a_table_with_a_column_twice_is_refused():
    twice = pd.concat([table(titre=[1.0]), table(titre=[2.0])[["titre"]]], axis=1)

    with pytest.raises(InvalidValueError, match="2 columns 'titre'"):
        Observations.from_frame(twice, SPACE, (TITRE,))


def test_a_table_without_rows_gives_observations_without_runs():
    made = Observations.from_frame(table(titre=[1.0]).iloc[:0], SPACE, (TITRE,))

    assert made.runs == ()
    assert len(made.values("titre")) == len(made.settings()) == len(made.replicate_groups()) == 0
    assert len(made.table()) == 0


@pytest.mark.requirement("DOE-11")
def test_achieved_settings_are_learnt_unless_the_reading_is_only_noise():
    made = read(
        titre=[1.0, 2.0],
        **{"pH (actual)": [7.04, None], "feed (actual)": [5.2, 4.9], "resin (actual)": ["B", None]},
        day=["Mon", "Tue"],
    )

    learnt = made.settings()

    assert learnt["pH"].tolist() == [7.04, 7.0]
    assert learnt["feed"].tolist() == [5.0, 5.0]
    assert learnt["resin"].tolist() == ["B", "A"]
    assert learnt["day"].tolist() == ["Mon", "Tue"]
    assert made.target["pH"].tolist() == [7.0, 7.0]


@pytest.mark.requirement("ANA-14", "DOE-11")
def test_replicates_have_equal_targets_and_achieved_settings_within_tolerance():
    made = read(
        titre=[1.0] * 7,
        pH=[7.0, 7.0, 7.0, 7.5, 7.0, 7.0, 7.5],
        **{"pH (actual)": [7.0, 7.08, 7.3, None, None, 6.95, 7.45]},
        **{"feed (actual)": [1.0, 9.0, 5.0, 5.0, 5.0, 5.0, 5.0]},
    )

    assert made.replicate_groups().tolist() == [0, 0, 1, 2, 0, 3, 2]


def test_every_pair_of_replicates_agrees_not_only_neighbours():
    made = read(titre=[1.0] * 3, **{"pH (actual)": [6.95, 7.04, 7.13]})

    assert made.replicate_groups().tolist() == [0, 0, 1]


def test_without_a_tolerance_replicates_agree_within_two_percent_of_the_range():
    space = FactorSpace(
        (ContinuousFactor("x", 0, 100), ContinuousFactor("k", 1, 10_000, scale="log"))
    )
    rows = pd.DataFrame(
        {
            "x": [50.0] * 4,
            "k": [10.0] * 4,
            "x (actual)": [49.0, 51.0, 51.1, 50.0],
            "k (actual)": [10.0, 11.0, 10.0, 13.0],
            "titre": [1.0] * 4,
        }
    )

    groups = Observations.from_frame(rows, space, (TITRE,)).replicate_groups()

    assert groups.tolist() == [0, 0, 1, 2]


def test_runs_at_another_scale_or_with_another_level_are_no_replicates():
    made = read(titre=[1.0] * 4, scale=["2 L", "200 L", "2 L", "2 L"], resin=["A", "A", "B", "A"])

    assert made.replicate_groups().tolist() == [0, 1, 2, 0]


def test_a_target_that_differs_by_rounding_error_is_the_same_target():
    made = read(titre=[1.0] * 3, pH=[7.2, 7.2 + 1e-14, 7.2 + 1e-6])

    assert made.replicate_groups().tolist() == [0, 0, 1]


@pytest.mark.requirement("ANA-14")
def test_the_wide_table_has_means_and_says_which_are_limits():
    made = read(
        TITRE,
        Response("hcp"),
        titre=[3.0, 5.0, 2.0],
        hcp=["<1", 2.0, 3.0],
        run=["a", "a", "b"],
        day=[1, 1, 2],
        **{"pH (actual)": [7.1, None, None]},
    )

    wide = made.table()

    assert wide.index.tolist() == ["a", "b"]
    assert wide["titre"].tolist() == [4.0, 2.0]
    assert wide["hcp"].tolist() == [1.5, 3.0]
    assert wide["hcp (qualifier)"].tolist() == ["<", "="]
    assert "titre (qualifier)" not in wide
    assert wide["day"].tolist() == ["1", "2"]
    assert wide["pH (actual)"].tolist()[0] == 7.1
    assert "feed (actual)" not in wide


@settings(max_examples=20)
@given(observations(), st.randoms(use_true_random=False))
def test_the_order_of_measurements_changes_no_value(made, random):
    shuffled = list(made.measurements)
    random.shuffle(shuffled)
    other = Observations(
        made.space, made.responses, made.target, made.actual, made.recorded, tuple(shuffled)
    )

    for response in made.responses:
        pd.testing.assert_frame_equal(made.values(response.name), other.values(response.name))


@settings(max_examples=20)
@given(observations())
def test_replicate_groups_are_numbered_in_order_of_appearance(made):
    groups = made.replicate_groups().tolist()

    first_seen = list(dict.fromkeys(groups))
    assert first_seen == list(range(len(first_seen)))


def test_a_wide_table_can_be_read_again():
    space = FactorSpace((*SPACE.factors[:3], DiscreteFactor("n", (1, 2)), BlockFactor("day")))
    rows = table(titre=[3.0, "<2"], n=[1, 2], day=["x", "y"]).assign(**{"pH (actual)": [7.1, None]})
    made = Observations.from_frame(rows, space, (TITRE,))

    again = Observations.from_frame(made.table(), space, (TITRE,))

    pd.testing.assert_frame_equal(again.target, made.target)
    pd.testing.assert_frame_equal(again.actual, made.actual)
    pd.testing.assert_frame_equal(again.recorded, made.recorded)
    assert again.measurements == made.measurements

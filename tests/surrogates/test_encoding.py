import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.errors import InvalidValueError, UnknownNameError
from doe.factors import (
    BlockFactor,
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
)
from doe.space import FactorSpace
from surrogates.blocks import BlockLevels
from surrogates.gaussian_process.encoding import Encoding

SPACE = FactorSpace(
    (
        ContinuousFactor("pH", 6.0, 8.0),
        ContinuousFactor("enzyme", 0.01, 100.0, "U/mL", scale="log"),
        DiscreteFactor("day", (3.0, 5.0, 9.0), "d"),
        CategoricalFactor("resin", ("A", "B", "C")),
        MixtureComponent("glucose", 10.0, 60.0, "%"),
        MixtureComponent("water", 40.0, 90.0, "%"),
    ),
    mixture_total=100.0,
)
LOW = {"pH": 6.0, "enzyme": 0.01, "day": 3.0, "resin": "A", "glucose": 10.0, "water": 40.0}
HIGH = {"pH": 8.0, "enzyme": 100.0, "day": 9.0, "resin": "C", "glucose": 60.0, "water": 90.0}
NESTED = FactorSpace(
    (
        ContinuousFactor("pH", 6.0, 8.0),
        BlockFactor("day"),
        BlockFactor("vessel", nested_in="day"),
    )
)


def test_the_ends_of_every_range_are_the_bounds():
    encoded = Encoding(SPACE).encode(pd.DataFrame([LOW, HIGH]))

    torch.testing.assert_close(encoded, Encoding(SPACE).bounds, rtol=0, atol=1e-12)


def test_a_log_scaled_factor_is_encoded_by_ratio():
    encoded = Encoding(SPACE).encode(pd.DataFrame([{**LOW, "enzyme": 1.0}]))

    assert float(encoded[0, 1]) == pytest.approx(0.5)


@settings(max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_decoding_gives_the_settings(seed):
    table = SPACE.sample(5, rng=np.random.default_rng(seed))
    encoding = Encoding(SPACE)

    back = encoding.decode(encoding.encode(table))

    pd.testing.assert_frame_equal(back, table, check_dtype=False, rtol=1e-10)


def test_decoding_takes_the_nearest_level():
    encoding = Encoding(SPACE)
    encoded = encoding.encode(pd.DataFrame([LOW]))
    encoded[0, 2], encoded[0, 3] = 0.36, 1.4

    decoded = encoding.decode(encoded)

    assert (decoded["day"][0], decoded["resin"][0]) == (5.0, "B")


def test_an_optimiser_learns_which_columns_are_not_continuous():
    encoding = Encoding(SPACE)

    assert encoding.categorical_columns == {3: [0, 1, 2]}
    assert encoding.discrete_columns == {2: pytest.approx([0.0, 1 / 3, 1.0])}
    assert encoding.numeric_columns == (0, 1, 2, 4, 5)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("resin", "D", "'D' is not a level of 'resin'"),
        ("enzyme", 0.0, "'enzyme' is 0; expected a finite number above zero"),
        ("pH", np.inf, "'pH' is inf"),
        ("day", np.nan, "no setting of 'day'"),
    ],
)
def test_a_setting_that_cannot_be_encoded_is_named(name, value, words):
    with pytest.raises(InvalidValueError, match=words):
        Encoding(SPACE).encode(pd.DataFrame([{**LOW, name: value}]))


def test_nested_blocks_are_told_apart_by_the_block_they_are_in():
    runs = pd.DataFrame({"day": ["1", "1", "2", "2"], "vessel": ["a", "b", "a", "a"]})

    levels = BlockLevels.learned(NESTED, runs)

    assert levels.levels["vessel"] == (("1", "a"), ("1", "b"), ("2", "a"))
    assert levels.numbers(runs).tolist() == [[0, 0], [0, 1], [1, 2], [1, 2]]
    assert levels.indices("new") == (2, 3)
    assert levels.indices({"day": "2", "vessel": "a"}) == (1, 2)
    assert levels.indices({"vessel": "b"}) == (0, 1), "vessel b says which day it was"
    assert levels.indices({"day": "2"}) == (1, 3)
    with pytest.raises(UnknownNameError, match="vessel"):
        levels.indices({"vessel": "a"})
    with pytest.raises(InvalidValueError, match="name the factor"):
        levels.indices("a")


def test_block_levels_read_from_a_spreadsheet_are_found_by_their_text():
    space = FactorSpace((ContinuousFactor("pH", 6.0, 8.0), BlockFactor("batch")))
    levels = BlockLevels.learned(space, pd.DataFrame({"batch": [0.0, 1.0, 2.0]}))

    assert levels.indices("1") == (1,)
    with pytest.raises(UnknownNameError, match="no level '7'"):
        levels.indices("7")

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from doe.errors import InvalidValueError, TooFewDataError
from doe.factors import BlockFactor, Context, ContinuousFactor
from doe.responses import DerivedResponse, Response
from doe.runs import Measurement, Observations
from doe.space import FactorSpace
from surrogates.learning_rows import learning_rows
from tests.surrogates.examples import culture_study

SPACE = FactorSpace(
    (
        ContinuousFactor("pH", 6.0, 8.0),
        BlockFactor("day"),
        Context("scale", ("2 L", "2000 L")),
    )
)
TABLE = pd.DataFrame(
    {
        "pH": [6.0, 7.0, 7.0, 7.0, 7.0],
        "day": ["1", "1", "1", "2", "2"],
        "scale": ["2 L"] * 5,
        "titre": [1.0, 5.0, 5.2, 7.0, 7.4],
        "clear": [1, 1, 0, 1, 1],
    }
)
RESPONSES = (
    Response("titre", "g/L"),
    Response("clear", kind="pass_fail"),
    DerivedResponse("double", "2 * titre"),
)


def study(table: pd.DataFrame = TABLE) -> Observations:
    return Observations.from_frame(table, SPACE, RESPONSES)


@pytest.mark.requirement("ANA-14")
def test_pure_error_compares_replicates_within_a_block_only():
    """5.0 and 5.2 on one day, 7.0 and 7.4 on another: the days differ by 2, the runs do not."""
    spread = learning_rows(study(), "titre").replicate_spread()

    assert spread.degrees == 2
    assert spread.std == pytest.approx(np.sqrt((0.1**2 * 2 + 0.2**2 * 2) / 2))


@pytest.mark.requirement("MG-3")
def test_the_hash_of_the_data_does_not_depend_on_the_order_of_the_rows():
    one = study(TABLE.assign(run=list("abcde")))
    other = study(TABLE.assign(run=list("abcde")).iloc[::-1])
    renamed = study(TABLE.assign(run=list("abcdf")))

    first, second, third = (learning_rows(s, "titre").sha256() for s in (one, other, renamed))

    assert first == second != third
    assert len(first) == 64


@pytest.mark.parametrize(("response", "words"), [("double", "derived"), ("clear", "pass/fail")])
def test_what_is_not_a_measured_number_is_not_learned(response, words):
    with pytest.raises(InvalidValueError, match=words):
        learning_rows(study(), response)


def test_a_response_without_values_is_named():
    with pytest.raises(TooFewDataError, match="No run has a value of 'titre'"):
        learning_rows(study(TABLE.assign(titre=np.nan)), "titre")


def test_a_run_without_its_block_is_named():
    broken = TABLE.assign(day=["1", "1", None, "2", "2"])

    with pytest.raises(InvalidValueError, match="Run '3' has no setting of 'day'"):
        learning_rows(study(broken), "titre")


def test_contexts_that_are_not_told_apart_are_pointed_out():
    mixed = TABLE.assign(scale=["2 L", "2 L", "2 L", "2000 L", "2000 L"])

    (warning,) = learning_rows(study(mixed), "titre").warnings

    assert "2 levels of context 'scale'" in warning
    assert learning_rows(study(), "titre").warnings == ()


def test_the_known_variance_of_a_mean_falls_with_the_number_of_determinations():
    observations = culture_study()
    first = observations.measurements[0]
    again = Measurement(first.run, "titre", first.value + 2.0, replicate=2, sd=0.4)
    measured = (replace(first, sd=0.3), *observations.measurements[1:], again)

    rows = learning_rows(replace(observations, measurements=measured), "titre")

    place = rows.runs.index(first.run)
    assert rows.measured[place] == pytest.approx(first.value + 1.0)
    assert rows.known_variance[place] == pytest.approx((0.09 + 0.16) / 4)
    assert rows.has_known_variance.sum() == 1
    assert any("1 to 2 determinations" in text for text in rows.warnings)

"""What a proposed run says about itself, and that nothing forbidden is ever handed out."""

import numpy as np
import pandas as pd
import pytest

from campaigns.recommending.distances import distances
from campaigns.recommending.facts import proposed_runs
from campaigns.recommending.strategy import Reason
from doe.errors import InfeasibleSpaceError, UnknownNameError
from doe.responses import DerivedResponse, Specification
from tests.campaigns.recommending.examples import (
    CONSTRAINED,
    MIXED,
    PURITY,
    SQUARE,
    TITRE,
    context_of,
    hill,
    known_scales,
    study,
)

REASON = Reason("explore", "For a test.")
HERE = pd.DataFrame({"pH": [7.0, 7.4], "feed": [2.0, 8.0]})


def described(context, settings=HERE, seed=1):
    n = len(settings)
    rng = np.random.default_rng(seed)
    return proposed_runs(context, settings, [REASON] * n, [None] * n, block={}, rng=rng)


def purity(settings):
    return 101 - 2 * settings["feed"].to_numpy(np.float64)


@pytest.fixture(scope="module")
def observations():
    ratio = DerivedResponse("ratio", "titre / feed", "")
    responses = (TITRE, PURITY, ratio)
    return study(SQUARE, {"titre": hill, "purity": purity}, responses, n_runs=20, noise=0.5)


@pytest.mark.requirement("OPT-4")
def test_predictions_are_those_of_the_surrogates_for_one_new_run(observations):
    context = context_of(observations)
    prediction = context.surrogates["titre"].predict(HERE)
    low, high = prediction.interval(0.95)

    for row, run in enumerate(described(context)):
        titre = run.predictions[0]
        assert (titre.response, titre.unit) == ("titre", "g/L")
        assert titre.mean == pytest.approx(prediction.mean[row])
        assert (titre.low, titre.high) == (pytest.approx(low[row]), pytest.approx(high[row]))


@pytest.mark.requirement("OPT-4")
def test_the_probability_of_all_specifications_is_the_product_over_independent_responses(
    observations,
):
    limits = [Specification("titre", 8.0), Specification("purity", 90.0, 98.0)]
    context = context_of(observations, specifications=limits)

    for row, run in enumerate(described(context)):
        parts = [
            context.surrogates[s.response].probability_within(HERE, s.lower, s.upper)[row]
            for s in limits
        ]
        assert run.probability_in_specification == pytest.approx(np.prod(parts), rel=1e-12)


def test_drawn_and_closed_probabilities_agree(observations):
    """A limit on a ratio with a factor that is known is a limit on the response itself."""
    direct = context_of(observations, specifications=[Specification("titre", 9.0)])
    drawn = context_of(observations, specifications=[Specification("ratio", 4.5)])
    here = HERE.iloc[[0]]

    (exact,) = described(direct, here)
    (sampled,) = described(drawn, here)

    standard_error = 0.5 / 4096**0.5
    assert sampled.probability_in_specification == pytest.approx(
        exact.probability_in_specification, abs=4 * standard_error
    )


def test_a_block_factor_that_does_not_exist_is_refused(observations):
    context = context_of(observations)

    with pytest.raises(UnknownNameError, match="no block factor is called 'day'"):
        proposed_runs(
            context,
            HERE,
            [REASON] * 2,
            [None] * 2,
            block={"day": "mon"},
            rng=np.random.default_rng(1),
        )


@pytest.mark.requirement("OPT-4")
def test_a_run_far_from_all_others_is_marked_as_an_extrapolation():
    settings = pd.DataFrame({"pH": [6.0, 6.1, 6.2, 6.1], "feed": [0.0, 0.5, 0.3, 0.9]})
    options = known_scales(length={"pH": 0.2, "feed": 1.0}, signal=2.0, noise=0.1)
    context = context_of(study(SQUARE, {"titre": hill}, settings=settings), options=options)

    near, far = described(context, pd.DataFrame({"pH": [6.1, 7.9], "feed": [0.4, 9.0]}))

    assert not near.extrapolates
    assert far.extrapolates


@pytest.mark.requirement("OPT-4")
def test_the_slack_is_the_room_left_under_each_constraint():
    context = context_of(study(CONSTRAINED, {"titre": hill}))

    (run,) = described(context, pd.DataFrame({"pH": [7.0], "feed": [2.0]}))

    assert run.slack == {"5 * pH + feed <= 39": pytest.approx(2.0)}


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"pH": [7.8], "feed": [5.0]}, "breaks 5"),
        ({"pH": [9.0], "feed": [0.0]}, "pH is 9.0"),
        ({"pH": [7.0001], "feed": [0.0]}, "not on the factors' steps"),
    ],
)
def test_a_setting_that_is_not_allowed_is_never_handed_out(settings, fault):
    context = context_of(study(CONSTRAINED, {"titre": hill}))

    with pytest.raises(InfeasibleSpaceError, match=fault):
        described(context, pd.DataFrame(settings))


def test_distances_count_ranges_and_levels_alike():
    """Half a pH range, a decade of two (log), the whole of the days and another resin."""
    one = pd.DataFrame({"pH": [6.0], "salt": [0.01], "day": [1.0], "resin": ["A"]})
    other = pd.DataFrame({"pH": [7.0], "salt": [0.1], "day": [7.0], "resin": ["C"]})

    (gap,) = distances(MIXED, one, other)[0]

    assert gap == pytest.approx(np.sqrt((0.25 + 0.25 + 1 + 1) / 4))

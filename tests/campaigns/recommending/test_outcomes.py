"""Probabilities of new runs, and responses computed from others, draw by draw."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from campaigns.recommending.outcomes import Outcomes, ResponseScale
from doe.responses import DerivedResponse, Specification


def scale(name: str, run_std: float = 0.5) -> ResponseScale:
    return ResponseScale(name, "g/L", run_std, lambda z: z, lambda value: value)


def draws_of(values, *, derived=(), names=("a", "b"), run_std=0.5):
    outcomes = Outcomes(tuple(scale(n, run_std) for n in names), tuple(derived), lambda x: {})
    modelled = torch.tensor(values, dtype=torch.float64)
    return outcomes.draws(modelled, torch.zeros(modelled.shape[1], 1))


@given(
    centre=st.floats(-50, 50),
    lower=st.none() | st.floats(-60, 60),
    width=st.none() | st.floats(0.01, 30),
)
@settings(max_examples=60)
def test_the_probability_of_meeting_limits_is_that_of_the_normal_distribution(centre, lower, width):
    if lower is None and width is None:
        return
    upper = None if width is None else (lower or 0.0) + width
    draws = draws_of([[[centre]]], names=("a",))

    chance = draws.log_within(Specification("a", lower, upper)).exp().item()

    low = -math.inf if lower is None else lower
    high = math.inf if upper is None else upper
    # In the upper tail scipy's survival function is the accurate one.
    below = norm.cdf(high, centre, 0.5) - norm.cdf(low, centre, 0.5)
    above = norm.sf(low, centre, 0.5) - norm.sf(high, centre, 0.5)
    assert chance == pytest.approx(above if low > centre else below, rel=1e-6, abs=1e-300)


def test_far_outside_two_limits_the_probability_still_has_a_slope():
    outcomes = Outcomes((scale("a"),), (), lambda x: {})
    modelled = torch.tensor([[[-12.0], [12.0]]], dtype=torch.float64, requires_grad=True)

    chance = outcomes.draws(modelled, torch.zeros(2, 1)).log_within(Specification("a", -1.0, 1.0))

    chance.sum().backward()
    assert bool((chance < -200).all())
    assert modelled.grad[0, 0, 0] > 10
    assert modelled.grad[0, 1, 0] < -10


def test_a_limit_beyond_the_domain_of_a_scale_is_none_or_impossible():
    log = ResponseScale(
        "a", "", 0.5, torch.exp, lambda value: math.log(value) if value > 0 else -math.inf
    )
    outcomes = Outcomes((log,), (), lambda x: {})
    modelled = torch.zeros(1, 1, 1, dtype=torch.float64, requires_grad=True)
    draws = outcomes.draws(modelled, torch.zeros(1, 1))

    assert draws.log_within(Specification("a", -1.0, 1.0)).item() == pytest.approx(math.log(0.5))
    assert draws.log_within(Specification("a", None, -1.0)).item() < -600
    assert torch.isfinite(torch.autograd.grad(draws.value("a").sum(), modelled)[0]).all()


def test_a_derived_response_is_computed_draw_by_draw_from_responses_and_factors():
    outcomes = Outcomes(
        (scale("a"), scale("b")),
        (DerivedResponse("ratio", "a / b"), DerivedResponse("total", "2 * 3 * ratio * volume")),
        lambda settings: {"volume": 10 * settings[..., 0]},
    )
    modelled = torch.tensor([[[6.0, 2.0]], [[9.0, 3.0]]], dtype=torch.float64)

    draws = outcomes.draws(modelled, torch.tensor([[0.5]], dtype=torch.float64))

    assert draws.value("ratio").flatten().tolist() == [3.0, 3.0]
    assert draws.value("total").flatten().tolist() == [90.0, 90.0]
    assert outcomes.measured_in("total") == ("a", "b")


@given(weights=st.lists(st.floats(-3, 3), min_size=1, max_size=4))
@settings(max_examples=30)
def test_the_noise_of_a_sum_is_the_root_of_the_sum_of_squares(weights):
    names = tuple("abcd"[: len(weights)])
    expression = " + ".join(f"({w:.17f}) * {n}" for w, n in zip(weights, names, strict=True))
    derived = (DerivedResponse("total", expression),)

    draws = draws_of([[[1.0] * len(weights)]], derived=derived, names=names)

    expected = 0.5 * float(np.linalg.norm(weights))
    assert draws.run_spread("total").item() == pytest.approx(expected, rel=1e-6, abs=1e-6)


def test_a_draw_outside_an_expressions_domain_never_meets_a_limit_and_has_no_slope():
    outcomes = Outcomes((scale("a"),), (DerivedResponse("root", "a ** 0.5"),), lambda x: {})
    modelled = torch.tensor([[[-4.0], [9.0]]], dtype=torch.float64, requires_grad=True)
    draws = outcomes.draws(modelled, torch.zeros(2, 1))

    chance = draws.log_within(Specification("root", 1.0))

    chance.sum().backward()
    assert chance[0, 0] < -600 < -1e-3 < chance[0, 1]
    assert modelled.grad[0, 0, 0] == 0
    assert torch.isfinite(modelled.grad).all()

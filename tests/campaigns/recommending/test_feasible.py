"""Allowed settings in encoded units, against the factor space's own word."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.recommending.feasible import FeasibleRegion, narrowed
from doe.constraints import (
    CardinalityConstraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.errors import InfeasibleSpaceError
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor, MixtureComponent
from doe.space import FactorSpace
from surrogates.gaussian_process.encoding import Encoding

FACTORS = (
    ContinuousFactor("pH", 6.0, 8.0),
    ContinuousFactor("feed", 0.0, 10.0),
    ContinuousFactor("salt", 0.01, 1.0, scale="log"),
    DiscreteFactor("day", (1, 2, 5)),
    CategoricalFactor("resin", ("A", "B", "C")),
)
MIXTURE = (MixtureComponent("a", 0.1, 0.9), MixtureComponent("b"), MixtureComponent("c", 0.0, 0.5))


def region_of(*constraints, factors=FACTORS) -> FeasibleRegion:
    space = FactorSpace(factors, constraints)
    return FeasibleRegion(space, Encoding(space))


def anywhere(region: FeasibleRegion, seed: int, n: int = 40) -> torch.Tensor:
    """Return encoded settings in range, allowed or not."""
    free = FactorSpace(tuple(f for f in region.space.searched if f not in MIXTURE) or FACTORS)
    if free.searched == region.space.searched:
        return region.encoding.encode(free.sample(n, rng=np.random.default_rng(seed)))
    rng = np.random.default_rng(seed)
    return torch.from_numpy(rng.uniform(size=(n, region.n_columns)))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_natural_units_are_those_of_the_decoded_settings(seed):
    region = region_of()
    encoded = anywhere(region, seed)

    natural = region.natural(encoded)

    decoded = region.encoding.decode(encoded)
    assert set(natural) == {"pH", "feed", "salt", "day"}
    for name, values in natural.items():
        np.testing.assert_allclose(values.numpy(), decoded[name], rtol=1e-12)


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15)
@pytest.mark.parametrize(
    ("constraint", "factors"),
    [
        (LinearConstraint({"pH": 2.0, "feed": -1.0}, lower=9.0, upper=12.0), FACTORS),
        (LinearConstraint({"a": 1.0, "b": 1.0, "c": 1.0}, equals=1.0), MIXTURE),
    ],
)
def test_a_linear_row_holds_exactly_where_the_constraint_does(constraint, factors, seed):
    extra = () if factors is MIXTURE else (constraint,)
    region = region_of(*extra, factors=factors)
    encoded = anywhere(region, seed)

    (row,) = region.rows
    total = encoded @ row.weights

    holds = ((total >= row.lower - 1e-9) & (total <= row.upper + 1e-9)).numpy()
    np.testing.assert_array_equal(holds, constraint.holds(region.encoding.decode(encoded)))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15)
@pytest.mark.parametrize(
    "constraint",
    [
        ExpressionConstraint("feed * pH <= 40"),
        ExpressionConstraint("log10(salt) + max(feed, 2) >= 1.5"),
        LinearConstraint({"salt": 10.0, "feed": 1.0}, lower=2.0, upper=8.0),
    ],
)
def test_smooth_constraints_are_negative_exactly_where_the_constraint_is_broken(constraint, seed):
    region = region_of(constraint)
    encoded = anywhere(region, seed)

    met = torch.stack([slack(encoded) >= 0 for slack in region.slacks]).all(dim=0)

    np.testing.assert_array_equal(met.numpy(), constraint.holds(region.encoding.decode(encoded)))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=25)
@pytest.mark.parametrize(
    "constraints",
    [
        (ForbiddenCombination({"pH": (7.0, None), "feed": (4.0, None)}),),
        (ForbiddenCombination({"pH": (6.5, 7.5), "feed": (2.0, 8.0), "resin": ("A", "B")}),),
        (ForbiddenCombination({"pH": (7.0, None), "day": (1.5, 3.0)}),),
        (
            ForbiddenCombination({"salt": (0.1, None), "feed": (None, 5.0)}),
            ForbiddenCombination({"pH": (7.0, None), "feed": (4.0, None)}),
            ForbiddenCombination({"resin": "C", "day": (4.0, None)}),
        ),
    ],
)
def test_all_of_a_starts_box_avoids_the_forbidden_combinations(constraints, seed):
    region = region_of(*constraints)
    rng = np.random.default_rng(seed)
    starts = anywhere(region, seed)
    starts = starts[torch.from_numpy(region.contains(starts))]

    lower, upper = region.boxes(starts)

    assert bool(((lower <= starts + 1e-12) & (starts <= upper + 1e-12)).all())
    inside = lower + (upper - lower) * torch.from_numpy(rng.uniform(size=starts.shape))
    assert region.contains(inside).all()


def test_factors_that_a_start_leaves_out_stay_out():
    factors = tuple(ContinuousFactor(name, 0.0, 1.0) for name in "abc")
    region = region_of(CardinalityConstraint(("a", "b", "c"), 2), factors=factors)

    lower, upper = region.boxes(torch.tensor([[0.3, 0.0, 0.7]], dtype=torch.float64))

    assert upper.tolist() == [[1.0, 0.0, 1.0]]
    assert lower.tolist() == [[0.0, 0.0, 0.0]]


def test_fixed_factors_are_held_and_leave_the_other_constraints():
    space = FactorSpace(FACTORS, (LinearConstraint({"pH": 1.0, "feed": 1.0}, upper=12.0),))
    fixed = {"feed": 5.0, "resin": "B"}

    held = narrowed(space, fixed)

    drawn = held.sample(20, rng=np.random.default_rng(1))
    np.testing.assert_allclose(drawn["feed"], 5.0)
    assert (drawn["resin"] == "B").all()
    assert drawn["pH"].max() <= 7.0 + 1e-9
    region = FeasibleRegion(held, Encoding(space), fixed)
    assert set(region.levels) == {3}
    assert region.frozen == (1, 3, 4)
    with pytest.raises(InfeasibleSpaceError):
        narrowed(space, {"pH": 8.0, "feed": 9.0})


def test_a_row_among_frozen_columns_is_left_to_the_start():
    region = region_of(LinearConstraint({"day": 1.0}, upper=3.0))

    assert region.rows == ()
    assert region.slacks == ()

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.constraints import ForbiddenCombination
from doe.designs import full_factorial
from doe.errors import DesignError
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor, MixtureComponent
from doe.space import FactorSpace
from tests.doe.designs.examples import continuous, mixed_spaces, two_level_spaces

BENCH = FactorSpace(
    (
        ContinuousFactor("pH", 6.6, 7.4, step=0.1),
        ContinuousFactor("feed", 1, 100, "g/L", scale="log"),
        CategoricalFactor("resin", ("A", "B", "C")),
        DiscreteFactor("shift", (3, 4, 6), "d"),
    )
)


@pytest.mark.requirement("DOE-1")
@given(space=two_level_spaces())
@settings(max_examples=25)
def test_a_two_level_factorial_has_every_combination_once_in_standard_order(space):
    design = full_factorial(space)

    columns = [
        factor.levels if isinstance(factor, CategoricalFactor) else (factor.low, factor.high)
        for factor in space.searched
    ]
    # The first factor changes fastest.
    expected = [run[::-1] for run in itertools.product(*columns[::-1])]
    assert list(design.runs.itertuples(index=False, name=None)) == expected
    assert set(design.point_types) == {"factorial"}
    assert space.contains(design.runs).all()


@pytest.mark.requirement("DOE-1")
def test_a_mixed_level_factorial_uses_the_levels_asked_for():
    design = full_factorial(BENCH, levels={"pH": [6.6, 6.8, 7.4], "feed": 3, "resin": ["C", "A"]})

    assert design.n_runs == 3 * 3 * 2 * 3
    assert design.method == "full factorial 3 x 3 x 2 x 3"
    assert sorted(design.runs["pH"].unique()) == [6.6, 6.8, 7.4]
    # Equally spaced on the logarithm.
    assert sorted(design.runs["feed"].unique()) == [1.0, 10.0, 100.0]
    assert list(design.runs["resin"].unique()) == ["C", "A"]
    assert sorted(design.runs["shift"].unique()) == [3.0, 4.0, 6.0]
    assert not design.runs.duplicated().any()


@pytest.mark.requirement("DOE-1")
@given(space=mixed_spaces(max_size=3), n_levels=st.integers(2, 3), replicates=st.integers(1, 3))
@settings(max_examples=25)
def test_every_combination_is_done_as_often_as_asked(space, n_levels, replicates):
    design = full_factorial(space, levels=n_levels, replicates=replicates)

    counts = design.runs.value_counts()
    assert set(counts) == {replicates}
    assert len(counts) == np.prod([design.runs[name].nunique() for name in space.names])
    assert space.contains(design.runs).all()
    assert space.on_steps(design.runs).all()


def test_centre_runs_stand_in_the_middle_of_what_has_a_middle():
    design = full_factorial(BENCH, centre_points=2)

    centre = design.runs[np.array(design.point_types) == "centre"]
    # Two for each of the three resins; the discrete factor stands at its level nearest the middle.
    assert len(centre) == 6
    assert centre["pH"].tolist() == [7.0] * 6
    assert centre["feed"].tolist() == pytest.approx([10.0] * 6)
    assert centre["shift"].tolist() == [4.0] * 6
    assert centre["resin"].tolist() == ["A", "A", "B", "B", "C", "C"]


def test_centre_runs_are_done_at_both_levels_of_a_number_without_a_middle():
    space = FactorSpace((ContinuousFactor("pH", 6, 8), DiscreteFactor("impellers", (1, 2))))

    design = full_factorial(space, centre_points=3)

    assert design.runs.tail(6)["impellers"].tolist() == [1.0] * 3 + [2.0] * 3
    assert design.runs.tail(6)["pH"].tolist() == [7.0] * 6


def test_there_is_no_centre_without_a_middle():
    space = FactorSpace((CategoricalFactor("resin", ("A", "B")), DiscreteFactor("shift", (1, 2))))

    with pytest.raises(DesignError, match=r"None of the factors .* has a middle"):
        full_factorial(space, centre_points=1)


def test_settings_that_the_equipment_cannot_reach_are_rounded_and_reported():
    space = FactorSpace((ContinuousFactor("stirring", 0, 10, step=4), ContinuousFactor("T", 0, 1)))

    design = full_factorial(space)

    # 10 is not on the grid 0, 4, 8: coded 0.6 in place of 1.
    assert sorted(design.runs["stirring"].unique()) == [0.0, 8.0]
    assert design.details["rounded_to_steps"] == pytest.approx(0.4)


def test_a_step_that_makes_two_levels_one_is_refused():
    space = FactorSpace((ContinuousFactor("stirring", 0, 10, step=4), ContinuousFactor("T", 0, 1)))

    with pytest.raises(
        DesignError, match=r"needs 5 settings of 'stirring'.* only 3 of them differ"
    ):
        full_factorial(space, levels=5)


def test_a_forbidden_combination_is_refused_with_the_runs_that_break_it():
    space = FactorSpace(BENCH.factors, (ForbiddenCombination({"pH": (7.0, None), "resin": "B"}),))

    with pytest.raises(DesignError, match=r"6 of 36 runs .* run 6 \(factorial\): breaks not"):
        full_factorial(space)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"levels": 1}, "levels must be a whole number of at least 2"),
        ({"levels": {"pH": 2.5}}, "levels of 'pH'"),
        ({"levels": {"pH": [7.0, 7.0]}}, "two or more different values"),
        ({"levels": {"pH": ["low", "high"]}}, "must be numbers"),
        ({"levels": {"pH": [6.6, 9.0]}}, "not allowed"),
        ({"levels": {"resin": 2}}, "list them"),
        ({"levels": {"resin": ["A", "Z"]}}, "has no level"),
        ({"levels": {"ph": 3}}, "not factors that are varied"),
        ({"replicates": 0}, "replicates must be"),
        ({"centre_points": -1}, "centre_points must be"),
        ({"centre_points": 10_000}, "30000 runs"),
    ],
)
def test_options_that_make_no_design_are_refused(options, complaint):
    with pytest.raises(DesignError, match=complaint):
        full_factorial(BENCH, **options)


def test_a_mixture_has_no_factorial():
    with pytest.raises(DesignError, match="mixture components cannot change one at a time"):
        full_factorial(FactorSpace((MixtureComponent("a"), MixtureComponent("b"))))


def test_more_runs_than_anyone_does_are_refused_before_they_are_made():
    with pytest.raises(DesignError, match="1099511627776 runs; at most 10000"):
        full_factorial(continuous(40))


def test_runs_keep_their_standard_order_when_they_are_randomised():
    design = full_factorial(BENCH)

    randomised = design.randomised(rng=np.random.default_rng(7), seed=7)

    assert randomised.runs.equals(design.runs)
    assert sorted(randomised.run_order) == list(range(1, design.n_runs + 1))
    assert randomised.run_order != design.run_order
    assert randomised.seed == 7


def test_more_levels_than_runs_can_be_done_are_refused_before_any_is_made() -> None:
    with pytest.raises(DesignError, match=r"100000000000 levels of .*at most 10000 runs"):
        full_factorial(continuous(2), levels=10**11)

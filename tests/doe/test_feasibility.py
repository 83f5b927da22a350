"""Contradictory spaces are refused at construction, with the fewest constraints that clash."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from doe.constraints import (
    CardinalityConstraint,
    Constraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.errors import InfeasibleSpaceError
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    Factor,
    MixtureComponent,
)
from doe.space import FactorSpace


def continuous(names: str, low: float = 0, high: float = 1, **options: float) -> list[Factor]:
    return [ContinuousFactor(name, low, high, **options) for name in names]


def refusal(factors: list[Factor], *constraints: Constraint, total: float = 1.0) -> str:
    with pytest.raises(InfeasibleSpaceError) as refused:
        FactorSpace(tuple(factors), constraints, total)
    return str(refused.value)


def total(names: str, **ends: float) -> LinearConstraint:
    return LinearConstraint(dict.fromkeys(names, 1.0), **ends)


@pytest.mark.parametrize(
    ("factors", "constraints", "message"),
    [
        (
            continuous("abc"),
            (total("ac", upper=1), total("ab", lower=3)),
            "These constraints cannot hold together: a + b >= 3; factor ranges a 0 to 1, b 0 to 1. "
            "Relax one of them.",
        ),
        (
            continuous("abc", 0, 10),
            (total("ab", lower=8), total("ac", upper=5), total("ab", upper=6)),
            "These constraints cannot hold together: a + b >= 8; a + b <= 6. Relax one of them.",
        ),
        (
            [MixtureComponent(name, step=0.3) for name in "abc"],
            (),
            "These constraints cannot hold together: a + b + c = 1; factor ranges a 0 to 1 in "
            "steps of 0.3, b 0 to 1 in steps of 0.3, c 0 to 1 in steps of 0.3. Relax one of them.",
        ),
        (
            [MixtureComponent("a", 0, 0.3, "g/g"), MixtureComponent("b", 0, 0.6, "g/g")],
            (),
            "These constraints cannot hold together: a + b = 1; factor ranges a 0 to 0.3 g/g, b 0 "
            "to 0.6 g/g. Relax one of them.",
        ),
        (
            [DiscreteFactor("n", (1, 2, 4)), *continuous("x", 0, 0.5)],
            (LinearConstraint({"n": 1, "x": 1}, lower=2.6, upper=3.9),),
            "These constraints cannot hold together: 2.6 <= n + x <= 3.9; factor ranges n one of "
            "1, 2, 4, x 0 to 0.5. Relax one of them.",
        ),
        (
            [CategoricalFactor("resin", ("A", "B")), *continuous("x")],
            (ForbiddenCombination({"resin": "A"}), ForbiddenCombination({"resin": "B"})),
            "These constraints cannot hold together: not (resin is A); not (resin is B); factor "
            "ranges resin one of A, B. Relax one of them.",
        ),
        (
            [CategoricalFactor("resin", ("A", "B")), *continuous("x")],
            (
                ForbiddenCombination({"resin": "A", "x": (0.5, None)}),
                ForbiddenCombination({"resin": "B", "x": (-1, 2)}),
                ForbiddenCombination({"x": (None, 0.7)}),
            ),
            "These constraints cannot hold together: not (resin is A and x > 0.5); not (resin is B "
            "and -1 < x < 2); not (x < 0.7); factor ranges resin one of A, B, x 0 to 1. Relax one "
            "of them.",
        ),
        (
            continuous("abcd"),
            (CardinalityConstraint(tuple("abcd"), 2), total("abcd", lower=2.5)),
            "These constraints cannot hold together: at most 2 of a, b, c, d non-zero; a + b + c + "
            "d >= 2.5; factor ranges a 0 to 1, b 0 to 1, c 0 to 1, d 0 to 1. Relax one of them.",
        ),
    ],
    ids=["range", "pair", "mixture step", "mixture", "levels", "choice", "ranges", "count"],
)
@pytest.mark.requirement("DOE-6")
def test_a_contradiction_is_told_with_the_fewest_constraints_and_ranges(
    factors, constraints, message
):
    assert refusal(factors, *constraints) == message


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
def test_a_contradiction_is_found_in_any_unit(scale):
    message = refusal(
        continuous("ab", 0, scale), LinearConstraint({"a": 1, "b": 1}, lower=2.001 * scale)
    )

    assert message.startswith("These constraints cannot hold together: a + b >=")
    assert FactorSpace(
        tuple(continuous("ab", 0, scale)), (LinearConstraint({"a": 1, "b": 1}, lower=2 * scale),)
    )


def test_three_steps_of_a_third_do_not_make_one_unless_they_do():
    """0.333333 is too short by a millionth; solvers forgive that, the product does not."""
    short = [MixtureComponent(name, step=0.333333) for name in "abc"]

    assert "in steps of 0.333333" in refusal(short)
    assert FactorSpace(tuple(MixtureComponent(name, step=1 / 3) for name in "abc"))


@pytest.mark.parametrize("equals", [3.0, 9.0, 5.0])
def test_an_equation_among_levels_is_met_where_levels_add_up(equals):
    levels = tuple(DiscreteFactor(name, (1, 2, 3)) for name in "abc")

    assert FactorSpace(levels, (total("abc", equals=equals),))


@settings(max_examples=40)
@given(
    steps=st.lists(st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.7]), min_size=2, max_size=3),
    equals=st.integers(1, 30).map(lambda i: i / 20),
)
def test_a_sum_on_steps_is_refused_exactly_when_no_grid_point_meets_it(steps, equals):
    names = "abc"[: len(steps)]
    factors = [ContinuousFactor(n, 0, 1, step=s) for n, s in zip(names, steps, strict=True)]
    grids = [np.arange(0, round(100 / (100 * s)) + 1) * s for s in steps]
    sums = {round(sum(point), 9) for point in itertools.product(*[g[g <= 1 + 1e-9] for g in grids])}

    try:
        FactorSpace(tuple(factors), (total(names, equals=equals),))
        is_feasible = True
    except InfeasibleSpaceError:
        is_feasible = False

    assert is_feasible == (round(equals, 9) in sums)


@settings(max_examples=25)
@given(st.data())
def test_every_named_constraint_is_needed_for_the_contradiction(data):
    """Leaving out any one of those named gives a space that holds settings."""
    factors = tuple(continuous("abc", 0, 10, step=1.0))
    made = [
        LinearConstraint(
            {name: data.draw(st.sampled_from([-1.0, 1.0, 2.0])) for name in "abc"},
            upper=float(data.draw(st.integers(-20, 20))),
        )
        for _ in range(data.draw(st.integers(2, 4)))
    ]
    try:
        FactorSpace(factors, tuple(made))
        message = None
    except InfeasibleSpaceError as refused:
        message = str(refused)
    assume(message is not None)
    listed = message.removeprefix("These constraints cannot hold together: ")
    named = [c for c in made if c.sentence() in listed.split("; factor ranges")[0].split("; ")]

    for left_out in named:
        kept = tuple(c for c in named if c.sentence() != left_out.sentence())
        assert FactorSpace(factors, kept)
    with pytest.raises(InfeasibleSpaceError):
        FactorSpace(factors, tuple(named))


@pytest.mark.requirement("DOE-6")
@pytest.mark.parametrize(
    ("factors", "constraints", "parts"),
    [
        (
            continuous("ab", 0, 10),
            (ExpressionConstraint("a * b >= 120"), total("a", upper=8)),
            ["No setting could be found", "a * b >= 120; factor ranges a 0 to 10, b 0 to 10"],
        ),
        (
            continuous("ab", 0, 10, step=1.0),
            (ExpressionConstraint("a * b <= 7.5"), ExpressionConstraint("a * b >= 7.1")),
            ["No setting could be found", "a * b <= 7.5; a * b >= 7.1", "in steps of 1"],
        ),
    ],
    ids=["too far", "between steps"],
)
def test_where_a_search_finds_nothing_the_message_does_not_claim_there_is_nothing(
    factors, constraints, parts
):
    message = refusal(factors, *constraints)

    assert all(part in message for part in parts), message
    assert "cannot prove that there is none" in message
    assert "a <= 8" not in message


@pytest.mark.parametrize(
    "constraints",
    [
        ("a * b >= 99.99",),
        pytest.param(("a * b <= 20.0001", "a * b >= 20"), marks=pytest.mark.slow),
        ("(a - 7.3) ** 2 + (b - 1.9) ** 2 <= 1e-8",),
        ("log(a - 9.5) + 0 * b >= -1",),
        pytest.param(("a * b <= 20", "a * b >= 20"), marks=pytest.mark.slow),
    ],
    ids=["corner", "thin band", "small disc", "domain", "curve"],
)
def test_a_small_region_behind_an_expression_is_found(constraints):
    space = FactorSpace(
        tuple(continuous("ab", 0, 10)), tuple(ExpressionConstraint(text) for text in constraints)
    )

    assert space.contains(space.sample(3, rng=np.random.default_rng(1))).all()


def test_a_space_that_is_a_single_point_is_accepted():
    space = FactorSpace(tuple(continuous("abc")), (total("abc", lower=3),))

    sample = space.sample(4, rng=np.random.default_rng(0))

    assert sample.to_numpy().tolist() == [[1.0, 1.0, 1.0]] * 4


def test_forbidden_ranges_that_leave_one_value_leave_that_value():
    space = FactorSpace(
        tuple(continuous("ab")),
        (ForbiddenCombination({"a": (0.25, None)}), ForbiddenCombination({"a": (None, 0.25)})),
    )

    assert set(space.sample(20, rng=np.random.default_rng(0))["a"]) == {0.25}


def test_an_everyday_space_is_checked_quickly(report_measurement):
    factors = (
        *(MixtureComponent(f"m{i}", 0.0, 0.4, step=0.01) for i in range(8)),
        *continuous("abcd", 0, 10, step=0.5),
        CategoricalFactor("resin", ("A", "B", "C")),
    )
    constraints = (
        total("ab", upper=15),
        ForbiddenCombination({"resin": "B", "c": (5, None)}),
        ExpressionConstraint("a * d <= 60"),
    )
    FactorSpace(factors, constraints)

    started = time.perf_counter()
    for _ in range(5):
        FactorSpace(factors, constraints)
    duration = (time.perf_counter() - started) / 5

    report_measurement(f"check of a space of 13 factors: {1000 * duration:.1f} ms")
    assert duration < 0.5

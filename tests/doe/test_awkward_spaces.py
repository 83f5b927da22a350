"""Spaces that strain the arithmetic or the search: each is sampled and projected, or refused."""

import numpy as np
import pytest

from doe.constraints import (
    CardinalityConstraint,
    Constraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    Factor,
    MixtureComponent,
)
from doe.space import FactorSpace


def total(*names: str, **ends: float) -> LinearConstraint:
    return LinearConstraint(dict.fromkeys(names, 1.0), **ends)


def continuous(prefix: str, n: int, low: float = 0, high: float = 1, **options: float):
    return [ContinuousFactor(f"{prefix}{i}", low, high, **options) for i in range(n)]


def names(prefix: str, n: int) -> tuple[str, ...]:
    return tuple(f"{prefix}{i}" for i in range(n))


SPACES: dict[str, tuple[list[Factor], list[Constraint]]] = {
    "thirty factors": (
        continuous("x", 30, 0, 10, step=0.5),
        [total(*names("x", 10), upper=20), total(*names("x", 30), lower=120)],
    ),
    "two hundred levels in an equation": (
        [DiscreteFactor("n", tuple(range(1, 201))), *continuous("x", 2, 0, 100)],
        [total("n", "x0", "x1", equals=150)],
    ),
    "six million combinations of levels": (
        [DiscreteFactor(name, tuple(range(1, 51))) for name in "abcd"],
        [total(*"abcd", equals=57)],
    ),
    "three equations": (
        continuous("x", 8),
        [
            total("x0", "x1", "x2", equals=1),
            total("x2", "x3", "x4", equals=1.5),
            LinearConstraint({"x5": 1, "x6": -1}, equals=0),
        ],
    ),
    "eighteen decades on a linear scale": (
        [ContinuousFactor("a", 1e-9, 1e9), ContinuousFactor("b", -1e9, 1e9)],
        [total("a", "b", equals=5)],
    ),
    "a narrow range far from zero": (
        [ContinuousFactor("a", 1000, 1000.001), ContinuousFactor("b", 0, 1)],
        [LinearConstraint({"a": 1, "b": 0.001}, upper=1000.0015)],
    ),
    "amounts of a billionth": (
        continuous("x", 3, 0, 1e-9, step=1e-10),
        [total(*names("x", 3), equals=1e-9), ForbiddenCombination({"x0": (2e-10, 8e-10)})],
    ),
    "a choice of components under an expression": (
        [MixtureComponent(name, step=0.1) for name in names("c", 6)],
        [CardinalityConstraint(names("c", 6), 3), ExpressionConstraint("c0 * c1 <= 0.1")],
    ),
    "choices that overlap": (
        continuous("c", 6),
        [
            CardinalityConstraint(names("c", 4), 2),
            CardinalityConstraint(("c2", "c3", "c4", "c5"), 1),
            total("c2", "c3", lower=0.5),
        ],
    ),
    "a count of discrete amounts": (
        [DiscreteFactor(name, (0, 1, 5)) for name in "abc"],
        [CardinalityConstraint(tuple("abc"), 1), total(*"abc", lower=1)],
    ),
    "levels that must agree": (
        [CategoricalFactor(name, tuple("ABC")) for name in "pqr"],
        [
            ForbiddenCombination({one: a, other: b})
            for one, other in (("p", "q"), ("q", "r"))
            for a in "ABC"
            for b in "ABC"
            if a != b
        ],
    ),
    "levels on a curve": (
        [DiscreteFactor(name, tuple(range(1, 9))) for name in "nm"],
        [ExpressionConstraint("n * m <= 12"), ExpressionConstraint("n * m >= 12")],
    ),
    "a level with a line beside one with an area": (
        [CategoricalFactor("p", ("A", "B")), *continuous("x", 2)],
        [
            ExpressionConstraint("x0 ** 2 + x1 ** 2 <= 0.01"),
            ForbiddenCombination({"p": "A", "x0": (0, None)}),
        ],
    ),
    "a log scale in an equation": (
        [ContinuousFactor("k", 1, 100, scale="log"), ContinuousFactor("y", 0, 100)],
        [total("k", "y", equals=100)],
    ),
    "log scales with steps and levels": (
        [
            ContinuousFactor("k", 1, 100, scale="log", step=1),
            ContinuousFactor("y", 0, 100, step=1),
            DiscreteFactor("d", (1, 10, 100), scale="log"),
        ],
        [total("k", "y", "d", upper=105)],
    ),
    "a corner as the only setting": (continuous("x", 4), [total(*names("x", 4), lower=4)]),
    "opposite bounds that meet": (
        continuous("x", 3),
        [total("x0", "x1", upper=0.7), total("x0", "x1", lower=0.7 - 1e-12)],
    ),
    "steps that miss the upper end": (
        [ContinuousFactor("a", 0, 1, step=0.3), ContinuousFactor("b", 0, 1, step=0.7)],
        [total("a", "b", lower=1.5)],
    ),
}


@pytest.mark.requirement("DOE-6", "OPT-3")
@pytest.mark.parametrize(("factors", "constraints"), SPACES.values(), ids=SPACES.keys())
def test_an_awkward_space_is_sampled_and_projected(factors, constraints):
    space = FactorSpace(tuple(factors), tuple(constraints))

    sample = space.sample(8, rng=np.random.default_rng(0))
    target = sample.head(2).copy()
    rng = np.random.default_rng(1)
    for factor in space.searched:
        if not isinstance(factor, CategoricalFactor):
            target[factor.name] = rng.uniform(factor.low, factor.high, len(target))
    moved = space.project(target)

    for table in (sample, moved):
        assert space.contains(table).all(), space.faults(table)
        assert space.on_steps(table).all()
        assert space.project(table).equals(table)


def test_levels_that_must_agree_are_all_reached():
    factors, constraints = SPACES["levels that must agree"]
    space = FactorSpace(tuple(factors), tuple(constraints))

    sample = space.sample(60, rng=np.random.default_rng(0))

    assert set(sample.itertuples(index=False, name=None)) == {
        tuple("AAA"),
        tuple("BBB"),
        tuple("CCC"),
    }


def test_six_million_combinations_of_levels_give_many_different_settings():
    factors, constraints = SPACES["six million combinations of levels"]
    space = FactorSpace(tuple(factors), tuple(constraints))

    assert len(space.sample(100, rng=np.random.default_rng(0)).drop_duplicates()) == 100

"""Desirability: what it is worth, and every setting at which it is best nearby."""

from itertools import product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campaigns.exports.figures import image
from doe.constraints import (
    CardinalityConstraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.errors import InvalidValueError, UnknownNameError
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor, MixtureComponent
from doe.responses import Aim, DerivedResponse, Desirability, Goal, Specification
from doe.space import FactorSpace
from surrogates.desirability.optimisation import (
    desirability_of,
    optimise_desirability,
    overall_desirability,
)
from surrogates.linear.model import fit_linear
from surrogates.probability import probability_in_specification
from surrogates.surrogate import SurrogateSet
from tests.surrogates.examples import CULTURE, culture_study, mixed_study

SQUARE = FactorSpace((ContinuousFactor("a", -1.0, 1.0), ContinuousFactor("b", -1.0, 1.0)))
WANTED = Desirability((Goal("y", low=0.0, high=10.0),))


def seeded(seed=0):
    return np.random.default_rng(seed)


def two_hills(table: pd.DataFrame) -> np.ndarray:
    """Return a surface with tops 8 at (-0.6, 0) and 6 at (0.6, 0.2)."""
    a, b = (table[name].to_numpy(np.float64) for name in ("a", "b"))
    one = 8 * np.exp(-8 * ((a + 0.6) ** 2 + b**2))
    other = 6 * np.exp(-8 * ((a - 0.6) ** 2 + (b - 0.2) ** 2))
    return np.asarray(np.maximum(one, other))


@pytest.mark.requirement("OPT-1")
@pytest.mark.parametrize(
    ("goal", "values", "expected"),
    [
        (Goal("y", low=80, high=97), [70, 80, 88.5, 97, 120], [0, 0, 0.5, 1, 1]),
        (Goal("y", "minimise", low=2, high=6), [1, 2, 3, 6, 9], [1, 1, 0.75, 0, 0]),
        (Goal("y", "target", target=57.5, low=55, high=60), [54, 56.25, 57.5], [0, 0.5, 1]),
        (Goal("y", "target", target=4, low=0, high=5), [2, 4.5], [0.5, 0.5]),
        (Goal("y", "range", low=62, high=68), [61.9, 62, 65, 68, 68.1], [0, 1, 1, 1, 0]),
        (Goal("y", low=0, high=1, weight=2), [0.5], [0.25]),
        (Goal("y", "minimise", low=0, high=1, weight=0.5), [0.75], [0.5]),
    ],
)
def test_a_desirability_rises_from_zero_to_one_as_derringer_and_suich_have_it(
    goal, values, expected
):
    np.testing.assert_allclose(desirability_of(goal, np.array(values, dtype=float)), expected)


@pytest.mark.requirement("OPT-1")
@given(
    d=st.lists(st.floats(0, 1), min_size=2, max_size=4),
    importance=st.floats(0.1, 10),
)
def test_the_overall_desirability_is_a_weighted_geometric_mean(d, importance):
    goals = tuple(Goal(f"y{i}", low=0, high=1, importance=importance) for i in range(len(d)))
    values = {f"y{i}": np.array([value]) for i, value in enumerate(d)}

    overall = float(overall_desirability(Desirability(goals), values)[0])

    assert overall == pytest.approx(np.prod(d) ** (1 / len(d)), abs=1e-12)
    assert min(d) - 1e-12 <= overall <= max(d) + 1e-12


@pytest.mark.requirement("OPT-1")
def test_an_important_response_counts_by_its_exponent():
    goals = (Goal("a", low=0, high=1, importance=3), Goal("b", low=0, high=1))
    values = {"a": np.array([0.2]), "b": np.array([0.9])}

    overall = overall_desirability(Desirability(goals), values)

    np.testing.assert_allclose(overall, (0.2**3 * 0.9) ** 0.25)
    with pytest.raises(UnknownNameError, match="No values of 'b'"):
        overall_desirability(Desirability(goals), {"a": np.array([0.2])})


@pytest.mark.requirement("OPT-2")
def test_every_top_is_listed_best_first_and_the_same_for_the_same_seed():
    found = optimise_desirability({"y": two_hills}, WANTED, SQUARE, rng=seeded())
    again = optimise_desirability({"y": two_hills}, WANTED, SQUARE, rng=seeded())

    tops = [(round(o.settings["a"], 3), round(o.settings["b"], 3)) for o in found.optima]
    assert tops == [(-0.6, 0.0), (0.6, 0.2)]
    assert [round(o.desirability, 6) for o in found.optima] == [0.8, 0.6]
    pd.testing.assert_frame_equal(found.table(), again.table(), check_exact=True)
    assert "1 other setting is best nearby" in found.sentence()
    assert image(found.plot(), "png")


@pytest.mark.requirement("OPT-2")
@settings(max_examples=6, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_any_seed_finds_the_same_tops(seed):
    found = optimise_desirability({"y": two_hills}, WANTED, SQUARE, rng=seeded(seed))

    assert [round(o.desirability, 6) for o in found.optima] == [0.8, 0.6]


@pytest.mark.requirement("OPT-2")
def test_no_step_of_the_equipment_improves_on_the_best_setting():
    """Every combination of steps is computed."""
    space = FactorSpace(
        tuple(ContinuousFactor(f"x{i}", -1.0, 1.0, step=0.1) for i in range(3)),
        (ExpressionConstraint("x0**2 + x1**2 + x2**2 <= 1"),),
    )

    def response(table):
        x = [table[f"x{i}"].to_numpy(np.float64) for i in range(3)]
        return 5 + 2 * x[0] - x[1] + 3 * x[0] * x[2] - 2 * x[1] ** 2 + x[2] ** 2

    objective = Desirability((Goal("y", "target", target=8.0, low=0.0, high=9.0),))
    levels = np.round(np.arange(-10, 11) / 10, 1)
    every = pd.DataFrame(list(product(levels, repeat=3)), columns=["x0", "x1", "x2"])
    every = every[space.contains(every)]
    best = overall_desirability(objective, {"y": response(every)}).max()

    found = optimise_desirability({"y": response}, objective, space, rng=seeded())

    assert found.optima[0].desirability == pytest.approx(best, abs=1e-12)
    table = found.table()
    assert space.on_steps(table).all()
    assert space.contains(table).all()


@pytest.mark.requirement("OPT-2")
def test_constraints_hold_at_every_optimum():
    space = FactorSpace(
        SQUARE.factors,
        (
            LinearConstraint({"a": 1, "b": 1}, upper=0.5),
            ForbiddenCombination({"a": (None, -0.5), "b": (-0.3, 0.3)}),
        ),
    )
    found = optimise_desirability({"y": two_hills}, WANTED, space, rng=seeded())
    table = found.table()

    assert space.contains(table).all()
    # Without the forbidden part the top at (-0.6, 0) would be allowed: its edges are best.
    best = found.optima[0]
    assert best.settings["a"] == pytest.approx(-0.5, abs=1e-6)
    assert best.predicted["y"] == pytest.approx(8 * np.exp(-8 * 0.01), abs=1e-5)


@pytest.mark.requirement("OPT-2")
def test_a_mixture_keeps_its_sum_also_on_steps():
    space = FactorSpace(
        (
            MixtureComponent("A", step=0.05),
            MixtureComponent("B", 0.0, 0.6, step=0.05),
            MixtureComponent("C"),
        )
    )

    def response(table):
        return (20 * table["A"] * table["B"] + 12 * table["B"] * table["C"]).to_numpy(np.float64)

    found = optimise_desirability({"y": response}, WANTED, space, rng=seeded())
    table = found.table()

    np.testing.assert_allclose(table[["A", "B", "C"]].sum(axis=1), 1)
    assert space.on_steps(table).all()
    assert found.optima[0].settings == {"A": 0.5, "B": 0.5, "C": 0.0}


@pytest.mark.requirement("OPT-2")
def test_a_component_that_must_be_left_out_is():
    space = FactorSpace(
        tuple(ContinuousFactor(name, 0.0, 1.0) for name in ("a", "b", "c")),
        (CardinalityConstraint(("a", "b", "c"), 2),),
    )

    def response(table):
        return (2 * table["a"] + 3 * table["b"] + table["c"]).to_numpy(np.float64)

    best = optimise_desirability({"y": response}, WANTED, space, rng=seeded()).optima[0]

    assert best.settings == {"a": 1.0, "b": 1.0, "c": 0.0}


@pytest.mark.requirement("OPT-2")
def test_each_level_of_a_categorical_factor_has_its_own_optimum():
    space = FactorSpace(
        (
            ContinuousFactor("pH", 6.0, 8.0),
            DiscreteFactor("day", (3.0, 4.0, 5.0, 7.0)),
            CategoricalFactor("resin", ("A", "B")),
        )
    )

    def response(table):
        top = table["resin"].map({"A": 6.8, "B": 7.4}).to_numpy(np.float64)
        bonus = table["resin"].map({"A": 0.0, "B": 1.0}).to_numpy(np.float64)
        ph, day = (table[name].to_numpy(np.float64) for name in ("pH", "day"))
        return 6 + bonus - 4 * (ph - top) ** 2 - 0.3 * (day - 4.8) ** 2

    found = optimise_desirability({"y": response}, WANTED, space, rng=seeded())

    assert [o.settings["resin"] for o in found.optima] == ["B", "A"]
    assert [o.settings["day"] for o in found.optima] == [5.0, 5.0]
    np.testing.assert_allclose([o.settings["pH"] for o in found.optima], [7.4, 6.8], atol=1e-4)


@pytest.mark.requirement("OPT-2")
def test_a_factor_on_a_log_scale_is_searched_on_its_logarithm():
    space = FactorSpace((ContinuousFactor("feed", 0.01, 100.0, "mL/h", scale="log"),))

    def response(table):
        return 9 - (np.log10(table["feed"].to_numpy(np.float64)) + 1.2) ** 2

    best = optimise_desirability({"y": response}, WANTED, space, rng=seeded()).optima[0]

    assert best.settings["feed"] == pytest.approx(10**-1.2, rel=1e-3)
    assert best.coded["feed"] == pytest.approx(-0.6, abs=1e-3)


@pytest.mark.requirement("OPT-2")
def test_where_a_whole_region_is_perfect_one_setting_stands_for_it():
    objective = Desirability((Goal("y", low=0.0, high=4.0),))

    def response(table):
        return 8 - 3 * np.square(table.to_numpy(np.float64)).sum(axis=1)

    found = optimise_desirability({"y": response}, objective, SQUARE, rng=seeded())

    assert len(found.optima) == 1
    assert found.optima[0].desirability == 1
    assert found.optima[0].is_flat
    assert "whole region" in found.sentence()


@pytest.mark.requirement("OPT-2")
def test_when_nothing_is_desirable_the_answer_says_what_could_be_reached():
    objective = Desirability((Goal("y", low=20.0, high=30.0),))

    found = optimise_desirability({"y": two_hills}, objective, SQUARE, rng=seeded())

    assert found.optima == ()
    assert found.table().empty
    assert "No setting has a desirability above zero" in found.sentence()
    assert found.best_values["y"] == pytest.approx(8.0, abs=0.3)
    with pytest.raises(InvalidValueError, match="nothing to show"):
        found.plot()


@pytest.mark.requirement("OPT-2")
def test_surrogates_add_intervals_and_the_probability_of_meeting_the_specifications():
    study = mixed_study()
    model = fit_linear(study, "purity", "linear")
    surrogates = SurrogateSet({"purity": model}, (DerivedResponse("loss", "100 - purity", "%"),))
    objective = Desirability(
        (Goal("purity", low=20.0, high=60.0), Goal("loss", "minimise", low=50.0, high=90.0))
    )
    limits = (Specification("purity", lower=35.0),)

    found = optimise_desirability(
        surrogates, objective, study.space, specifications=limits, coverage=0.9, rng=seeded()
    )

    for optimum in found.optima:
        table = pd.DataFrame([optimum.settings])
        prediction = model.predict(table)
        low, high = prediction.interval(0.9)
        assert optimum.predicted["purity"] == pytest.approx(prediction.mean[0])
        assert optimum.predicted["loss"] == pytest.approx(100 - prediction.mean[0], abs=0.05)
        assert optimum.intervals["purity"] == pytest.approx((low[0], high[0]))
        assert optimum.intervals["loss"] == pytest.approx((100 - high[0], 100 - low[0]), abs=0.1)
        chance = probability_in_specification(surrogates, limits, table).joint[0]
        assert optimum.probability == pytest.approx(chance)
        assert optimum.extrapolates == bool(prediction.extrapolates[0])
        assert optimum.expected_desirability is not None
        expected = overall_desirability(
            objective, {name: np.array([value]) for name, value in optimum.predicted.items()}
        )
        assert optimum.desirability == pytest.approx(expected[0])
    assert "One new run meets every specification" in found.sentence()
    assert {"probability", "purity (lower)", "expected_desirability"} <= set(found.table().columns)


@pytest.mark.requirement("OPT-2")
def test_a_surrogate_and_a_function_can_be_traded_for_each_other():
    study = culture_study()
    model = fit_linear(study, "titre")

    def cost(table):
        return table["feed rate"].to_numpy(np.float64)

    objective = Desirability(
        (Goal("titre", low=40.0, high=60.0), Goal("cost", "minimise", low=0.0, high=10.0))
    )
    found = optimise_desirability(
        {"titre": model, "cost": cost}, objective, study.space, rng=seeded()
    )
    best = found.optima[0]

    draws = study.space.sample(2000, rng=seeded(3))
    values = {"titre": model.predict(draws).mean, "cost": cost(draws)}
    assert best.desirability >= overall_desirability(objective, values).max()
    assert best.intervals == {}
    assert best.probability is None
    with pytest.raises(InvalidValueError, match="cost are plain functions"):
        optimise_desirability(
            {"titre": model, "cost": cost},
            objective,
            study.space,
            specifications=[Specification("titre", lower=50.0)],
            rng=seeded(),
        )


@pytest.mark.requirement("OPT-1")
@pytest.mark.parametrize("aim", ["maximise", "minimise"])
def test_the_unit_of_a_response_does_not_matter(aim: Aim):
    def scaled(table):
        return 1e-6 * two_hills(table)

    plain = Desirability((Goal("y", aim, low=-1.0, high=10.0),))
    small = Desirability((Goal("y", aim, low=-1e-6, high=1e-5),))
    first = optimise_desirability({"y": two_hills}, plain, SQUARE, n_starts=6, rng=seeded())
    second = optimise_desirability({"y": scaled}, small, SQUARE, n_starts=6, rng=seeded())

    assert second.optima[0].desirability == pytest.approx(first.optima[0].desirability, abs=1e-9)


@pytest.mark.requirement("OPT-2")
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_starts": 0}, InvalidValueError, "n_starts must be a whole number"),
        ({"coverage": 1.0}, InvalidValueError, "coverage must be between 0 and 1"),
        ({"responses": {"z": two_hills}}, UnknownNameError, "Nothing predicts 'y'; there are z"),
        ({"responses": {"y": 3.0}}, InvalidValueError, "'y' is given by float"),
        (
            {"responses": {"y": lambda table: np.zeros((len(table), 2))}},
            InvalidValueError,
            "expected one number per setting",
        ),
        (
            {"responses": {"y": lambda table: np.full(len(table), np.nan)}},
            InvalidValueError,
            "expected a finite number everywhere",
        ),
    ],
)
def test_an_argument_that_makes_no_sense_is_refused(arguments, error, message):
    responses = arguments.pop("responses", {"y": two_hills})
    with pytest.raises(error, match=message):
        optimise_desirability(responses, WANTED, SQUARE, rng=seeded(), **arguments)


def test_a_desirability_without_ends_is_refused():
    with pytest.raises(InvalidValueError, match="needs low and high"):
        desirability_of(Goal("y"), np.array([1.0]))


def test_the_factor_space_may_be_narrower_than_what_was_studied():
    study = culture_study()
    narrow = FactorSpace((ContinuousFactor("pH", 6.9, 7.0), *CULTURE[1:]))
    objective = Desirability((Goal("titre", low=40.0, high=60.0),))

    found = optimise_desirability(
        {"titre": fit_linear(study, "titre")}, objective, narrow, n_starts=6, rng=seeded()
    )

    assert narrow.contains(found.table()).all()

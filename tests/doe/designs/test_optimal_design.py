"""Optimal designs: their criteria, and everything that may limit them."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.arrays import FloatArray
from doe.constraints import (
    CardinalityConstraint,
    ExpressionConstraint,
    ForbiddenCombination,
    LinearConstraint,
)
from doe.designs import central_composite
from doe.designs.optimal import RunCost, optimal_design
from doe.errors import CancelledError, DesignError, InvalidValueError, TooFewRunsError
from doe.evaluation import average_prediction_variance, d_efficiency, prediction_variance
from doe.factors import (
    BlockFactor,
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
)
from doe.named_models import model_terms
from doe.runs import Design
from doe.space import FactorSpace
from doe.terms import interaction_terms, linear_terms, model_matrix, parse_terms, quadratic_terms
from tests.doe.designs.examples import continuous

CRITERIA = ["D", "A", "I", "G"]
MIXED = FactorSpace(
    (
        ContinuousFactor("pH", 6.5, 7.5, step=0.1),
        ContinuousFactor("feed", 1.0, 100.0, "mL/h", scale="log"),
        DiscreteFactor("impellers", (1, 2, 4)),
        CategoricalFactor("clone", ("A", "B", "C")),
    )
)
LIMITED = FactorSpace(
    (
        ContinuousFactor("a", 0.0, 10.0),
        ContinuousFactor("b", 0.0, 10.0),
        ContinuousFactor("c", 1.0, 100.0, scale="log"),
        CategoricalFactor("r", ("x", "y", "z")),
    ),
    (
        LinearConstraint({"a": 1, "b": 1}, upper=15),
        ExpressionConstraint("a * c <= 300"),
        ForbiddenCombination({"b": (7.0, None), "r": "z"}),
    ),
)
MEDIUM = FactorSpace(
    tuple(MixtureComponent(f"c{i}", 0.0, 0.5) for i in range(10)),
    (CardinalityConstraint(tuple(f"c{i}" for i in range(10)), 4),),
)
FEEDS = FactorSpace(
    (
        MixtureComponent("A", 20, 60, "%", step=5),
        MixtureComponent("B", 10, 50, "%", step=5),
        MixtureComponent("C", 10, 70, "%", step=5),
        ContinuousFactor("T", 30, 40, step=0.5),
    ),
    mixture_total=100,
)


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


def matrix_of(design: Design, formula: str = "quadratic") -> FloatArray:
    terms = {"quadratic": quadratic_terms, "linear": linear_terms}[formula](design.space)
    return model_matrix(terms, design.runs, design.space).to_numpy()


def assert_can_be_run(design: Design, space: FactorSpace, n_runs: int) -> None:
    assert len(design.runs) == n_runs
    assert space.contains(design.runs).all()
    assert space.on_steps(design.runs).all()


@pytest.mark.requirement("DOE-5")
@pytest.mark.parametrize("criterion", CRITERIA)
def test_an_optimal_design_beats_the_face_centred_one_on_its_own_criterion(criterion):
    space = continuous(3)
    terms = quadratic_terms(space)
    classical = central_composite(space, kind="face-centred")
    corners = pd.DataFrame(np.array(np.meshgrid(*[np.linspace(-1, 1, 9)] * 3)).reshape(3, -1).T)
    corners = space.to_natural(corners.set_axis(space.names, axis=1))

    def worth(runs: pd.DataFrame) -> float:
        matrix = model_matrix(terms, runs, space).to_numpy()
        match criterion:
            case "D":
                return -d_efficiency(matrix)
            case "A":
                return float(np.trace(np.linalg.inv(matrix.T @ matrix)))
            case "I":
                return average_prediction_variance(runs, terms=terms, space=space)
            case _:
                return float(prediction_variance(runs, corners, terms=terms, space=space).max())

    design = optimal_design(space, 20, "quadratic", criterion=criterion, rng=generator())

    assert worth(design.runs) < worth(classical.runs)
    assert design.details["criterion_value"] == pytest.approx(abs(worth(design.runs)), rel=0.01)


@pytest.mark.requirement("DOE-5")
@pytest.mark.parametrize("n_factors", [3, 7, 11])
def test_main_effects_in_a_multiple_of_four_runs_come_out_orthogonal(n_factors):
    """Plackett and Burman (1946): such a design is D-optimal, and exists for 4, 8 and 12 runs."""
    n_runs = n_factors + 1

    design = optimal_design(
        continuous(n_factors), n_runs, "linear", criterion="D", rng=generator(), n_starts=60
    )

    matrix = matrix_of(design, "linear")
    np.testing.assert_allclose(matrix.T @ matrix, n_runs * np.eye(n_runs), atol=1e-9)


def test_the_figures_in_the_details_are_those_of_the_runs():
    design = optimal_design(MIXED, 26, "quadratic", criterion="I", rng=generator(), n_starts=20)

    matrix = matrix_of(design)
    terms = quadratic_terms(MIXED)
    assert design.details["D"] == pytest.approx(d_efficiency(matrix))
    assert design.details["A"] == pytest.approx(np.trace(np.linalg.inv(matrix.T @ matrix)))
    assert design.details["I"] == pytest.approx(
        average_prediction_variance(design.runs, terms=terms, space=MIXED)
    )
    efficiencies = design.details["start_efficiencies"]
    assert isinstance(efficiencies, list)
    assert (len(efficiencies), efficiencies[0]) == (20, 1.0)
    assert efficiencies == sorted(efficiencies, reverse=True)
    assert_can_be_run(design, MIXED, 26)


@pytest.mark.requirement("DOE-5")
@pytest.mark.parametrize("space", [LIMITED, FEEDS, MEDIUM], ids=["limits", "steps", "cardinality"])
@pytest.mark.parametrize("criterion", ["D", "I"])
def test_every_run_meets_every_constraint(space, criterion):
    design = optimal_design(space, 20, "linear", criterion=criterion, rng=generator(), n_starts=4)

    assert_can_be_run(design, space, 20)
    assert np.linalg.matrix_rank(matrix_of(design, "linear")) == len(linear_terms(space).terms) + (
        space is LIMITED
    )


@pytest.mark.requirement("DOE-5")
@pytest.mark.slow
def test_a_medium_of_at_most_four_of_ten_components_has_a_quadratic_design():
    design = optimal_design(MEDIUM, 60, "quadratic", criterion="I", rng=generator())

    assert_can_be_run(design, MEDIUM, 60)
    assert ((design.runs > 0).sum(axis=1) <= 4).all()
    assert np.linalg.matrix_rank(matrix_of(design)) == 55


def test_a_limited_design_beats_the_best_of_many_random_ones():
    design = optimal_design(LIMITED, 24, "quadratic", criterion="D", rng=generator(), n_starts=5)

    terms = quadratic_terms(LIMITED)
    draws = LIMITED.sample(24 * 400, rng=generator(2))
    matrices = model_matrix(terms, draws, LIMITED).to_numpy().reshape(400, 24, -1)
    assert design.details["D"] > 1.5 * max(d_efficiency(matrix) for matrix in matrices)


@given(
    order=st.permutations(range(3)),
    lows=st.lists(st.sampled_from([-40.0, 1e-9, 5.0, 1e6]), min_size=3, max_size=3),
    criterion=st.sampled_from(["D", "I"]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=6)
def test_neither_order_nor_units_nor_ranges_change_how_good_a_design_is(
    order, lows, criterion, seed
):
    plain = FactorSpace(tuple(ContinuousFactor(f"x{i}", 0.0, 1.0) for i in range(3)))
    other = FactorSpace(
        tuple(ContinuousFactor(f"x{i}", lows[i], lows[i] + max(1.0, lows[i])) for i in order)
    )

    values = [
        optimal_design(
            space, 18, "quadratic", criterion=criterion, rng=generator(seed), n_starts=30
        )
        for space in (plain, other)
    ]

    one, two = (float(design.details["criterion_value"]) for design in values)
    assert one == pytest.approx(two, rel=0.015)


@pytest.mark.parametrize("space", [MIXED, LIMITED, FEEDS], ids=["mixed", "limits", "steps"])
def test_the_same_seed_gives_the_same_design(space):
    one, two = (optimal_design(space, 14, "linear", rng=generator(7), n_starts=2) for _ in range(2))

    assert one == two


@pytest.mark.requirement("DOE-5")
def test_axial_points_are_what_a_factorial_lacks_for_squares():
    """Six runs added to a 2^3 for curvature are the face centres of a face-centred design."""
    space = continuous(3)
    factorial = central_composite(space, kind="face-centred").runs.iloc[:8]

    design = optimal_design(space, 6, "quadratic", criterion="I", keep=factorial, rng=generator())

    assert_can_be_run(design, space, 6)
    coded = design.coded().to_numpy()
    assert sorted(np.count_nonzero(np.abs(coded) > 0.5, axis=1)) == [1] * 6
    assert design.details["n_kept_runs"] == 8
    both = pd.concat([factorial, design.runs])
    matrix = model_matrix(quadratic_terms(space), both, space).to_numpy()
    assert design.details["D"] == pytest.approx(d_efficiency(matrix))


def test_kept_runs_may_lie_outside_the_ranges():
    space = continuous(2)
    kept = pd.DataFrame({"x1": [5.0, 30.0], "x2": [10.0, 50.0]})

    design = optimal_design(space, 4, "quadratic", keep=kept, rng=generator())

    assert_can_be_run(design, space, 4)
    assert np.isfinite(design.details["I"])


@pytest.mark.requirement("DOE-8")
def test_the_effects_of_blocks_are_eliminated():
    space = continuous(3)

    design = optimal_design(
        space, 12, "interaction", criterion="D", block_sizes=(4, 4, 4), block="day", rng=generator()
    )

    days = np.array(design.blocks["day"])
    assert sorted(design.blocks["day"]) == ["1"] * 4 + ["2"] * 4 + ["3"] * 4
    assert [factor.name for factor in design.space.blocks] == ["day"]
    effects = np.column_stack([days == "1", days == "2"]) - 1.0 * (days == "3")[:, None]
    terms = parse_terms("(x1 + x2 + x3)**2", space)
    matrix = np.column_stack([model_matrix(terms, design.runs, space).to_numpy(), effects])
    inverse = np.linalg.inv(matrix.T @ matrix)[:7, :7]
    assert design.details["A"] == pytest.approx(np.trace(inverse))
    assert design.details["D"] == pytest.approx(np.linalg.det(inverse) ** (-1 / 7) / 12)


def test_runs_done_before_are_blocks_of_their_own():
    space = FactorSpace((*continuous(2).factors, BlockFactor("day")))
    first = optimal_design(space, 4, "linear", block_sizes=(2, 2), rng=generator())

    second = optimal_design(
        space, 6, "quadratic", keep=first, block_sizes=(3, 3), rng=generator(), n_starts=5
    )

    assert set(second.blocks["day"]) == {"3", "4"}
    with pytest.raises(TooFewRunsError, match=r"6 terms and 2 differences of blocks: add 1 runs"):
        optimal_design(space, 3, "quadratic", keep=first, block_sizes=(3,), rng=generator())


@pytest.mark.requirement("DOE-5")
def test_runs_that_must_be_there_are_there():
    space = continuous(3)
    wanted = pd.DataFrame({"x1": [11.0], "x2": [21.0], "x3": [31.0]})

    design = optimal_design(
        space, 16, "quadratic", include=wanted, centre_points=3, replicates=4, rng=generator()
    )

    assert_can_be_run(design, space, 16)
    assert (design.runs == wanted.iloc[0]).all(axis=1).sum() == 1
    assert (design.coded().abs() < 1e-9).all(axis=1).sum() >= 3
    kinds = design.point_types
    assert (kinds.count("included"), kinds.count("centre")) == (1, 3)
    assert 16 - len(design.runs.drop_duplicates()) >= 4


@given(n_replicates=st.integers(0, 8), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8)
def test_at_least_so_many_runs_repeat_another(n_replicates, seed):
    space = continuous(2)

    design = optimal_design(
        space, 14, "quadratic", replicates=n_replicates, rng=generator(seed), n_starts=3
    )

    assert len(design.runs) == 14
    assert 14 - len(design.runs.drop_duplicates()) >= n_replicates
    assert np.linalg.matrix_rank(matrix_of(design)) == 6


def test_centre_runs_take_the_levels_of_categorical_factors_in_turn():
    space = FactorSpace(
        (
            CategoricalFactor("clone", ("A", "B")),
            ContinuousFactor("T", 30, 40),
            CategoricalFactor("resin", ("p", "q", "r")),
        )
    )

    design = optimal_design(space, 12, "linear", centre_points=6, rng=generator(), n_starts=3)

    centres = design.runs[np.array(design.point_types) == "centre"]
    assert (centres["T"] == 35.0).all()
    assert len(centres.drop_duplicates()) == 6


@pytest.mark.requirement("DOE-5")
@given(budget=st.floats(248.0, 300.0), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8)
def test_a_design_stays_within_its_budget(budget, seed):
    space = FactorSpace((*continuous(2).factors, CategoricalFactor("resin", ("old", "new"))))
    cost = RunCost(base=10.0, expression="x1", levels={"resin": {"new": 3.0}})

    design = optimal_design(
        space, 12, "linear", cost=cost, budget=budget, rng=generator(seed), n_starts=4
    )

    paid = 120.0 + design.runs["x1"].sum() + 3.0 * (design.runs["resin"] == "new").sum()
    assert paid <= budget * (1 + 1e-9)
    assert design.details["total_cost"] == pytest.approx(paid)
    assert np.linalg.matrix_rank(matrix_of(design, "linear")) == 4


def test_a_larger_budget_never_buys_much_less():
    cost = RunCost(expression="10 * x1")
    values = [
        optimal_design(
            continuous(3), 12, "quadratic", cost=cost, budget=budget, rng=generator()
        ).details["I"]
        for budget in (1_300.0, 1_400.0, 1_600.0)
    ]

    assert values[0] > values[1] * 0.98 > values[2] * 0.96


@pytest.mark.requirement("DOE-5")
def test_a_bayesian_design_guards_against_more_terms_than_it_has_runs():
    """DuMouchel and Jones (1994): main effects stay clear, interactions overlap least."""
    space = continuous(5)

    design = optimal_design(
        space, 12, "linear", criterion="bayesian D", potential="interaction", rng=generator()
    )

    main = matrix_of(design, "linear")
    assert np.linalg.matrix_rank(main) == 6
    plain = optimal_design(space, 12, "linear", criterion="D", rng=generator())
    assert design.details["D"] > 0.9 * float(plain.details["D"])

    def overlap(runs: pd.DataFrame) -> float:
        terms = parse_terms("(x1 + x2 + x3 + x4 + x5)**2", space)
        matrix = model_matrix(terms, runs, space).to_numpy()
        return float(np.linalg.det(matrix.T @ matrix + np.diag([0.0] * 6 + [4.0] * 10)))

    assert overlap(design.runs) >= overlap(plain.runs)


def test_progress_is_told_and_may_stop_the_search():
    told: list[float] = []
    optimal_design(continuous(2), 8, "quadratic", rng=generator(), progress=told.append)
    assert told == sorted(told)
    assert (told[0], told[-1]) == (0.0, 1.0)

    def stop(done: float) -> None:
        if done > 0.3:
            raise CancelledError("Stopped.")

    with pytest.raises(CancelledError):
        optimal_design(continuous(2), 8, "quadratic", rng=generator(), progress=stop)


@pytest.mark.parametrize(
    ("space", "formula", "named"),
    [
        (
            FactorSpace((DiscreteFactor("n", (1, 2)), ContinuousFactor("a", 0, 1))),
            "n + a + I(n**2)",
            r"n\^2 \(follows from Intercept\)",
        ),
        (
            FactorSpace(tuple(MixtureComponent(name) for name in "ABC")),
            "A + B + C",
            r"C \(follows from Intercept, A, B\)",
        ),
        (
            FactorSpace(
                tuple(ContinuousFactor(name, 0, 1) for name in "ab"),
                (LinearConstraint({"a": 1, "b": 1}, equals=1),),
            ),
            "a * b",
            r"b \(follows from a\)",
        ),
    ],
    ids=["two levels", "mixture", "equation"],
)
def test_terms_that_no_run_can_estimate_are_named_before_the_search(space, formula, named):
    with pytest.raises(DesignError, match=named):
        optimal_design(space, 12, formula, rng=generator())


def test_fewer_runs_than_terms_are_refused_with_both_numbers():
    with pytest.raises(TooFewRunsError, match="9 runs cannot estimate 10 terms: add 1 runs"):
        optimal_design(continuous(3), 9, "quadratic", rng=generator())
    kept = pd.DataFrame({"x1": [11.0], "x2": [21.0], "x3": [31.0]})
    with pytest.raises(TooFewRunsError, match="8 runs with the 1 that are kept cannot"):
        optimal_design(continuous(3), 8, "quadratic", keep=kept, rng=generator())


INSIDE = pd.DataFrame({"x1": [11.0], "x2": [21.0]})
OUTSIDE = pd.DataFrame({"x1": [31.0], "x2": [21.0]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"criterion": "E"}, "criterion is 'E'; expected one of D, A, I, G, bayesian D"),
        ({"method": "genetic"}, "method is 'genetic'"),
        ({"n_starts": 0}, "n_starts must be a whole number of at least 1"),
        ({"block_sizes": (3, 3)}, "hold 6 runs, but n_runs is 8"),
        ({"block": "day"}, "named without block_sizes"),
        ({"include": OUTSIDE}, "Run 1 of include is not allowed: x1 is 31.0, expected 10 to 14"),
        ({"centre_points": 9}, "9 centre points are more than the 8 runs"),
        (
            {"replicates": 8, "include": INSIDE},
            "8 of 8 runs cannot .* at most 5, or raise n_runs to 11",
        ),
        ({"centre_points": 8}, "of which 7 repeat others.* add 2 runs, ask for at most 6 centre"),
        ({"centre_points": 4, "replicates": 7}, "at most 5, or raise n_runs to 10"),
        ({"budget": 10.0}, "needs to know what a run costs"),
        (
            {"cost": RunCost(expression="x1"), "budget": 70.0},
            "8 runs cost at least 80, the budget is 70",
        ),
        ({"potential": "quadratic"}, "leave out potential"),
        ({"criterion": "bayesian D"}, "give potential="),
    ],
)
def test_what_cannot_be_is_refused_with_one_clear_error(options, message):
    with pytest.raises(DesignError, match=message):
        optimal_design(continuous(2), 8, "linear", rng=generator(), **options)


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        (RunCost(expression="11 - x1"), "A run would cost -3 somewhere"),
        (RunCost(expression="x9"), r"reads \['x9'\]"),
        (RunCost(expression="1 / (x1 - 10)"), "not a number everywhere"),
        (RunCost(levels={"x1": {"A": 1}}), "not a categorical factor"),
    ],
)
def test_a_cost_must_fit_the_factors(cost, message):
    with pytest.raises(InvalidValueError, match=message):
        optimal_design(continuous(2), 8, "linear", rng=generator(), cost=cost)


def test_a_design_of_as_many_runs_as_terms_is_found_for_categorical_factors():
    space = FactorSpace(
        (
            CategoricalFactor("clone", tuple("ABCD")),
            CategoricalFactor("resin", tuple("ABCD")),
            ContinuousFactor("T", 30, 40),
            CategoricalFactor("mode", ("batch", "fed")),
        )
    )

    design = optimal_design(
        space, 35, "interaction", criterion="D", replicates=4, rng=generator(0), n_starts=3
    )

    matrix = model_matrix(interaction_terms(space), design.runs, space).to_numpy()
    assert np.linalg.matrix_rank(matrix) == matrix.shape[1] == 31


def levels_used(design: Design, name: str) -> Sequence[float]:
    return sorted(set(np.round(design.coded()[name], 6)))


def test_a_linear_model_needs_only_the_ends_of_each_range():
    design = optimal_design(continuous(4), 8, "linear", criterion="D", rng=generator())

    assert all(levels_used(design, name) == [-1.0, 1.0] for name in design.space.names)


NEARLY_SINGULAR = FactorSpace(
    (
        CategoricalFactor("resin", tuple("abcd")),
        CategoricalFactor("salt", tuple("abc")),
        ContinuousFactor("A", 0.0, 1.0),
    )
)


@pytest.mark.parametrize(("n_runs", "seed"), [(22, 3), (22, 8), (25, 5), (30, 1)])
def test_starts_that_cannot_tell_levels_apart_lead_to_designs_that_can(n_runs, seed):
    """A random start misses combinations of levels; its information is all but singular."""
    best = {22: 0.37161, 25: 0.39414, 30: 0.38320}

    design = optimal_design(
        NEARLY_SINGULAR, n_runs, "interaction", criterion="D", rng=generator(seed)
    )

    assert design.details["D"] >= best[n_runs]


@given(
    levels=st.lists(st.integers(2, 4), min_size=1, max_size=2),
    n_continuous=st.integers(1, 2),
    model=st.sampled_from(["linear", "interaction", "quadratic"]),
    more=st.sampled_from([0, 1, 8]),
    criterion=st.sampled_from(CRITERIA),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=10, deadline=None)
def test_designs_with_hardly_more_runs_than_terms_can_be_found(
    levels, n_continuous, model, more, criterion, seed
):
    space = FactorSpace(
        (
            *(CategoricalFactor(f"c{i}", tuple("abcd"[:n])) for i, n in enumerate(levels)),
            *(ContinuousFactor(f"x{i}", 0.0, 1.0) for i in range(n_continuous)),
        )
    )
    terms = model_terms(model, space)
    n_columns = model_matrix(terms, space.sample(2, rng=generator()), space).shape[1]

    design = optimal_design(
        space, n_columns + more, terms, criterion=criterion, rng=generator(seed), n_starts=5
    )

    matrix = model_matrix(terms, design.runs, space).to_numpy()
    assert np.linalg.matrix_rank(matrix) == n_columns


def test_more_replicates_than_runs_are_refused_with_what_fits():
    with pytest.raises(DesignError, match="at most 2, or raise n_runs to 60"):
        optimal_design(continuous(3), 12, "quadratic", replicates=50, rng=generator())
    with pytest.raises(TooFewRunsError, match="add 1 runs, ask for at most 2 replicates, or"):
        optimal_design(continuous(3), 12, "quadratic", replicates=3, rng=generator())
    fitting = optimal_design(
        continuous(3), 12, "quadratic", replicates=2, rng=generator(), n_starts=5
    )
    assert 12 - len(fitting.runs.drop_duplicates()) == 2


def test_centre_runs_count_as_one_setting():
    with pytest.raises(TooFewRunsError, match="add 6 runs, ask for at most 3 centre points, or"):
        optimal_design(continuous(3), 12, "quadratic", centre_points=9, rng=generator())
    with pytest.raises(TooFewRunsError, match="add 9 runs, ask for at most 3 centre points, or"):
        optimal_design(continuous(3), 12, "quadratic", centre_points=12, rng=generator())


@pytest.mark.parametrize(
    ("cost", "message"),
    [
        ({"base": -5.0}, "Base cost of a run is -5; costs are not negative"),
        ({"levels": {"resin": {"B": -1.0}}}, "Cost of level 'B' of 'resin' is -1"),
    ],
)
def test_a_run_costs_nothing_at_least(cost, message):
    with pytest.raises(InvalidValueError, match=message):
        RunCost(**cost)


def test_a_very_large_search_is_made_only_when_its_length_is_stated():
    with pytest.raises(DesignError, match=r"2001 runs are more than the 2000 .* set n_starts"):
        optimal_design(continuous(1), 2001, "linear", rng=generator())

    design = optimal_design(continuous(1), 2001, "linear", rng=generator(), n_starts=1)

    assert len(design.runs) == 2001


def test_the_model_and_the_source_of_random_numbers_are_checked():
    with pytest.raises(InvalidValueError, match="The model is None; expected terms, or text"):
        optimal_design(continuous(2), 8, None, rng=generator())
    with pytest.raises(InvalidValueError, match="rng must be a random generator, got 5"):
        optimal_design(continuous(2), 8, "linear", rng=5)

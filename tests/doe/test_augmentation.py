import json
from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.augmentation import (
    add_axial_points,
    add_centre_points,
    add_fold_over,
    augment_optimal,
    combined_design,
    estimate_curvature,
    extend_range,
    extend_screening_to_surface,
    repair_lost_runs,
    replicate_uncertain,
    separate_effects,
)
from doe.constraints import ForbiddenCombination, LinearConstraint
from doe.designs import box_behnken, central_composite, fractional_factorial, full_factorial
from doe.errors import DesignError, InvalidValueError, TooFewRunsError, UnknownNameError
from doe.evaluation import evaluate
from doe.factors import (
    BlockFactor,
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
)
from doe.runs import Design
from doe.space import FactorSpace
from doe.terms import (
    interaction_terms,
    linear_terms,
    model_matrix,
    parse_terms,
    quadratic_terms,
)
from tests.doe.designs.examples import continuous, mixed_spaces


def rng(seed=1):
    return np.random.default_rng(seed)


def lettered(n_factors: int, **options: object) -> FactorSpace:
    """Return continuous factors A, B, C, ... from 0 to 10."""
    return FactorSpace(
        tuple(ContinuousFactor(name, 0.0, 10.0, **options) for name in "ABCDEFGHJK"[:n_factors])
    )


def matrix_of(terms, design, *, with_block=True):
    """Return the model matrix of a design, and a column for each later block."""
    columns = [model_matrix(terms, design.runs, design.space).to_numpy()]
    for levels in design.blocks.values() if with_block else ():
        for level in list(dict.fromkeys(levels))[1:]:
            columns.append(np.array([[float(found == level)] for found in levels]))
    return np.column_stack(columns)


def is_full_rank(matrix):
    return np.linalg.matrix_rank(matrix) == matrix.shape[1]


def without_block(matrix, added):
    """Return what the added runs' block leaves of the columns: residuals of a regression on it."""
    base = np.column_stack([np.ones(len(matrix)), added])
    return matrix - base @ np.linalg.lstsq(base, matrix, rcond=None)[0]


@pytest.mark.requirement("DOE-12")
@pytest.mark.parametrize("in_new_block", [True, False])
def test_curvature_of_a_factorial_needs_as_many_runs_as_squares_and_blocks(in_new_block):
    """10 terms of a quadratic in three factors; 2^3 estimates 7 of their combinations."""
    factorial = full_factorial(lettered(3))

    added = estimate_curvature(factorial, rng=rng(), in_new_block=in_new_block)

    whole = combined_design(factorial, added)
    assert added.n_runs == 3 + in_new_block
    assert is_full_rank(matrix_of(quadratic_terms(whole.space), whole))
    assert added.details["fewest_runs"] == added.n_runs
    assert {"A^2", "B^2", "C^2"} <= set(added.details["newly_estimable"])
    assert added.details["axial_alternative"]["runs"] == 6 + in_new_block
    assert added.details["chosen_because"].startswith(f"the fewest runs, {added.n_runs}")


def test_axial_runs_are_taken_for_curvature_when_they_are_as_few():
    """One factor's square in a new block: two axial runs and a centre run cannot be beaten."""
    added = estimate_curvature(
        full_factorial(lettered(2)), factors=["A"], n_runs=3, rng=rng(), in_new_block=False
    )

    assert added.point_types == ("axial", "axial", "centre")
    assert added.details["chosen_because"] == "axial and centre runs are as few as any, 3"


def test_a_single_centre_run_tells_the_curvature_of_a_single_factor():
    added = estimate_curvature(
        full_factorial(lettered(2)), factors=["A"], rng=rng(), in_new_block=False
    )

    assert added.n_runs == 1
    assert added.runs["A"].iloc[0] == 5.0
    # B at an end: otherwise B^2 would change too.
    assert added.runs["B"].iloc[0] in (0.0, 10.0)
    assert added.details["newly_estimable"] == ["A^2"]


def test_aliased_interactions_stay_out_of_the_model_for_curvature():
    fraction = fractional_factorial(lettered(3), generators=["C=AB"])

    added = estimate_curvature(fraction, rng=rng())

    assert ":" not in " ".join(added.details["coefficient_variances"])
    whole = combined_design(fraction, added)
    terms = parse_terms("A + B + C + I(A**2) + I(B**2) + I(C**2)", whole.space)
    assert is_full_rank(matrix_of(terms, whole))


@pytest.mark.requirement("DOE-12")
@pytest.mark.parametrize("in_new_block", [True, False])
def test_a_single_square_is_told_from_those_of_all_other_factors(in_new_block):
    """In a factorial with centre runs every square is the same column."""
    factorial = full_factorial(lettered(3), centre_points=2)

    added = estimate_curvature(factorial, factors=["A"], rng=rng(), in_new_block=in_new_block)

    assert added.n_runs == 1 + in_new_block
    assert added.details["aliased_before"] == ["A^2 with B^2", "A^2 with C^2"]
    assert added.details["newly_estimable"] == ["A^2"]
    whole = combined_design(factorial, added)
    matrix = matrix_of(quadratic_terms(whole.space), whole)
    place = [term.name for term in quadratic_terms(whole.space).terms].index("A^2")
    others = np.delete(matrix, place, axis=1)
    assert np.linalg.matrix_rank(matrix) == np.linalg.matrix_rank(others) + 1
    stated = added.details["coefficient_variances"]["A^2"]["after"]
    assert stated == pytest.approx(np.linalg.pinv(matrix.T @ matrix)[place, place], rel=1e-4)


def test_too_few_runs_for_a_square_are_refused_with_how_many_it_takes():
    factorial = full_factorial(lettered(3), centre_points=2)

    with pytest.raises(TooFewRunsError, match=r"squares of A from those of B, C: add 2 or more"):
        estimate_curvature(factorial, factors=["A"], n_runs=1, rng=rng())


def test_curvature_that_is_known_needs_no_runs():
    with pytest.raises(DesignError, match=r"squares of A, B already: no run is needed"):
        estimate_curvature(central_composite(lettered(2)), rng=rng())


def test_two_levels_have_no_curvature():
    space = FactorSpace((DiscreteFactor("n", (1, 2)), CategoricalFactor("resin", ("P", "Q"))))

    with pytest.raises(DesignError, match=r"None of the factors \['n', 'resin'\]"):
        estimate_curvature(full_factorial(space), rng=rng())


@pytest.mark.requirement("DOE-12")
@pytest.mark.parametrize("in_new_block", [True, False])
def test_a_pair_of_aliased_interactions_is_separated_by_the_fewest_runs(in_new_block):
    """2^(7-3) of resolution IV has AB = CE = DF: one run more, and one for the block."""
    fraction = fractional_factorial(lettered(7), generators=["E=ABC", "F=ABD", "G=ACD"])

    added = separate_effects(fraction, effects=["A:B", "C:E"], rng=rng(), in_new_block=in_new_block)

    whole = combined_design(fraction, added)
    terms = parse_terms("A + B + C + D + E + F + G + A:B + C:E", whole.space)
    assert added.n_runs == 1 + in_new_block
    assert is_full_rank(matrix_of(terms, whole))
    (pair,) = added.details["correlations"]
    assert pair["effects"] == ["A:B", "C:E"]
    assert abs(pair["before"]) == 1.0
    columns = model_matrix(parse_terms("0 + A:B + C:E", whole.space), whole.runs, whole.space)
    is_added = np.repeat([0.0, 1.0 if in_new_block else 0.0], [16, added.n_runs])[:, None]
    left = without_block(columns.to_numpy(), is_added)
    assert pair["after"] == pytest.approx(np.corrcoef(left.T)[0, 1], abs=1e-5)
    assert abs(pair["after"]) < 0.95


@pytest.mark.requirement("DOE-12")
@pytest.mark.parametrize("effect", ["A:B", "AB", "B:A"])
def test_a_single_interaction_is_told_from_the_one_that_equals_it(effect):
    """I = ABCD: AB = CD in all eight runs."""
    fraction = fractional_factorial(lettered(4), n_runs=8, centre_points=2)

    added = separate_effects(fraction, effects=[effect], rng=rng())

    assert added.details["also_separated_from"] == ["C:D"]
    assert added.details["still_aliased"] == []
    whole = combined_design(fraction, added)
    assert is_full_rank(matrix_of(parse_terms("A + B + C + D + A:B + C:D", whole.space), whole))


def test_more_runs_separate_better_and_other_aliases_are_named():
    fraction = fractional_factorial(lettered(4), generators=["D=ABC"])

    two = separate_effects(fraction, effects=["A:B", "C:D"], rng=rng())
    eight = separate_effects(fraction, effects=["A:B", "C:D"], n_runs=8, rng=rng())

    after = [abs(d.details["correlations"][0]["after"]) for d in (two, eight)]
    assert after[1] < after[0] < 1
    assert all(" with " in text for text in two.details["still_aliased"])


def test_runs_that_separate_already_are_not_added_to():
    with pytest.raises(DesignError, match=r"tell A:B, B:C and the main effects apart already"):
        separate_effects(full_factorial(lettered(3)), effects=["A:B", "B:C"], rng=rng())


@pytest.mark.parametrize(
    ("effects", "complaint"),
    [
        ([], "effects must be a list of effects"),
        ("A:B", "effects must be a list of effects"),
        (["I(A**2)"], r"effects names 'I\(A\*\*2\)', which is no main effect or interaction"),
        (["A*B"], "which is no main effect or interaction"),
        (["AZ"], "^'AZ': 'Z' is not a factor; those are A, B, C, D"),
        ([3], "An effect is a text such as 'A', got 3"),
        (None, "effects must be a list of effects"),
    ],
)
def test_effects_that_cannot_be_separated_are_refused(effects, complaint):
    fraction = fractional_factorial(lettered(4), generators=["D=ABC"])

    with pytest.raises(DesignError, match=complaint):
        separate_effects(fraction, effects=effects, rng=rng())


def test_too_few_runs_are_refused_with_how_many_are_needed():
    fraction = fractional_factorial(lettered(4), generators=["D=ABC"])

    with pytest.raises(TooFewRunsError, match=r"1 further runs .* one of them .* add 2 or more"):
        separate_effects(fraction, effects=["A:B", "C:D"], n_runs=1, rng=rng())


@pytest.mark.requirement("DOE-12")
@given(space=mixed_spaces(3), seed=st.integers(0, 2**32 - 1), in_new_block=st.booleans())
@settings(max_examples=12)
def test_optimal_additions_are_allowed_on_steps_and_never_take_information_away(
    space, seed, in_new_block
):
    done = full_factorial(space)
    terms = linear_terms(space)

    added = augment_optimal(done, n_runs=4, terms=terms, rng=rng(seed), in_new_block=in_new_block)

    assert added.space.contains(added.runs).all()
    assert added.space.on_steps(added.runs).all()
    before = model_matrix(terms, done.runs, space).to_numpy()
    whole = combined_design(done, added)
    after = matrix_of(terms, whole)
    p = before.shape[1]
    inverse = np.linalg.inv(after.T @ after)[:p, :p]
    gained = np.linalg.inv(inverse) - before.T @ before
    assert np.linalg.eigvalsh(gained).min() > -1e-8
    for name, both in added.details["coefficient_variances"].items():
        # The intercept becomes that of the mean of both blocks, of which one is small.
        if not (in_new_block and name == "Intercept"):
            assert both["after"] <= both["before"] * (1 + 1e-5)


@pytest.mark.requirement("DOE-12")
@pytest.mark.parametrize("criterion", ["D", "A", "I", "G"])
def test_a_factorial_becomes_a_design_for_the_quadratic_model(criterion):
    factorial = full_factorial(lettered(3))

    added = augment_optimal(factorial, n_runs=7, terms="quadratic", criterion=criterion, rng=rng())

    whole = combined_design(factorial, added)
    assert is_full_rank(matrix_of(quadratic_terms(whole.space), whole))
    assert set(added.blocks["block"]) == {"added"}
    assert added.details["average_prediction_variance"]["before"] is None
    assert added.details["average_prediction_variance"]["after"] < 1.5


@pytest.mark.requirement("DOE-12")
def test_what_additions_say_of_precision_is_what_the_evaluation_of_both_parts_says():
    fraction = fractional_factorial(lettered(4), n_runs=8, centre_points=2)

    added = augment_optimal(fraction, n_runs=8, terms="quadratic", rng=rng())

    found = evaluate(combined_design(fraction, added), "quadratic")
    errors = found.coefficients_table()["standard error"].to_numpy(dtype=float)
    stated = [both["after"] for both in added.details["coefficient_variances"].values()]
    assert stated == pytest.approx(list(errors**2), rel=1e-4)
    assert added.details["coefficients_refer_to"] == "the mean of the blocks"
    average = added.details["average_prediction_variance"]["after"]
    assert average == pytest.approx(found.efficiencies.average_variance, rel=0.02)
    assert 100 * added.details["d_efficiency"]["after"] == pytest.approx(found.efficiencies.d)


@pytest.mark.requirement("DOE-12")
@pytest.mark.parametrize("as_design", [True, False])
def test_random_days_leave_a_hard_factor_estimable_and_are_left_out_in_words(as_design):
    hard = ContinuousFactor("T", 30.0, 40.0, change="hard")
    space = FactorSpace((hard, *lettered(2).factors, BlockFactor("day")))
    corners = full_factorial(lettered(2)).runs
    runs = pd.concat([corners] * 4, ignore_index=True)
    runs.insert(0, "T", np.repeat([30.0, 40.0, 30.0, 40.0], 4))
    days = np.repeat(["1", "2", "3", "4"], 4)
    done = Design(space, runs, "split-plot", blocks={"day": tuple(days)}, whole_plots=("day",))
    table = runs.assign(day=days)

    added = augment_optimal(
        done if as_design else table, space, n_runs=6, terms="quadratic", rng=rng()
    )

    assert added.blocks == {"added runs": ("added",) * 6}
    assert added.details["not_estimable"] == []
    (assumption,) = added.details["assumptions"]
    assert assumption.startswith("The random blocks day of the runs that are done are left out")
    assert assumption.endswith("T may change from one added run to the next.")


def test_runs_far_outside_the_ranges_are_a_wrong_unit():
    runs = full_factorial(lettered(2)).runs
    outside, far = runs.copy(), runs.copy()
    outside.loc[1, "A"], far.loc[1, "A"] = 15.0, 1e6

    added = augment_optimal(outside, lettered(2), n_runs=2, terms="linear", rng=rng())

    assert added.details["assumptions"] == [
        "'A' lies outside its range in run 2 at 15; expected 0 to 10."
    ]
    with pytest.raises(InvalidValueError, match=r"Run 2 has 'A' at 1e\+06, more than 10 times"):
        augment_optimal(far, lettered(2), n_runs=2, terms="linear", rng=rng())


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda d: augment_optimal(None, n_runs=2, terms="linear", rng=rng()), "runs must be a"),
        (lambda d: augment_optimal(d, n_runs="3", terms="linear", rng=rng()), "n_runs must be a"),
        (lambda d: augment_optimal(d, n_runs=2, terms="linear", rng=5), "rng must be a random"),
        (lambda d: augment_optimal(d, 5, n_runs=2, terms="linear", rng=rng()), "space must be a"),
        (lambda d: estimate_curvature(d, rng=5), "rng must be a random generator, got 5"),
        (lambda d: estimate_curvature(d, factors="AB", rng=rng()), "factors must be a list"),
        (lambda d: separate_effects(d, effects=["A:B"], rng=None), "rng must be a random"),
        (lambda d: repair_lost_runs(d, lost=None, terms="linear", rng=rng()), "lost must be a"),
        (lambda d: repair_lost_runs(d.runs, lost=[1], terms="linear", rng=rng()), "got a DataFr"),
        (
            lambda d: replicate_uncertain(d, n_runs=1, terms="linear", values="ab", rng=rng()),
            "values must hold one finite number per run",
        ),
        (lambda d: combined_design(d, None), "added must be the design"),
        (lambda d: add_fold_over(d, free="A:B"), "free must be a list of effects"),
    ],
)
def test_arguments_of_a_wrong_kind_are_refused_by_name(call, complaint):
    with pytest.raises((DesignError, InvalidValueError), match=complaint):
        call(fractional_factorial(lettered(3), n_runs=4))


def test_the_same_seed_adds_the_same_runs():
    ccd = central_composite(lettered(3))

    one, other = (augment_optimal(ccd, n_runs=4, terms="quadratic", rng=rng(7)) for _ in range(2))

    assert one == other


def test_constraints_and_mixtures_limit_the_added_runs():
    factors = (
        MixtureComponent("water", 0.2, 0.8),
        MixtureComponent("salt", 0.0, 0.5),
        MixtureComponent("sugar", 0.1, 0.6),
        ContinuousFactor("pH", 6.0, 8.0, step=0.1),
    )
    space = FactorSpace(factors, (LinearConstraint({"salt": 1, "sugar": 1}, upper=0.7),))
    done = space.sample(12, rng=rng())

    added = augment_optimal(done, space, n_runs=6, terms="linear", rng=rng())

    assert added.space.contains(added.runs).all()
    assert added.space.on_steps(added.runs).all()
    variances = added.details["coefficient_variances"].values()
    assert all(both["after"] < both["before"] for both in variances)


@pytest.mark.requirement("DOE-12")
def test_a_wider_range_gets_its_runs_where_the_old_ones_do_not_reach():
    old = central_composite(lettered(2))
    wider = FactorSpace((ContinuousFactor("A", 0.0, 20.0), ContinuousFactor("B", 0.0, 10.0)))

    added = extend_range(old, wider, terms="quadratic", n_runs=4, rng=rng())

    assert added.space.names == ("A", "B")
    assert (added.runs["A"] > 10).sum() >= 2
    assert added.details["runs_outside_old_ranges"] == (added.runs["A"] > 10).sum()
    assert added.details["widened"] == {"A": {"from": [0.0, 10.0], "to": [0.0, 20.0]}}
    average = added.details["average_prediction_variance"]
    # The old runs extrapolate over half of the new space.
    assert average["after"] < average["before"] / 4


def test_a_new_level_gets_runs_too():
    old = full_factorial(
        FactorSpace((*lettered(2).factors, CategoricalFactor("resin", ("P", "Q"))))
    )
    wider = FactorSpace((*lettered(2).factors, CategoricalFactor("resin", ("P", "Q", "R"))))

    added = extend_range(old, wider, terms="linear", n_runs=4, rng=rng())

    assert (added.runs["resin"] == "R").sum() == added.details["runs_outside_old_ranges"] > 0
    assert added.details["not_estimable"] == []


def test_a_space_that_is_no_wider_is_refused():
    done = central_composite(lettered(2))

    with pytest.raises(DesignError, match="No factor of wider_space goes beyond"):
        extend_range(done, lettered(2), terms="quadratic", n_runs=4, rng=rng())


@pytest.mark.requirement("DOE-12")
def test_lost_runs_that_are_still_possible_are_simply_repeated():
    ccd = central_composite(lettered(3))

    repaired = repair_lost_runs(ccd, lost=[3, 9], terms="quadratic", rng=rng())

    assert repaired.runs.equals(ccd.runs.iloc[[2, 8]].reset_index(drop=True))
    assert repaired.point_types == ("factorial", "axial")
    efficiency = repaired.details["d_efficiency"]
    assert efficiency["after loss"] < efficiency["before loss"] == efficiency["after repair"]


@pytest.mark.requirement("DOE-12")
def test_runs_that_have_become_impossible_get_the_best_allowed_replacement():
    bbd = box_behnken(lettered(3))
    space = FactorSpace(lettered(3).factors, (LinearConstraint({"A": 1, "B": 1}, upper=18),))
    lost = [row + 1 for row in np.flatnonzero(~space.contains(bbd.runs))]

    repaired = repair_lost_runs(bbd, space, lost=lost, terms="quadratic", rng=rng())

    assert len(lost) == repaired.n_runs == 1
    assert repaired.space.contains(repaired.runs).all()
    terms = quadratic_terms(space)
    kept = bbd.runs.drop(index=lost[0] - 1)
    grid = pd.DataFrame(
        [(a, b, c) for a in (0, 5, 9, 10) for b in (0, 5, 8, 10) for c in (0, 5, 10)],
        columns=["A", "B", "C"],
        dtype=float,
    )
    grid = grid[space.contains(grid)]

    def determinant(run):
        matrix = model_matrix(terms, pd.concat([kept, run]), space).to_numpy()
        return np.linalg.det(matrix.T @ matrix)

    best = max(determinant(grid.iloc[[row]]) for row in range(len(grid)))
    assert determinant(repaired.runs) >= 0.97 * best
    assert repaired.details["replaced"] == {str(lost[0]): "the best allowed run"}


def test_a_replacement_belongs_to_the_block_and_whole_plot_of_the_lost_run():
    factors = (ContinuousFactor("T", 30, 40, change="hard"), *lettered(2).factors)
    space = FactorSpace((*factors, BlockFactor("vessel")))
    plots = np.repeat([30.0, 40.0, 30.0, 40.0], 4)
    corners = np.tile([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0], [10.0, 10.0]], (4, 1))
    runs = pd.DataFrame({"T": plots, "A": corners[:, 0], "B": corners[:, 1]})
    levels = tuple(np.repeat(["1", "2", "3", "4"], 4))
    design = Design(space, runs, "split-plot", blocks={"vessel": levels}, whole_plots=("vessel",))
    now = FactorSpace((*space.factors,), (ForbiddenCombination({"A": (9, None), "B": (9, None)}),))

    repaired = repair_lost_runs(design, now, lost=[8, 9], terms="interaction", rng=rng())

    assert repaired.runs["T"].tolist() == [40.0, 30.0]
    assert repaired.blocks == {"vessel": ("2", "3")}
    assert repaired.whole_plots == ("vessel",)
    assert now.contains(repaired.runs).all()
    assert repaired.point_types == ("optimal", "")


def test_a_repair_much_later_can_be_a_block_of_its_own():
    ccd = central_composite(lettered(2))

    later = repair_lost_runs(ccd, lost=[1, 2], terms="quadratic", rng=rng(), in_new_block=True)

    assert later.blocks == {"block": ("added", "added")}
    # Two runs of a new block tell one thing besides the difference between blocks.
    kept = later.details["information_kept"]
    assert kept["after loss"] < kept["after repair"] < 1


@pytest.mark.parametrize("lost", [[], [0], [14], list(range(1, 14)), [1.5]])
def test_runs_that_are_not_there_cannot_be_lost(lost):
    with pytest.raises(DesignError, match="lost must"):
        repair_lost_runs(central_composite(lettered(2)), lost=lost, terms="linear", rng=rng())


@pytest.mark.requirement("DOE-12")
def test_the_runs_of_largest_leverage_are_repeated():
    """The corners of a face-centred design have leverage 0.7932, axial and centre runs less."""
    ccd = central_composite(lettered(3))

    added = replicate_uncertain(ccd, n_runs=8, terms="quadratic", rng=rng())

    assert sorted(added.details["repeated_runs"]) == list(range(1, 9))
    assert added.details["largest_leverage"]["before"] == pytest.approx(15.8636 / 20, abs=1e-5)
    assert added.point_types == ("replicate",) * 8


@pytest.mark.parametrize("n_added", [1, 2])
def test_the_chosen_repeats_lower_the_largest_variance_as_no_others_do(n_added):
    done = pd.DataFrame({"A": [0.0, 2.0, 5.0, 6.0, 10.0], "B": [0.0, 10.0, 3.0, 8.0, 0.0]})
    space, terms = lettered(2), linear_terms(lettered(2))

    added = replicate_uncertain(
        done,
        space,
        n_runs=n_added,
        terms=terms,
        rng=rng(),
        by="prediction variance",
        in_new_block=False,
    )

    look = np.array([[1.0, a, b] for a in (-1, 1) for b in (-1, 1)])
    rows = model_matrix(terms, done, space).to_numpy()

    def largest(chosen):
        matrix = np.vstack([rows, rows[list(chosen)]])
        return np.diag(look @ np.linalg.inv(matrix.T @ matrix) @ look.T).max()

    picked = [row - 1 for row in added.details["repeated_runs"]]
    if n_added == 1:
        assert largest(picked) == pytest.approx(min(largest([row]) for row in range(5)))
    else:
        pairs = [largest(pair) for pair in combinations(range(5), 2)]
        assert largest(picked) < np.median(pairs)


def test_values_of_uncertainty_decide_which_runs_are_repeated():
    ccd = central_composite(lettered(2))
    values = [0.1] * 13
    values[4] = values[11] = 0.9

    added = replicate_uncertain(
        ccd, n_runs=3, terms="quadratic", values=values, rng=rng(), in_new_block=False
    )

    assert added.details["repeated_runs"] == [5, 12, 1]
    # Five centre runs had 4 degrees of freedom; a repeat of each run adds one.
    assert added.details["pure_error_degrees_of_freedom"]["after"] == 4 + 3


def test_repeats_in_a_later_block_tell_pure_error_once_the_block_is_known():
    added = replicate_uncertain(full_factorial(lettered(2)), n_runs=4, terms="linear", rng=rng())

    assert added.details["pure_error_degrees_of_freedom"] == {
        "before": 0,
        "after": 0,
        "after, with repeats across blocks": 3,
    }


def test_achieved_settings_are_repeated_as_the_equipment_can_set_them():
    space = lettered(2, step=0.5)
    achieved = full_factorial(space).runs * 0.98 + 0.03

    added = replicate_uncertain(achieved, space, n_runs=2, terms="linear", rng=rng())

    assert space.on_steps(added.runs).all()
    assert space.contains(added.runs).all()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"by": "guess"}, "by is 'guess'; expected one of leverage, prediction variance"),
        ({"values": [1.0]}, "values must hold one finite number per run that is done, 4"),
        ({"terms": "quadratic"}, r"cannot estimate .*A\^2.* use augment_optimal"),
        ({"n_runs": 0}, "n_runs must be a whole number of at least 1"),
    ],
)
def test_repeats_that_cannot_be_chosen_are_refused(options, complaint):
    asked = {"n_runs": 2, "terms": "linear", **options}

    with pytest.raises(DesignError, match=complaint):
        replicate_uncertain(full_factorial(lettered(2)), rng=rng(), **asked)


def conference_screening():
    """Return the 13-run definitive screening design in six factors from its conference matrix."""
    conference = np.array(
        [
            [0, 1, 1, 1, 1, 1],
            [1, 0, 1, -1, -1, 1],
            [1, 1, 0, 1, -1, -1],
            [1, -1, 1, 0, 1, -1],
            [1, -1, -1, 1, 0, 1],
            [1, 1, -1, -1, 1, 0],
        ]
    )
    np.testing.assert_array_equal(conference.T @ conference, 5 * np.eye(6))
    points = np.vstack([conference, -conference, np.zeros((1, 6))])
    space = lettered(6)
    return Design(space, space.to_natural(pd.DataFrame(points, columns=list("ABCDEF"))), "DSD")


@pytest.mark.requirement("DOE-12")
def test_a_screening_design_grows_into_a_response_surface_of_its_active_factors():
    screening = conference_screening()

    added = extend_screening_to_surface(screening, factors=["A", "C", "D", "F"], rng=rng())

    # 15 terms and the block from 13 runs.
    assert added.n_runs >= 3
    assert (added.runs[["B", "E"]] == 5.0).all(axis=None)
    whole = combined_design(screening, added)
    terms = parse_terms("(A + C + D + F)**2 + I(A**2) + I(C**2) + I(D**2) + I(F**2)", whole.space)
    assert is_full_rank(matrix_of(terms, whole))
    assert added.details["not_estimable"] == []
    assert added.details["held"] == {"B": 5.0, "E": 5.0}


def test_three_active_factors_of_a_definitive_screening_need_no_more_runs():
    """Jones and Nachtsheim (2011): six or more factors project on any three as a surface design."""
    for active in combinations("ABCDEF", 3):
        with pytest.raises(DesignError, match="already: no run is needed"):
            extend_screening_to_surface(conference_screening(), factors=active, rng=rng())


def test_inactive_factors_stay_where_they_are_put():
    screening = conference_screening()

    added = extend_screening_to_surface(
        screening,
        factors=["A", "B", "C"],
        n_runs=5,
        inactive={"D": 10.0},
        rng=rng(),
        criterion="D",
    )

    assert (added.runs[["D", "E", "F"]] == [10.0, 5.0, 5.0]).all(axis=None)
    with pytest.raises(UnknownNameError, match=r"inactive names \['A'\]"):
        extend_screening_to_surface(screening, factors=["A"], inactive={"A": 1.0}, rng=rng())
    with pytest.raises(UnknownNameError, match="factors must name active factors"):
        extend_screening_to_surface(screening, factors=["Z"], rng=rng())


@pytest.mark.requirement("DOE-12")
@given(
    n_factors=st.integers(2, 4), seed=st.integers(0, 2**32 - 1), unit=st.sampled_from([1e-6, 1e5])
)
@settings(max_examples=8)
def test_fewest_runs_do_not_depend_on_units_or_the_order_of_factors(n_factors, seed, unit):
    plain = continuous(n_factors)
    turned = FactorSpace(
        tuple(
            ContinuousFactor(f.name, f.low * unit, f.high * unit) for f in reversed(plain.searched)
        )
    )

    one, other = (estimate_curvature(full_factorial(s), rng=rng(seed)) for s in (plain, turned))

    assert one.n_runs == other.n_runs
    assert one.details["d_efficiency"]["after"] == pytest.approx(
        other.details["d_efficiency"]["after"], rel=0.05
    )


def test_runs_for_an_impossible_model_are_refused_with_the_terms():
    space = FactorSpace((DiscreteFactor("n", (1, 2)), *lettered(1).factors))

    with pytest.raises(DesignError, match=r"n\^2"):
        augment_optimal(full_factorial(space), n_runs=9, terms="n + A + I(n**2)", rng=rng())


def test_differences_between_the_days_of_the_runs_that_are_done_are_taken_out():
    space = FactorSpace((*lettered(3).factors, BlockFactor("day", random=False)))
    done = full_factorial(space)
    done = Design(space, done.runs, "full factorial", blocks={"day": ("1", "2") * 4})

    added = augment_optimal(done, n_runs=4, terms="interaction", rng=rng())

    assert added.blocks == {"added runs": ("added",) * 4}
    assert [factor.name for factor in added.space.blocks] == ["day", "added runs"]
    assert added.details["blocks_to_fill_in"] == ["day"]
    whole = combined_design(done, added)
    assert whole.blocks == {"added runs": ("1", "2") * 4 + ("added",) * 4}
    named = augment_optimal(done, n_runs=4, terms="interaction", rng=rng(), block="day")
    assert named.blocks == {"day": ("3",) * 4}
    matrix = matrix_of(interaction_terms(space), whole)
    stated = added.details["coefficient_variances"]["A:B"]["after"]
    inverse = np.linalg.pinv(matrix.T @ matrix)
    place = [term.name for term in interaction_terms(space).terms].index("A:B")
    assert stated == pytest.approx(inverse[place, place], rel=1e-4)


def test_what_additions_say_of_themselves_is_plain_json():
    fraction = fractional_factorial(lettered(4), generators=["D=ABC"])
    ccd = central_composite(lettered(2))
    wider = FactorSpace((ContinuousFactor("A", 0.0, 20.0), lettered(2).factors[1]))

    for added in (
        add_fold_over(fraction, free=["A:B"]),
        add_centre_points(fraction),
        add_axial_points(fraction),
        estimate_curvature(fraction, rng=rng()),
        separate_effects(fraction, effects=["A:B", "C:D"], rng=rng()),
        augment_optimal(ccd, n_runs=2, terms="quadratic", rng=rng()),
        extend_range(ccd, wider, n_runs=2, terms="linear", rng=rng()),
        repair_lost_runs(ccd, lost=[1], terms="quadratic", rng=rng()),
        replicate_uncertain(ccd, n_runs=2, terms="quadratic", rng=rng()),
        extend_screening_to_surface(conference_screening(), factors=list("ABCD"), rng=rng()),
    ):
        assert json.loads(json.dumps(dict(added.details), allow_nan=False)) == dict(added.details)
        assert added.space.contains(added.runs).all()


def test_names_that_look_like_formulas_are_read_as_names():
    names = ("feed:rate", "I(x)", "pH (start)", "T^2")
    space = FactorSpace(tuple(ContinuousFactor(name, 0.0, 10.0) for name in names))
    fraction = fractional_factorial(space, generators=["D=ABC"])

    curved = estimate_curvature(fraction, rng=rng())
    parted = separate_effects(
        fraction, effects=["`feed:rate`:`I(x)`", "`pH (start)`:`T^2`"], rng=rng()
    )

    assert len(curved.details["axial_alternative"]["coefficient_variances"]) == 4
    assert parted.details["correlations"][0]["effects"] == [
        "`feed:rate`:`I(x)`",
        "pH (start):`T^2`",
    ]


def test_effects_of_categorical_factors_are_separated_level_by_level():
    space = FactorSpace((*lettered(3).factors, CategoricalFactor("resin", ("P", "Q"))))
    fraction = fractional_factorial(space, generators=["D=ABC"])

    added = separate_effects(fraction, effects=["A:B", "C:resin"], rng=rng())

    (pair,) = added.details["correlations"]
    assert pair["effects"] == ["A:B", "C:resin[P]"]
    assert abs(pair["before"]) == 1.0 > abs(pair["after"])

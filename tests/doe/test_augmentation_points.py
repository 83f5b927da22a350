import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.augmentation import (
    add_axial_points,
    add_centre_points,
    add_fold_over,
    combined_design,
)
from doe.constraints import LinearConstraint
from doe.designs import central_composite, fractional_factorial, full_factorial, plackett_burman
from doe.designs.aliasing import resolution, two_level_signs
from doe.errors import DesignError, InvalidValueError, UnknownNameError
from doe.factors import (
    BlockFactor,
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
)
from doe.space import FactorSpace
from doe.terms import model_matrix, quadratic_terms
from tests.doe.designs.examples import continuous, words_one_by_one


def lettered(n_factors: int, **options: object) -> FactorSpace:
    """Return continuous factors A, B, C, ... from 0 to 10."""
    return FactorSpace(
        tuple(ContinuousFactor(name, 0.0, 10.0, **options) for name in "ABCDEFGHJK"[:n_factors])
    )


def rank(matrix):
    return np.linalg.matrix_rank(np.asarray(matrix, dtype=float))


def with_block_columns(design):
    """Return the full quadratic model matrix of a design and its blocks, coded to sum to zero."""
    matrix = model_matrix(quadratic_terms(design.space), design.runs, design.space).to_numpy()
    columns = [matrix]
    for levels in design.blocks.values():
        for level in list(dict.fromkeys(levels))[1:]:
            column = [float(found == level) - float(found == levels[0]) for found in levels]
            columns.append(np.array(column)[:, None])
    return np.column_stack(columns)


def sorted_rows(points):
    rounded = np.round(np.asarray(points, dtype=float), 9) + 0.0
    return rounded[np.lexsort(rounded.T)]


@pytest.mark.requirement("DOE-12")
@given(n_factors=st.integers(2, 5), centre=st.integers(0, 4))
@settings(max_examples=15)
def test_a_factorial_with_centre_and_axial_runs_is_the_central_composite_design(n_factors, centre):
    space = continuous(n_factors)
    factorial = full_factorial(space, centre_points=centre)

    axial = add_axial_points(factorial, in_new_block=False)

    whole = combined_design(factorial, axial)
    expected = central_composite(space, centre_points=centre)
    np.testing.assert_allclose(sorted_rows(whole.coded()), sorted_rows(expected.coded()), atol=1e-9)
    assert axial.blocks == {}


@pytest.mark.requirement("DOE-12")
@pytest.mark.parametrize("with_centre", [True, False])
@given(n_factors=st.integers(2, 5), kind=st.sampled_from(["face-centred", "rotatable"]))
@settings(max_examples=8)
def test_axial_runs_in_a_block_of_their_own_still_make_every_square_estimable(
    with_centre, n_factors, kind
):
    factorial = full_factorial(continuous(n_factors), centre_points=3 if with_centre else 0)

    axial = add_axial_points(factorial, kind=kind, axial="beyond")

    whole = combined_design(factorial, axial)
    matrix = with_block_columns(whole)
    assert rank(matrix) == matrix.shape[1]
    assert axial.details["not_estimable"] == []
    assert f"x{n_factors}^2" in axial.details["newly_estimable"]
    assert set(axial.blocks["block"]) == {"added"}
    assert axial.details["block"]["original runs"] == ["original"]


def test_the_stated_variances_are_those_of_least_squares():
    factorial = full_factorial(lettered(3), centre_points=2)

    axial = add_axial_points(factorial)

    matrix = with_block_columns(combined_design(factorial, axial))
    variances = np.diag(np.linalg.inv(matrix.T @ matrix))
    stated = axial.details["coefficient_variances"]
    assert [stated[name]["after"] for name in stated] == pytest.approx(
        list(variances[:-1]), rel=1e-4
    )
    # 2^3 without its squares: every effect has 1/8.
    assert stated["A"]["before"] == stated["A:B"]["before"] == 0.125
    assert stated["A^2"]["before"] is None


def test_axial_runs_stand_at_each_level_of_a_categorical_factor():
    space = FactorSpace((*continuous(2).factors, CategoricalFactor("resin", ("P", "Q", "R"))))

    axial = add_axial_points(full_factorial(space), centre_points=1)

    assert axial.n_runs == 3 * (4 + 1)
    assert axial.runs["resin"].value_counts().to_dict() == {"P": 5, "Q": 5, "R": 5}
    assert axial.details["not_estimable"] == []


def test_only_the_factors_that_are_asked_for_get_axial_runs():
    axial = add_axial_points(full_factorial(lettered(3)), factors=["B"], in_new_block=False)

    assert axial.runs.to_numpy().tolist() == [[5, 0, 5], [5, 10, 5], [5, 5, 5]]
    assert axial.details["newly_estimable"] == ["Intercept", "B^2"]


def test_axial_runs_on_a_core_with_aliases_say_what_is_still_missing():
    core = fractional_factorial(lettered(3), generators=["C=AB"])

    axial = add_axial_points(core, factors=["A"])

    assert axial.details["not_estimable"] == ["B", "C", "A:B", "A:C"]
    assert axial.details["note"].startswith("These runs still cannot estimate B, C, A:B, A:C: ")


def test_achieved_settings_can_be_completed_too():
    space = lettered(2)
    noise = np.random.default_rng(3).normal(scale=0.05, size=(4, 2))
    achieved = full_factorial(space).runs + noise

    axial = add_axial_points(achieved, space, kind="rotatable", axial="beyond")

    # Four corner runs: 4^(1/4) of 5 above and below the middle.
    assert sorted(axial.runs["A"].unique()) == pytest.approx([5 - 50**0.5, 0 + 5, 5 + 50**0.5])
    assert axial.details["not_estimable"] == []


def test_runs_beyond_the_ranges_are_refused_unless_they_are_allowed():
    factorial = full_factorial(lettered(2))

    with pytest.raises(DesignError, match=r"expected 0 to 10.*axial='beyond'"):
        add_axial_points(factorial, kind="spherical")

    listed = add_axial_points(factorial, kind="spherical", axial="beyond")
    assert len(listed.details["outside_ranges"]) == 4


@pytest.mark.requirement("DOE-12")
def test_centre_runs_give_pure_error_and_one_degree_of_freedom_for_curvature():
    factorial = full_factorial(lettered(3))

    centre = add_centre_points(factorial, centre_points=4, in_new_block=False)

    assert centre.runs.to_numpy().tolist() == [[5.0] * 3] * 4
    assert centre.details["degrees_of_freedom"] == {
        "pure_error": {"before": 0, "after": 3},
        "curvature": {"before": 0, "after": 1},
    }
    assert "note" not in centre.details


def test_centre_runs_in_a_later_block_alone_cannot_tell_curvature_from_drift():
    factorial = full_factorial(lettered(3))

    later = add_centre_points(factorial, centre_points=4)
    in_both = add_centre_points(full_factorial(lettered(3), centre_points=1), centre_points=4)

    assert later.details["degrees_of_freedom"]["curvature"] == {"before": 0, "after": 0}
    assert "in_new_block=False" in later.details["note"]
    assert in_both.details["degrees_of_freedom"]["curvature"] == {"before": 1, "after": 1}
    # The original centre run stands in another block.
    assert in_both.details["degrees_of_freedom"]["pure_error"] == {"before": 0, "after": 3}


def test_a_second_augmentation_gets_a_block_of_its_own():
    factorial = full_factorial(lettered(2))
    first = combined_design(factorial, add_centre_points(factorial))
    days = FactorSpace((*lettered(2).factors, BlockFactor("day")))
    table = full_factorial(days).runs.assign(day=["1", "1", "2", "2"])

    assert set(add_axial_points(first).blocks["block"]) == {"added 2"}
    assert set(add_axial_points(first, in_new_block=False).blocks["block"]) == {"added"}
    # Nobody knows yet on which day they will be done.
    assert add_axial_points(table, days).blocks == {"added runs": ("added",) * 6}
    assert set(add_axial_points(table, days, block="day").blocks["day"]) == {"3"}


@pytest.mark.requirement("DOE-12")
def test_added_runs_are_in_no_vessel_before_they_are_done():
    space = FactorSpace((*lettered(2).factors, BlockFactor("vessel", random=False)))
    done = full_factorial(space)

    first = add_centre_points(done)

    assert first.blocks == {"added runs": ("added",) * 3}
    assert first.details["blocks_to_fill_in"] == ["vessel"]
    (own,) = [factor for factor in first.space.blocks if factor.name == "added runs"]
    assert not own.random
    # As a campaign keeps them: the vessel of what is done is known, the added runs are to be done.
    both = pd.concat(
        [
            done.runs.assign(vessel=["V1", "V2"] * 2),
            first.runs.assign(**{"added runs": "added"}),
        ],
        ignore_index=True,
    )
    second = add_axial_points(both, first.space)
    assert set(second.blocks["added runs"]) == {"added 2"}
    assert second.details["block"]["original runs"] == ["original", "added"]


@pytest.mark.parametrize(
    ("call", "error", "complaint"),
    [
        (lambda: add_centre_points(full_factorial(lettered(2)).runs), InvalidValueError, "space="),
        (
            lambda: add_centre_points(full_factorial(lettered(2)), centre_points=0),
            DesignError,
            "centre_points must be a whole number of at least 1",
        ),
        (
            lambda: add_axial_points(full_factorial(lettered(2)), kind="inscribed"),
            DesignError,
            "kind is 'inscribed'; expected one of face-centred, rotatable, spherical",
        ),
        (
            lambda: add_axial_points(full_factorial(lettered(2)), factors=["Z"]),
            UnknownNameError,
            r"factors names \['Z'\]",
        ),
        (
            lambda: add_axial_points(
                full_factorial(FactorSpace((DiscreteFactor("a", (1, 2)), *lettered(1).factors))),
                factors=["a"],
            ),
            DesignError,
            r"\['a'\] have no setting between their ends.*\['A'\]",
        ),
        (
            lambda: add_centre_points(
                pd.DataFrame({"a": [0.5], "b": [0.5]}),
                FactorSpace((MixtureComponent("a"), MixtureComponent("b"))),
            ),
            DesignError,
            r"mixture components, here \['a', 'b'\].*replicate_uncertain",
        ),
        (
            lambda: add_centre_points(pd.DataFrame({"A": [np.nan]}), lettered(1)),
            InvalidValueError,
            "Run 1 has no setting of 'A'",
        ),
        (
            lambda: add_centre_points(pd.DataFrame({"A": []}, dtype=float), lettered(1)),
            DesignError,
            "no runs to add to",
        ),
        (
            lambda: add_centre_points(
                pd.DataFrame({"r": ["Z"], "A": [1.0]}),
                FactorSpace((CategoricalFactor("r", ("P", "Q")), *lettered(1).factors)),
            ),
            InvalidValueError,
            "'r' is 'Z' in the runs that are done; expected one of P, Q",
        ),
    ],
)
def test_what_cannot_be_added_to_is_refused_with_what_to_do(call, error, complaint):
    with pytest.raises(error, match=complaint):
        call()


def test_axial_runs_that_a_constraint_cuts_off_are_refused():
    space = FactorSpace(lettered(2).factors, (LinearConstraint({"A": 1, "B": 1}, upper=14),))
    runs = pd.DataFrame({"A": [0.0, 0.0, 10.0], "B": [0.0, 10.0, 0.0]})

    with pytest.raises(DesignError, match=r"breaks A \+ B <= 14.*use estimate_curvature"):
        add_axial_points(runs, space)


@pytest.mark.requirement("DOE-12")
def test_the_fold_over_of_a_saturated_fraction_clears_all_main_effects():
    """Box and Hunter (1961): resolution III and its fold-over make resolution IV."""
    fraction = fractional_factorial(lettered(7), resolution=3, n_runs=8)

    added = add_fold_over(fraction)

    whole = combined_design(fraction, added)
    assert added.n_runs == 8
    assert (added.details["resolution_before"], added.details["resolution"]) == (3, 4)
    assert words_one_by_one(two_level_signs(added_to(fraction, added))) == {4: 7}
    assert whole.n_runs == 16
    assert set(added.details["newly_estimable"]) >= set("ABCDEFG")


def added_to(design, added):
    """Return both as a two-level design without blocks."""
    from doe.runs import Design

    runs = pd.concat([design.runs, added.runs], ignore_index=True)
    return Design(design.space, runs, "both", ("factorial",) * len(runs))


@pytest.mark.requirement("DOE-12")
@given(n_factors=st.integers(5, 8), place=st.integers(0, 7))
@settings(max_examples=12)
def test_freeing_one_factor_folds_it_alone_and_clears_all_its_interactions(n_factors, place):
    """Box and Hunter (1961): exchanging one factor frees it and all its two-factor interactions."""
    space = lettered(n_factors)
    fraction = fractional_factorial(space, resolution=3, n_runs=8 if n_factors < 8 else 16)
    name = space.names[place % n_factors]
    wanted = [name, *(f"{name}:{other}" for other in space.names if other != name)]

    added = add_fold_over(fraction, free=wanted)

    signs = two_level_signs(added_to(fraction, added))
    assert added.details["folded_on"] == [name]
    column = space.names.index(name)
    mine = [signs[:, column] * signs[:, j] for j in range(n_factors) if j != column]
    others = [
        signs[:, i] * signs[:, j]
        for i in range(n_factors)
        for j in range(i)
        if column not in (i, j)
    ]
    mains = [signs[:, i] for i in range(n_factors) if i != column]
    for effect in [signs[:, column], *mine]:
        for other in [*others, *mains]:
            assert effect @ other == 0


def test_freeing_an_interaction_takes_the_fewest_factors_that_do():
    fraction = fractional_factorial(lettered(4), generators=["D=ABC"])

    added = add_fold_over(fraction, free=["A:B"])

    # AB = CD: any single factor breaks it, and the two halves are the full factorial.
    assert len(added.details["folded_on"]) == 1
    assert added.details["freed"] == ["A:B with C:D", "A:C with B:D", "A:D with B:C"]
    assert len(np.unique(two_level_signs(added_to(fraction, added)), axis=0)) == 16


def test_the_other_half_of_a_half_fraction_makes_the_full_factorial():
    fraction = fractional_factorial(lettered(4), generators=["D=ABC"])

    whole = added_to(fraction, add_fold_over(fraction, factors=["D"]))

    assert resolution(whole) is None
    np.testing.assert_allclose(
        sorted_rows(whole.coded()), sorted_rows(full_factorial(lettered(4)).coded())
    )


def test_a_plackett_burman_design_and_its_fold_over_have_clear_main_effects():
    screening = plackett_burman(lettered(10), n_runs=12)

    added = add_fold_over(screening)

    signs = two_level_signs(added_to(screening, added))
    pairs = [signs[:, i] * signs[:, j] for i in range(10) for j in range(i)]
    np.testing.assert_array_equal(signs.T @ np.column_stack(pairs), 0)
    assert added.details["resolution"] == 4


def test_achieved_settings_fold_over_at_their_two_levels():
    space = lettered(3)
    fraction = fractional_factorial(space, generators=["C=AB"])
    achieved = fraction.runs + np.random.default_rng(1).normal(scale=0.05, size=(4, 3))

    added = add_fold_over(achieved, space)

    np.testing.assert_allclose(
        sorted_rows(added.runs), sorted_rows(10.0 - fraction.runs.to_numpy())
    )


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"free": ["A"], "factors": ["A"]}, "Both free and factors are given"),
        ({"free": ["A:B:C"]}, "free names 'A:B:C', which is neither a factor nor"),
        ({"free": ["A", "B:C"]}, None),
        ({"free": ["A:B", "A:C", "B:C", "A"]}, None),
    ],
)
def test_fold_overs_that_make_no_sense_are_refused(options, complaint):
    fraction = fractional_factorial(lettered(3), generators=["C=AB"])

    if complaint is None:
        assert add_fold_over(fraction, **options).n_runs == 4
    else:
        with pytest.raises(DesignError, match=complaint):
            add_fold_over(fraction, **options)


def test_effects_that_no_single_fold_over_frees_are_named():
    fraction = fractional_factorial(lettered(6), n_runs=8, resolution=3)

    with pytest.raises(DesignError, match=r"No fold-over frees .*stay aliased.*separate_effects"):
        add_fold_over(fraction, free=["A:B", "C:D", "A:C", "B:D", "E:F", "A:D"])


def test_a_fold_over_of_a_full_factorial_frees_nothing():
    with pytest.raises(DesignError, match="No main effect or two-factor interaction is aliased"):
        add_fold_over(full_factorial(lettered(3)))


@pytest.mark.parametrize("effect", ["A:B", "AB"])
def test_effects_are_freed_by_the_letters_of_the_alias_table(effect):
    names = ("pH", "feed", "T", "oxygen")
    space = FactorSpace(tuple(ContinuousFactor(name, 0.0, 10.0) for name in names))
    lettered_names = effect if ":" not in effect else "pH:feed"

    added = add_fold_over(fractional_factorial(space, n_runs=8), free=[lettered_names])

    assert "pH:feed with T:oxygen" in added.details["freed"]
    with pytest.raises(DesignError, match=r"^'AZ': 'Z' is not a factor"):
        add_fold_over(fractional_factorial(space, n_runs=8), free=["AZ"])


def test_a_mixture_cannot_be_folded_over():
    space = FactorSpace(
        (MixtureComponent("water", 0.3, 0.8), MixtureComponent("salt"), MixtureComponent("sugar"))
    )
    runs = space.sample(5, rng=np.random.default_rng(1))

    with pytest.raises(DesignError, match=r"A mixture cannot be folded over.*augment_optimal"):
        add_fold_over(runs, space)


def test_centre_runs_at_every_level_say_how_many_they_are():
    space = FactorSpace((*lettered(2).factors, CategoricalFactor("resin", ("P", "Q", "R"))))

    added = add_centre_points(full_factorial(space), centre_points=2)

    assert added.n_runs == 6
    assert added.details["centre_runs"].startswith("6: 2 at each of the 3 combinations of the lev")


def test_a_surface_design_cannot_be_folded_over():
    surface = central_composite(lettered(2))
    table = surface.runs

    with pytest.raises(DesignError, match="exchanges high and low of two-level runs"):
        add_fold_over(surface)
    with pytest.raises(DesignError, match="a fold-over needs two-level runs"):
        add_fold_over(table, lettered(2))

"""Published figures of merit, through ``evaluate``: power, efficiencies, variances, aliases."""

import itertools

import numpy as np
import pandas as pd
import pytest

from doe.designs import box_behnken, central_composite, full_factorial
from doe.evaluation import evaluate
from doe.factors import ContinuousFactor
from doe.space import FactorSpace
from doe.terms import interaction_terms, linear_terms, quadratic_terms


def coded_space(n_factors: int) -> FactorSpace:
    return FactorSpace(
        tuple(ContinuousFactor(name, -1.0, 1.0) for name in "ABCDEFGHIJKL"[:n_factors])
    )


def two_level_runs(n_factors: int, n_base: int, generators: tuple[str, ...] = ()) -> pd.DataFrame:
    base = list(itertools.product((-1.0, 1.0), repeat=n_base))
    runs = pd.DataFrame([row[::-1] for row in base], columns=list("ABCDEFGHIJKL"[:n_base]))
    for name, word in zip("ABCDEFGHIJKL"[n_base:n_factors], generators, strict=True):
        runs[name] = runs[list(word)].prod(axis=1)
    return runs


# reference_cases.md, case 8: coefficient in run-to-run SDs, so that the effect is twice that.
POWERS = [
    ("2^3 twice, full model", 3, 3, (), 2, "A*B*C", 2.0, 0.93674),
    ("16 runs, 6 columns", 5, 4, ("ABCD",), 1, "A + B + C + D + E", 2.0, 0.94884),
    ("8 runs, 4 columns", 3, 3, (), 1, "A + B + C", 2.0, 0.57161),
]


@pytest.mark.requirement("DOE-10")
@pytest.mark.parametrize(
    ("n_factors", "n_base", "generators", "replicates", "formula", "effect", "published"),
    [case[1:] for case in POWERS],
    ids=[case[0] for case in POWERS],
)
def test_power_of_orthogonal_two_level_designs(
    n_factors, n_base, generators, replicates, formula, effect, published
):
    runs = pd.concat([two_level_runs(n_factors, n_base, generators)] * replicates)

    evaluation = evaluate(runs, formula, space=coded_space(n_factors), effect=effect, sd=1.0)

    powers = [term.power for term in evaluation.tested_terms if term.name != "Intercept"]
    assert powers == pytest.approx([published] * len(powers), abs=5e-6)


@pytest.mark.requirement("DOE-10")
def test_power_of_three_columns_of_the_twelve_run_plackett_burman_design():
    """Case 8: n = 12, p = 4, coefficient 0.5 sigma, hence an effect of one SD: 0.33261."""
    evaluation = evaluate(
        plackett_burman_12()[["A", "B", "C"]],
        "A + B + C",
        space=coded_space(3),
        effect=5.0,
        sd=5.0,
    )

    assert evaluation.terms_table()["power"].iloc[1:].tolist() == pytest.approx(
        [0.33261] * 3, abs=5e-6
    )


def plackett_burman_12() -> pd.DataFrame:
    """Plackett and Burman (1946), Biometrika 33: row ++-+++---+-, turned, and a row of minus."""
    row = [1.0 if sign == "+" else -1.0 for sign in "++-+++---+-"]
    rows = [row[-shift:] + row[:-shift] for shift in range(11)]
    return pd.DataFrame([*rows, [-1.0] * 11], columns=list("ABCDEFGHIJK"))


@pytest.mark.requirement("DOE-2")
@pytest.mark.requirement("DOE-10")
def test_plackett_burman_main_effects_carry_a_third_of_each_interaction_they_are_not_in():
    """Case 8: every alias coefficient is +-1/3, or 0 where a factor is shared."""
    space = coded_space(11)
    evaluation = evaluate(plackett_burman_12(), linear_terms(space), space=space)
    interactions = ":".join
    pairs = list(itertools.combinations(space.names, 2))

    shares = evaluation.alias_matrix(" + ".join(map(interactions, pairs)) + " - 1")

    assert shares.shape == (12, 55)
    for (one, other), column in zip(pairs, shares.columns, strict=True):
        for factor in space.names:
            expected = 0.0 if factor in (one, other) else 1.0 / 3.0
            assert abs(shares.loc[factor, column]) == pytest.approx(expected, abs=1e-12)
    assert shares.loc["Intercept"].abs().max() == pytest.approx(0.0, abs=1e-12)


@pytest.mark.requirement("DOE-10")
def test_a_quarter_fraction_lays_each_interaction_wholly_on_one_column():
    """2^(5-2) with D = AB, E = AC: I = ABD = ACE = BCDE (Montgomery, section 8.3)."""
    runs = two_level_runs(5, 3, ("AB", "AC"))
    space = coded_space(5)

    shares = evaluate(runs, linear_terms(space), space=space).alias_matrix("A:B + A:C + B:C - 1")

    assert shares["A:B"].tolist() == pytest.approx([0, 0, 0, 0, 1, 0])
    assert shares.loc["E", "A:C"] == pytest.approx(1)
    assert shares["B:C"].abs().max() == 0


@pytest.mark.requirement("DOE-5")
@pytest.mark.requirement("DOE-10")
@pytest.mark.parametrize(
    ("build", "n_factors", "d", "average"),
    [
        (lambda s: central_composite(s, kind="rotatable", axial="beyond"), 2, 56.902, None),
        (lambda s: central_composite(s, kind="rotatable", axial="beyond"), 3, 61.579, 0.21387),
        (
            lambda s: central_composite(s, kind="face-centred", centre_points=6),
            3,
            36.673,
            0.29621,
        ),
        (lambda s: box_behnken(s, centre_points=3), 3, 36.643, 0.38472),
    ],
    ids=["CCD 13", "CCD 20", "face-centred 20", "BBD 15"],
)
def test_efficiency_and_average_variance_of_response_surface_designs(build, n_factors, d, average):
    """Case 8: D in percent, and the average of x'(X'X)^-1 x over [-1, 1]^3."""
    space = coded_space(n_factors)

    evaluation = evaluate(build(space), quadratic_terms(space))

    assert evaluation.efficiencies.d == pytest.approx(d, abs=5e-4)
    if average is not None:
        assert evaluation.efficiencies.average_variance == pytest.approx(average, abs=5e-6)
        # The settings of the fraction of design space have nearly the same average.
        assert evaluation.region.variances.mean() == pytest.approx(average, rel=0.01)


@pytest.mark.requirement("DOE-5")
def test_scaled_prediction_variance_of_the_face_centred_design():
    """Case 8: at the centre, a corner, and the middle of a face."""
    space = coded_space(3)
    evaluation = evaluate(
        central_composite(space, kind="face-centred", centre_points=6), quadratic_terms(space)
    )
    at = pd.DataFrame([[0, 0, 0], [1, 1, 1], [1, 0, 0]], columns=list("ABC"), dtype=float)

    scaled = evaluation.n_runs * evaluation.prediction_variance(at)

    assert scaled == pytest.approx([2.3636, 15.8636, 9.8182], abs=5e-5)
    # Nothing in the cube is predicted worse than its corners.
    assert evaluation.efficiencies.g == pytest.approx(100 * 10 / 15.8636, rel=1e-5)


@pytest.mark.requirement("DOE-10")
def test_inflation_and_leverage_of_montgomerys_central_composite_design():
    """Case 1 (Ex. 11-1): VIF 1, 1, 1.0173, 1.0173, 1; leverage .625 (8 points), .2 (centres)."""
    space = coded_space(2)
    a = np.sqrt(2.0)
    points = [(-1, -1), (-1, 1), (1, -1), (1, 1), *[(0, 0)] * 5, (a, 0), (-a, 0), (0, a), (0, -a)]
    runs = pd.DataFrame(points, columns=["A", "B"], dtype=float)

    evaluation = evaluate(runs, "A + B + I(A**2) + I(B**2) + A:B", space=space)

    factors = {term.name: term.vif for term in evaluation.tested_terms}
    assert [factors[name] for name in ("A", "B", "A^2", "B^2", "A:B")] == pytest.approx(
        [1, 1, 1.0173, 1.0173, 1], abs=5e-5
    )
    # The standard errors of the example are these times its residual SD, 0.26600.
    errors = {c.column: c.standard_error * 0.2659999606808521 for c in evaluation.coefficients}
    assert [errors[name] for name in ("Intercept", "A", "B", "A^2", "B^2", "A:B")] == pytest.approx(
        [0.118958, 0.094045, 0.094045, 0.100852, 0.100852, 0.133000], abs=1e-6
    )
    assert evaluation.leverage == pytest.approx([0.625] * 4 + [0.2] * 5 + [0.625] * 4)
    spent = evaluation.degrees_of_freedom
    assert (spent.model, spent.residual, spent.lack_of_fit, spent.pure_error) == (5, 7, 3, 4)
    assert evaluation.n_centre_points == 5


@pytest.mark.requirement("DOE-10")
def test_a_full_factorial_with_replicates_has_only_pure_error():
    space = coded_space(3)

    evaluation = evaluate(full_factorial(space, replicates=2), interaction_terms(space))

    spent = evaluation.degrees_of_freedom
    assert (spent.model, spent.residual, spent.pure_error, spent.lack_of_fit) == (6, 9, 8, 1)
    assert evaluation.condition_number == pytest.approx(1.0)
    assert evaluation.largest_vif == pytest.approx(1.0)

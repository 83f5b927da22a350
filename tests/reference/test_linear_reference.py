"""Linear models against published tables, certified values and statsmodels."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from statsmodels.datasets import longley

from doe.factors import CategoricalFactor, ContinuousFactor, MixtureComponent
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.linear.model import LinearModel, fit_linear
from surrogates.linear.reports.anova import anova
from surrogates.linear.reports.coefficients import coefficient_table
from surrogates.linear.reports.fit_summary import fit_summary
from surrogates.linear.reports.statistics import fit_statistics
from tests.surrogates.examples import montgomery_points

# Montgomery, Design and Analysis of Experiments, 8th ed., Table 11.6: the runs of example 11-1.
VISCOSITY = (62, 60, 66, 59, 72, 69, 68, 70, 71, 68, 71, 58, 57)
MOLECULAR_WEIGHT = (2940, 3470, 3680, 3890, 3480, 3200, 3410, 3290, 3500, 3360, 3020, 3630, 3150)
# Montgomery, example 6-2, standard order, the first factor varying fastest.
FILTRATION = (45, 71, 48, 65, 68, 60, 80, 65, 43, 100, 45, 104, 75, 86, 70, 96)
# NIST/SEMATECH e-Handbook 5.4.7.3 (Czitrom and Spagon 1997): pressure, H2/WF6 coded as printed.
LPCVD = {
    "pressure": (1, 0, 0.71, -0.71, -1, 0, -0.71, 0, 0.71, 0, 0),
    "ratio": (0, 0, -0.71, 0.71, 0, 0, -0.71, -1, 0.71, 1, 0),
    "uniformity": (4.6, 6.2, 3.4, 6.9, 7.3, 6.4, 8.6, 6.3, 5.1, 5.4, 5.0),
    "stress": (8.04, 7.78, 7.58, 7.27, 6.49, 7.69, 6.66, 7.16, 8.33, 8.19, 7.9),
}
# Lawson, Design and Analysis of Experiments with R: the pesticide mixture, 13 runs.
PESTICIDE = (
    (1.0, 0.0, 0.0, 48.7),
    (0.8, 0.1, 0.1, 49.5),
    (0.6, 0.2, 0.2, 50.2),
    (0.5, 0.0, 0.5, 52.8),
    (0.5, 0.5, 0.0, 49.3),
    (1 / 3, 1 / 3, 1 / 3, 51.1),
    (0.3, 0.2, 0.5, 52.7),
    (0.3, 0.5, 0.2, 50.3),
    (0.1, 0.1, 0.8, 60.7),
    (0.1, 0.8, 0.1, 49.9),
    (0.0, 0.0, 1.0, 64.9),
    (0.0, 0.5, 0.5, 53.5),
    (0.0, 1.0, 0.0, 50.6),
)
# Box and Cox (1964), J. R. Stat. Soc. B 26, 211-252, Table 1: survival times, poison by treatment.
POISONS = {
    ("I", "A"): (0.31, 0.45, 0.46, 0.43),
    ("I", "B"): (0.82, 1.10, 0.88, 0.72),
    ("I", "C"): (0.43, 0.45, 0.63, 0.76),
    ("I", "D"): (0.45, 0.71, 0.66, 0.62),
    ("II", "A"): (0.36, 0.29, 0.40, 0.23),
    ("II", "B"): (0.92, 0.61, 0.49, 1.24),
    ("II", "C"): (0.44, 0.35, 0.31, 0.40),
    ("II", "D"): (0.56, 1.02, 0.71, 0.38),
    ("III", "A"): (0.22, 0.21, 0.18, 0.23),
    ("III", "B"): (0.30, 0.37, 0.38, 0.29),
    ("III", "C"): (0.23, 0.25, 0.24, 0.22),
    ("III", "D"): (0.30, 0.36, 0.31, 0.33),
}
LONGLEY = (
    (-3482258.63459582, 890420.383607373),
    (15.0618722713733, 84.9149257747669),
    (-0.0358191792925910, 0.0334910077722432),
    (-2.02022980381683, 0.488399681651699),
    (-1.03322686717359, 0.214274163161675),
    (-0.0511041056535807, 0.226073200069370),
    (1829.15146461355, 455.478499142212),
)


def study(table: pd.DataFrame, space: FactorSpace, *responses: str) -> Observations:
    return Observations.from_frame(table, space, tuple(Response(name) for name in responses))


def montgomery() -> Observations:
    """The central composite design in minutes and degrees Fahrenheit, three responses."""
    points, yields = montgomery_points()
    space = FactorSpace(
        (
            ContinuousFactor("time", 80.0, 90.0, "min"),
            ContinuousFactor("temperature", 170.0, 180.0, "degF"),
        )
    )
    table = pd.DataFrame({"time": 85 + 5 * points[:, 0], "temperature": 175 + 5 * points[:, 1]})
    table = table.assign(**{"yield": yields, "viscosity": VISCOSITY, "weight": MOLECULAR_WEIGHT})
    return study(table, space, "yield", "viscosity", "weight")


@pytest.fixture(scope="module")
def surface() -> LinearModel:
    return fit_linear(montgomery(), "yield")


@pytest.mark.requirement("ANA-1")
def test_montgomerys_surface_has_the_published_statistics(surface):
    """Recomputed from the printed data in the reference cases, case 1."""
    found = fit_statistics(surface)

    assert found.residual_std == pytest.approx(0.2659999606808521, rel=1e-12)
    assert found.r2 == pytest.approx(0.98276831, abs=5e-9)
    assert found.adjusted_r2 == pytest.approx(0.97045996, abs=5e-9)
    assert found.press == pytest.approx(2.34576985, abs=5e-9)
    assert found.q2 == pytest.approx(0.91838835, abs=5e-9)
    assert found.adequate_precision == pytest.approx(23.017956, abs=5e-7)
    assert found.cv == pytest.approx(0.33895, abs=5e-6)
    assert found.lack_of_fit_f == pytest.approx(1.78171, abs=5e-6)
    assert found.lack_of_fit_p == pytest.approx(0.28970, abs=5e-6)
    np.testing.assert_allclose(surface.leverage, [0.625] * 4 + [0.2] * 5 + [0.625] * 4)


@pytest.mark.requirement("ANA-2")
def test_montgomerys_analysis_of_variance_is_the_published_table(surface):
    """Montgomery, 8th ed., Table 11.7: sums of squares, degrees of freedom, F, rounded."""
    published = {
        "Model": (28.25, 5, 79.85),
        "time": (7.92, 1, 111.93),
        "temperature": (2.12, 1, 30.01),
        "time^2": (13.18, 1, 186.22),
        "temperature^2": (6.97, 1, 98.56),
        "time:temperature": (0.25, 1, 3.53),
        "Residual": (0.50, 7, None),
        "Lack of fit": (0.28, 3, 1.78),
        "Pure error": (0.21, 4, None),
        "Total": (28.74, 12, None),
    }
    table = anova(surface)

    for source, (squares, degrees, ratio) in published.items():
        row = table.row(source)
        assert row.sum_of_squares == pytest.approx(squares, abs=0.0051), source
        assert row.degrees == degrees
        assert row.f == (None if ratio is None else pytest.approx(ratio, abs=0.0051)), source
    assert table.row("Model").f == pytest.approx(79.84565, abs=5e-6)
    assert table.row("time:temperature").p == pytest.approx(0.1022, abs=5e-5)
    assert table.row("Lack of fit").p == pytest.approx(0.28970, abs=5e-6)


@pytest.mark.requirement("ANA-4")
def test_montgomerys_coefficients_errors_and_vif_are_those_published(surface):
    table = coefficient_table(surface).table()

    order = ["Intercept", "time", "temperature", "time^2", "temperature^2", "time:temperature"]
    estimates = [79.94, 0.994975, 0.515165, -1.37625, -1.00125, 0.25]
    errors = [0.118958, 0.094045, 0.094045, 0.100852, 0.100852, 0.133000]
    np.testing.assert_allclose(table.loc[order, "estimate"], estimates, atol=5e-7)
    np.testing.assert_allclose(table.loc[order, "standard error"], errors, atol=1e-6)
    np.testing.assert_allclose(table.loc[order[1:], "VIF"], [1, 1, 1.0173, 1.0173, 1], atol=5e-5)
    # Case 1: the 95 % confidence interval at the centre has half-width .281293.
    assert table.loc["Intercept", "upper"] - 79.94 == pytest.approx(0.281293, abs=5e-7)


@pytest.mark.requirement("ANA-6")
def test_montgomerys_runs_support_the_quadratic_model():
    """Montgomery, 8th ed., Table 11.7: quadratic suggested, cubic aliased, sequential F 126.88."""
    found = fit_summary(fit_linear(montgomery(), "yield", "linear"))

    assert found.suggested == "quadratic"
    assert found.order("quadratic").f == pytest.approx(126.88, abs=5e-3)
    assert found.order("linear").f == pytest.approx(2.69, abs=5e-3)
    assert found.order("two-factor interactions").p == pytest.approx(0.7350, abs=5e-5)
    assert found.order("linear").adjusted_r2 == pytest.approx(0.2193, abs=5e-5)
    assert found.order("linear").q2 == pytest.approx(-0.0435, abs=5e-5)
    assert found.order("cubic").aliased
    assert found.order("cubic").adjusted_r2 == pytest.approx(0.9588, abs=5e-5)


@pytest.mark.requirement("ANA-1")
def test_the_filtration_rates_have_the_published_reduced_model():
    """Montgomery, example 6-2: A, C, D, AC, AD kept."""
    rows = [(a, b, c, d) for d in (-1, 1) for c in (-1, 1) for b in (-1, 1) for a in (-1, 1)]
    space = FactorSpace(tuple(ContinuousFactor(name, -1.0, 1.0) for name in "ABCD"))
    runs = study(pd.DataFrame(rows, columns=list("ABCD")).assign(rate=FILTRATION), space, "rate")
    model = fit_linear(runs, "rate", "A + C + D + A:C + A:D")
    found = fit_statistics(model)

    np.testing.assert_allclose(
        model.coefficients, [70.0625, 10.8125, 4.9375, 7.3125, -9.0625, 8.3125], rtol=1e-12
    )
    assert found.r2 == pytest.approx(0.965952, abs=5e-7)
    assert found.adjusted_r2 == pytest.approx(0.948929, abs=5e-7)
    assert found.press == pytest.approx(499.52, abs=5e-3)
    assert found.q2 == pytest.approx(0.912838, abs=5e-7)
    assert anova(model).row("Model").f == pytest.approx(56.7412, abs=5e-5)
    assert found.adequate_precision == pytest.approx(20.8408, abs=5e-5)


@pytest.mark.requirement("ANA-15")
def test_longleys_ill_conditioned_problem_keeps_nine_digits_in_natural_units():
    """NIST StRD linear least squares, certified values."""
    data = longley.load_pandas()
    factors = tuple(
        ContinuousFactor(str(name), float(column.min()), float(column.max()))
        for name, column in data.exog.items()
    )
    runs = study(data.exog.assign(employed=data.endog), FactorSpace(factors), "employed")
    model = fit_linear(runs, "employed", "linear")
    table = coefficient_table(model, units="natural").table()

    certified = np.array(LONGLEY)
    np.testing.assert_allclose(table["estimate"], certified[:, 0], rtol=1e-9)
    np.testing.assert_allclose(table["standard error"], certified[:, 1], rtol=1e-9)
    assert model.residual_std == pytest.approx(304.854073561965, rel=1e-9)
    assert fit_statistics(model).r2 == pytest.approx(0.995479004577296, rel=1e-9)
    assert anova(model).row("Model").f == pytest.approx(330.285339234588, rel=1e-9)


@pytest.mark.requirement("ANA-2")
@pytest.mark.parametrize(
    ("transform", "ratios"),
    [("none", (23.2217, 13.8056, 1.8743)), ("inverse", (72.6347, 28.3431, 1.0904))],
)
def test_the_poisons_have_the_published_f_ratios_on_both_scales(transform, ratios):
    """Box and Cox (1964): joint tests of factors with several levels."""
    rows = [(p, t, time) for (p, t), times in POISONS.items() for time in times]
    space = FactorSpace(
        (CategoricalFactor("poison", ("I", "II", "III")), CategoricalFactor("drug", tuple("ABCD")))
    )
    runs = study(pd.DataFrame(rows, columns=["poison", "drug", "time"]), space, "time")
    table = anova(fit_linear(runs, "time", "interaction", transform=transform))

    found = [table.row(name).f for name in ("poison", "drug", "poison:drug")]
    np.testing.assert_allclose(found, ratios, atol=5e-5)
    assert [table.row(name).degrees for name in ("poison", "drug", "poison:drug")] == [2, 3, 6]


@pytest.mark.requirement("ANA-1")
@pytest.mark.parametrize(
    ("response", "r2", "adjusted", "coefficients"),
    [
        ("uniformity", 0.87157, 0.74315, (5.8661, -1.9097, -0.2241, 1.6862, 0.1337, 0.0337)),
        ("stress", 0.99175, None, (7.7900, 0.7359, 0.4969, 0.0694, -0.5287, -0.1187)),
    ],
)
def test_the_vapour_deposition_surfaces_are_those_of_the_package_rsm(
    response, r2, adjusted, coefficients
):
    """NIST/SEMATECH e-Handbook 5.4.7.3, fitted by R's rsm with the corners as printed."""
    space = FactorSpace(
        (ContinuousFactor("pressure", -1.0, 1.0), ContinuousFactor("ratio", -1.0, 1.0))
    )
    runs = study(pd.DataFrame(LPCVD), space, "uniformity", "stress")
    model = fit_linear(runs, response)
    found = fit_statistics(model)

    np.testing.assert_allclose(model.coefficients, coefficients, atol=5.1e-5)
    assert found.r2 == pytest.approx(r2, abs=5e-6)
    if adjusted is not None:
        assert found.adjusted_r2 == pytest.approx(adjusted, abs=5e-6)


@pytest.mark.requirement("ANA-1")
@pytest.mark.parametrize("response", ["viscosity", "weight"])
def test_viscosity_and_molecular_weight_agree_with_statsmodels(response):
    model = fit_linear(montgomery(), response)
    reference = sm.OLS(model.values, model.matrix.to_numpy()).fit()
    influence = reference.get_influence()
    found = fit_statistics(model)

    np.testing.assert_allclose(model.coefficients, reference.params, rtol=1e-9)
    np.testing.assert_allclose(model.standard_errors, reference.bse, rtol=1e-9)
    assert found.r2 == pytest.approx(reference.rsquared, rel=1e-10)
    assert found.adjusted_r2 == pytest.approx(reference.rsquared_adj, rel=1e-10)
    assert found.press == pytest.approx(np.square(influence.resid_press).sum(), rel=1e-9)
    assert found.log_likelihood == pytest.approx(reference.llf, rel=1e-10)
    # statsmodels does not count the variance among the parameters.
    assert found.bic == pytest.approx(reference.bic + np.log(13), rel=1e-10)


@pytest.mark.requirement("ANA-1")
def test_the_pesticide_blend_has_the_r2_of_the_same_surface_with_an_intercept():
    """Scheffe's quadratic spans what intercept, two components and the products span."""
    table = pd.DataFrame(PESTICIDE, columns=["x1", "x2", "x3", "y"])
    space = FactorSpace(tuple(MixtureComponent(name) for name in ("x1", "x2", "x3")))
    model = fit_linear(study(table, space, "y"), "y")
    x1, x2, x3 = (table[name].to_numpy() for name in ("x1", "x2", "x3"))
    columns = np.column_stack([np.ones(13), x1, x2, x1 * x2, x1 * x3, x2 * x3])
    reference = sm.OLS(table["y"].to_numpy(), columns).fit()
    found = fit_statistics(model)

    assert found.r2 == pytest.approx(reference.rsquared, rel=1e-9)
    assert found.adjusted_r2 == pytest.approx(reference.rsquared_adj, rel=1e-9)
    assert anova(model).row("Model").f == pytest.approx(reference.fvalue, rel=1e-9)
    # Without the intercept the pure components are expected responses, here those of a blend.
    own = sm.OLS(table["y"].to_numpy(), np.column_stack([x1, x2, x3, columns[:, 3:]])).fit()
    np.testing.assert_allclose(model.coefficients, own.params, rtol=1e-9)
    np.testing.assert_allclose(model.standard_errors, own.bse, rtol=1e-9)
    linear = own.f_test(np.array([[1, 0, -1, 0, 0, 0], [0, 1, -1, 0, 0, 0]]))
    assert anova(model).row("linear blending").f == pytest.approx(float(linear.fvalue), rel=1e-9)


@pytest.mark.requirement("ANA-15")
@pytest.mark.parametrize("coefficients", [(1.0,) * 6, (1.0, 0.1, 0.01, 0.001, 1e-4, 1e-5)])
def test_wamplers_polynomials_keep_nine_digits_in_natural_units(coefficients):
    """NIST StRD Wampler1 and Wampler2 (Wampler 1970): an exact quintic on 0, 1, ... 20."""
    x = np.arange(21.0)
    values = sum(share * x**power for power, share in enumerate(coefficients))
    space = FactorSpace((ContinuousFactor("x", 0.0, 20.0),))
    runs = study(pd.DataFrame({"x": x, "y": values}), space, "y")
    model = fit_linear(runs, "y", "x + I(x**2) + I(x**3) + I(x**4) + I(x**5)")

    table = coefficient_table(model, units="natural").table()

    np.testing.assert_allclose(table["estimate"], coefficients, rtol=1e-9)
    assert fit_statistics(model).r2 == pytest.approx(1.0, abs=1e-15)

"""Published variance components and tests of mixed models, to the printed digits."""

import numpy as np
import pandas as pd
import pytest

from doe.factors import BlockFactor, CategoricalFactor, ContinuousFactor
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.linear.mixed_models.mixed import MixedModel, fit_mixed
from surrogates.linear.mixed_models.restricted_likelihood import VarianceProblem, fit_variances
from surrogates.linear.mixed_models.variance_intervals import profile_intervals

# Davies and Goldsmith (1972), Statistical Methods in Research and Production, 4th ed., section 6.4:
# yield of dyestuff in grams from six batches of an intermediate, five preparations each.
DYESTUFF = (
    (1545, 1440, 1440, 1520, 1580),
    (1540, 1555, 1490, 1560, 1495),
    (1595, 1550, 1605, 1510, 1560),
    (1445, 1440, 1595, 1465, 1545),
    (1595, 1630, 1515, 1635, 1625),
    (1520, 1455, 1450, 1480, 1445),
)
# Box and Tiao (1973), Bayesian Inference in Statistical Analysis, section 5.1.2: made-up data of
# the same layout in which the batches differ less than the preparations.
DYESTUFF_2 = (
    (7.298, 3.846, 2.434, 9.566, 7.990),
    (5.220, 6.556, 0.608, 11.788, -0.892),
    (0.110, 10.386, 13.434, 5.510, 8.166),
    (2.212, 4.852, 7.092, 9.288, 4.980),
    (0.282, 9.014, 4.458, 9.446, 7.198),
    (1.722, 4.782, 8.106, 0.758, 3.758),
)
# Yates (1935), J. Royal Statistical Society Supplement 2, 181-247: yield of oats, six blocks,
# plots of three varieties (Victory, Golden Rain, Marvellous), sub-plots of four nitrogen levels.
OATS = (
    ((111, 130, 157, 174), (117, 114, 161, 141), (105, 140, 118, 156)),
    ((61, 91, 97, 100), (70, 108, 126, 149), (96, 124, 121, 144)),
    ((68, 64, 112, 86), (60, 102, 89, 96), (89, 129, 132, 124)),
    ((74, 89, 81, 122), (64, 103, 132, 133), (70, 89, 104, 117)),
    ((62, 90, 100, 116), (80, 82, 94, 126), (63, 70, 109, 99)),
    ((53, 74, 118, 113), (89, 82, 86, 104), (97, 99, 119, 121)),
)
VARIETIES = ("Victory", "Golden Rain", "Marvellous")
NITROGEN = ("0.0", "0.2", "0.4", "0.6")
# Lawson (2014), Design and Analysis of Experiments with R, data ``cakeb``: oven run, x1, x2, y.
CAKES = (
    (1, -1, -1, 2.7),
    (1, -1, 1, 2.5),
    (1, -1, 0, 2.7),
    (2, 1, -1, 2.9),
    (2, 1, 1, 1.3),
    (2, 1, 0, 2.2),
    (3, 0, -1, 3.7),
    (3, 0, 1, 2.9),
    (4, 0, 0, 2.9),
    (4, 0, 0, 2.8),
    (4, 0, 0, 2.9),
)


def batches(values, method) -> VarianceProblem:
    n_batches, n_runs = len(values), len(values[0])
    batch = np.kron(np.eye(n_batches), np.ones((n_runs, 1)))
    total = n_batches * n_runs
    flat = np.array(values, dtype=np.float64).ravel()
    return VarianceProblem(np.ones((total, 1)), flat, (batch, np.eye(total)), method)


def oats() -> MixedModel:
    space = FactorSpace(
        (
            CategoricalFactor("variety", VARIETIES, change="hard"),
            CategoricalFactor("nitrogen", NITROGEN),
            BlockFactor("block"),
            BlockFactor("plot", nested_in="block"),
        )
    )
    rows = [
        (str(b), str(v), VARIETIES[v], NITROGEN[n], float(value))
        for b, plots in enumerate(OATS)
        for v, plot in enumerate(plots)
        for n, value in enumerate(plot)
    ]
    table = pd.DataFrame(rows, columns=["block", "plot", "variety", "nitrogen", "yield"])
    study = Observations.from_frame(table, space, (Response("yield"),))
    return fit_mixed(study, "yield", "variety*nitrogen")


@pytest.mark.requirement("ANA-12")
@pytest.mark.parametrize(
    ("values", "method", "batch", "residual", "deviance"),
    [
        (DYESTUFF, "REML", 1764.05, 2451.25, 319.6543),
        (DYESTUFF, "ML", 1388.333, 2451.25, 327.3271),
        (DYESTUFF_2, "REML", 0.0, 13.80631, 161.8283),
        (DYESTUFF_2, "ML", 0.0, 13.34610, 162.8730),
    ],
)
def test_batches_of_dyestuff_have_the_published_components(
    values, method, batch, residual, deviance
):
    """Bates (2010), lme4: Mixed-effects modeling with R, section 1.3, fits of lme4.

    The ML component of Dyestuff is printed as 1388.3; by expected mean squares it is
    (5/6 * 11271.5 - 2451.25)/5 = 1388.333.
    """
    fit = fit_variances(batches(values, method))

    np.testing.assert_allclose(fit.variances, [batch, residual], rtol=5e-7, atol=1e-12)
    assert fit.deviance == pytest.approx(deviance, abs=5e-5)
    assert list(fit.at_zero) == [batch == 0, False]


@pytest.mark.requirement("ANA-12")
def test_profile_intervals_of_dyestuff_are_the_published_ones():
    """Bates (2010), section 1.5: confint of the ML fit, SD of batches and of preparations.

    There 12.20 (interpolated by splines) to 84.06, and 38.23 to 67.66.
    """
    lower, upper = profile_intervals(fit_variances(batches(DYESTUFF, "ML")), 0.95)

    np.testing.assert_allclose(np.sqrt(lower), [12.20, 38.23], atol=5e-3)
    np.testing.assert_allclose(np.sqrt(upper), [84.06, 67.66], atol=5e-3)


@pytest.mark.requirement("ANA-12", "DOE-7")
def test_oats_in_split_plots_have_the_published_components_and_tests():
    """Pinheiro and Bates (2000), Mixed-Effects Models in S and S-PLUS, section 1.6: SDs 14.645
    (blocks), 10.299 (plots) and 13.307. Venables and Ripley (2002), Modern Applied Statistics with
    S, section 10.2: F 1.49 on 2 and 10, 37.69 on 3 and 45, 0.30 on 6 and 45 degrees of freedom.
    """
    model = oats()
    components = model.variance_components()
    tests = model.anova().table()

    assert components.names == ("block", "plot", "residual")
    assert components.n_levels == (6, 18, 72)
    np.testing.assert_allclose(
        np.sqrt(components.variances), [14.64504, 10.29863, 13.30727], atol=1e-5
    )
    assert list(tests["term"]) == ["variety", "nitrogen", "variety:nitrogen"]
    np.testing.assert_allclose(tests["F"], [1.48534, 37.68565, 0.302824], rtol=5e-6)
    np.testing.assert_allclose(tests["numerator df"], [2, 3, 6])
    np.testing.assert_allclose(tests["denominator df"], [10, 45, 45], rtol=1e-9)
    np.testing.assert_allclose(tests["p"], [0.2724, 2.458e-12, 0.9322], rtol=5e-4)


@pytest.mark.requirement("ANA-12", "DOE-7")
def test_cakes_from_four_oven_runs_agree_with_statsmodels():
    """An unbalanced response surface in whole plots, where strata have no closed form."""
    import statsmodels.formula.api as smf

    table = pd.DataFrame(CAKES, columns=["oven", "x1", "x2", "y"])
    space = FactorSpace(
        (
            ContinuousFactor("x1", -1, 1, change="hard"),
            ContinuousFactor("x2", -1, 1),
            BlockFactor("oven"),
        )
    )
    study = Observations.from_frame(table, space, (Response("y"),))
    model = fit_mixed(study, "y", "quadratic")
    formula = "y ~ x1 + x2 + x1:x2 + I(x1**2) + I(x2**2)"
    expected = smf.mixedlm(formula, table, groups=table["oven"]).fit(reml=True, gtol=1e-10)

    oven, residual = model.fit.variances
    assert oven == pytest.approx(float(expected.cov_re.iloc[0, 0]), rel=1e-3)
    assert residual == pytest.approx(expected.scale, rel=1e-3)
    np.testing.assert_allclose(model.coefficients, expected.fe_params, rtol=1e-5)
    assert -model.fit.deviance / 2 == pytest.approx(expected.llf, abs=1e-4)
    # Sub-plot effects are known from the runs within oven runs: 11 - 4 - 3 = 4 degrees.
    degrees = model.coefficient_table().set_index("coefficient")["df"]
    np.testing.assert_allclose(degrees[["x2", "x1:x2"]], 4.0, rtol=1e-9)
    assert degrees["x1"] < 1.01

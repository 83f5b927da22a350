import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.outliers_influence import variance_inflation_factor

from campaigns.exports.figures import image
from dashboards.figures.plotly_figure import to_plotly
from doe.errors import InvalidValueError
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor, MixtureComponent
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.linear.model import fit_linear
from surrogates.linear.reports.coefficients import coefficient_table
from surrogates.linear.reports.expansion import expand, natural_units
from tests.surrogates.examples import culture_study, mixed_study

SPACE = FactorSpace(
    (
        ContinuousFactor("pH", 6.6, 7.4),
        ContinuousFactor("feed rate", 0.1, 10.0, "mL/h", scale="log"),
        DiscreteFactor("day", (3.0, 4.0, 7.0), "d"),
        CategoricalFactor("resin", ("A", "B", "C")),
    )
)
FORMULAS = (
    "pH + `feed rate` + day + resin",
    "(pH + `feed rate` + day + resin)**2",
    "pH*`feed rate`*day + I(pH**2) + I(`feed rate`**3) + resin:I(pH**2)",
    "0 + pH + day:resin + I(day**2)",
    "pH + exp(day) + pH:exp(day)",
)


@pytest.mark.requirement("ANA-4")
@given(formula=st.sampled_from(FORMULAS), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=15, deadline=None)
def test_the_polynomial_in_natural_units_is_the_same_surface(formula, seed):
    rng = np.random.default_rng(seed)
    runs = SPACE.sample(40, rng=rng)
    study = Observations.from_frame(runs.assign(y=rng.normal(50, 10, 40)), SPACE, (Response("y"),))
    model = fit_linear(study, "y", formula)
    where = SPACE.sample(10, rng=rng)
    for units in ("natural", "scaled"):
        table = coefficient_table(model, units=units)
        estimates = np.array([c.estimate for c in table.coefficients])
        expansion = expand(model, natural_units(SPACE)) if units == "natural" else None
        if expansion is not None:
            found = expansion.columns(where, SPACE) @ estimates
            np.testing.assert_allclose(found, model.predict(where).mean, rtol=1e-7)
    assert table.degrees == model.degrees


@pytest.mark.requirement("ANA-4")
def test_a_natural_polynomial_can_be_computed_by_hand():
    study = culture_study()
    table = coefficient_table(fit_linear(study, "titre"), units="natural")
    b = {c.name: c.estimate for c in table.coefficients}
    where = study.settings().head(4)
    ph, warmth = where["pH"].to_numpy(), where["temperature"].to_numpy()
    feed = np.log(where["feed rate"].to_numpy())

    by_hand = b["Intercept"] + b["pH"] * ph + b["temperature"] * warmth + b["ln(feed rate)"] * feed
    by_hand += b["pH:temperature"] * ph * warmth + b["pH:ln(feed rate)"] * ph * feed
    by_hand += b["temperature:ln(feed rate)"] * warmth * feed + b["pH^2"] * ph**2
    by_hand += b["temperature^2"] * warmth**2 + b["ln(feed rate)^2"] * feed**2

    np.testing.assert_allclose(by_hand, fit_linear(study, "titre").predict(where).mean, rtol=1e-9)
    assert "ln(feed rate) is the natural logarithm of feed rate in mL/h." in table.notes
    assert table.equation().startswith("titre = ")
    assert " ln(feed rate)^2" in table.equation()


@pytest.mark.requirement("ANA-4")
def test_errors_in_natural_units_are_those_of_a_fit_in_natural_units():
    """Ordinary least squares on the natural columns themselves."""
    study = culture_study()
    model = fit_linear(study, "titre", "pH*temperature")
    runs = study.settings()
    ph, warmth = runs["pH"].to_numpy(), runs["temperature"].to_numpy()
    columns = np.column_stack([np.ones(24), ph, warmth, ph * warmth])
    covariance = model.residual_std**2 * np.linalg.inv(columns.T @ columns)

    table = coefficient_table(model, units="natural").table()

    expected = np.sqrt(np.diag(covariance))
    np.testing.assert_allclose(table["standard error"], expected, rtol=1e-6)
    np.testing.assert_allclose(table["t"], table["estimate"] / expected, rtol=1e-6)
    inflation = [variance_inflation_factor(columns, place) for place in (1, 2, 3)]
    np.testing.assert_allclose(table["VIF"].iloc[1:], inflation, rtol=1e-6)


@pytest.mark.requirement("ANA-4")
def test_inflation_is_that_of_statsmodels():
    model = fit_linear(mixed_study(), "purity")
    matrix = model.matrix.to_numpy()
    expected = [variance_inflation_factor(matrix, place) for place in range(1, matrix.shape[1])]

    table = coefficient_table(model).table()

    np.testing.assert_allclose(table["VIF"].iloc[1:], expected, rtol=1e-8)
    assert np.isnan(table["VIF"].iloc[0])


@pytest.mark.requirement("ANA-4")
def test_without_an_intercept_inflation_is_about_zero():
    """Then it compares with columns orthogonal to each other, not to a constant, and is >= 1."""
    shares = np.random.default_rng(2).dirichlet((1, 1, 1), 14)
    table = pd.DataFrame(shares, columns=list("abc")).assign(y=shares @ [1.0, 2.0, 5.0])
    table["y"] += 0.1 * np.random.default_rng(3).normal(size=14)
    space = FactorSpace(tuple(MixtureComponent(name) for name in "abc"))
    model = fit_linear(Observations.from_frame(table, space, (Response("y"),)), "y", "linear")

    found = coefficient_table(model).table()["VIF"].to_numpy()

    information = shares.T @ shares
    np.testing.assert_allclose(found, np.diag(np.linalg.inv(information)) * np.diag(information))
    assert (found >= 1).all()


def test_the_last_level_is_minus_the_sum_of_the_others_and_it_is_said():
    model = fit_linear(mixed_study(), "purity", "resin")
    table = coefficient_table(model)
    runs, values = model.rows.settings, model.rows.measured
    means = {level: values[(runs["resin"] == level).to_numpy()].mean() for level in "ABC"}

    assert table["Intercept"].estimate == pytest.approx(np.mean(list(means.values())))
    last = -table["resin[A]"].estimate - table["resin[B]"].estimate
    assert table["Intercept"].estimate + last == pytest.approx(means["C"])
    assert "that of C is minus the sum of the others" in table.notes[0]
    with pytest.raises(InvalidValueError, match="no coefficient 'resin"):
        table["resin[C]"]


def test_scaled_coefficients_do_not_depend_on_the_range_that_codes_a_factor():
    """Half the change of the response over the range that the runs cover."""
    wide = FactorSpace((ContinuousFactor("x", -100.0, 300.0),))
    x = np.array([10.0, 20.0, 30.0, 40.0])
    table = pd.DataFrame({"x": x, "y": 3 + 0.2 * x + [0.01, -0.01, -0.01, 0.01]})
    model = fit_linear(Observations.from_frame(table, wide, (Response("y"),)), "y", "linear")

    found = coefficient_table(model, units="scaled")

    assert found["x"].estimate == pytest.approx(0.2 * 15)
    assert found["Intercept"].estimate == pytest.approx(3 + 0.2 * 25)


def test_blocks_stand_last_as_differences_from_their_average():
    table = coefficient_table(fit_linear(culture_study(block_std=2.0), "titre"))

    assert [c.name for c in table.coefficients if c.is_block] == [f"day[{i}]" for i in range(5)]
    assert "day" not in table.equation()
    assert "day" not in "".join(table.plot().y.categories)


def test_a_saturated_model_has_estimates_only():
    space = FactorSpace((ContinuousFactor("x", -1.0, 1.0),))
    runs = pd.DataFrame({"x": [-1.0, 1.0], "y": [1.0, 3.0]})
    model = fit_linear(Observations.from_frame(runs, space, (Response("y"),)), "y", "linear")
    table = coefficient_table(model)

    assert table["x"].estimate == pytest.approx(1.0)
    assert table["x"].p is None
    assert "No degrees of freedom" in table.sentence()


@pytest.mark.requirement("ANA-4")
def test_the_plot_shows_every_coefficient_with_its_interval():
    table = coefficient_table(fit_linear(culture_study(), "titre"), coverage=0.9)
    plot = table.plot()
    bars = plot.layers[0]

    assert plot.y.categories[-1] == "pH"
    assert bars.value[0] == table["pH"].estimate
    np.testing.assert_allclose(bars.low[0], table["pH"].lower)
    assert plot.x.low < min(bars.low)
    assert "terms stand out from the noise (p below 0.1): pH" in plot.sentence
    assert to_plotly(plot)["layout"]["xaxis"]["title"]["text"] == "Coefficient (g/L)"
    assert image(plot, "png").startswith(b"\x89PNG")


def test_units_and_coverage_that_do_not_exist_are_refused():
    model = fit_linear(culture_study(), "titre")

    with pytest.raises(InvalidValueError, match="units is 'metric'"):
        coefficient_table(model, units="metric")
    with pytest.raises(InvalidValueError, match="coverage is 95"):
        coefficient_table(model, coverage=95)

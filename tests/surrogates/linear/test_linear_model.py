import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.errors import InvalidValueError, TooFewDataError, UnknownNameError
from doe.factors import BlockFactor, CategoricalFactor, ContinuousFactor
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from doe.terms import cubic_terms
from surrogates.linear.model import LinearModel, fit_linear
from surrogates.linear.surface import fit_surface
from tests.surrogates.examples import culture_study, mixed_study

PLANE = FactorSpace((ContinuousFactor("a", -1.0, 1.0), ContinuousFactor("b", -1.0, 1.0)))
GRID = [(a, b) for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)]


def plane_study(points, values, *blocks: BlockFactor, **columns) -> Observations:
    table = pd.DataFrame(points, columns=["a", "b"]).assign(y=values, **columns)
    space = FactorSpace((*PLANE.factors, *blocks))
    return Observations.from_frame(table, space, (Response("y"),))


def noisy(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=n)


@pytest.mark.requirement("ANA-10")
def test_intervals_are_those_of_statsmodels():
    study = culture_study()
    surface = fit_linear(study, "titre")
    where = study.space.sample(8, rng=np.random.default_rng(1))
    reference = sm.OLS(surface.rows.measured, surface.matrix.to_numpy()).fit()
    expected = reference.get_prediction(surface.model_rows(where)).summary_frame(alpha=0.05)

    prediction = surface.predict(where)

    np.testing.assert_allclose(prediction.mean, expected["mean"])
    for kind, columns in (
        ("latent", ["mean_ci_lower", "mean_ci_upper"]),
        ("new_run", ["obs_ci_lower", "obs_ci_upper"]),
    ):
        low, high = prediction.interval(0.95, kind=kind)
        np.testing.assert_allclose(low, expected[columns[0]])
        np.testing.assert_allclose(high, expected[columns[1]])


@pytest.mark.requirement("ANA-1")
def test_weighted_runs_are_fitted_as_statsmodels_fits_them():
    study = culture_study()
    weights = np.random.default_rng(5).uniform(0.5, 2.0, 24)
    model = fit_linear(study, "titre", weights=weights.tolist())
    reference = sm.WLS(model.values, model.matrix.to_numpy(), weights=weights).fit()

    np.testing.assert_allclose(model.coefficients, reference.params, rtol=1e-9)
    np.testing.assert_allclose(model.standard_errors, reference.bse, rtol=1e-9)
    by_run = dict(zip(study.runs, weights, strict=True))
    again = fit_linear(study, "titre", weights=dict(reversed(by_run.items())))
    np.testing.assert_array_equal(again.coefficients, model.coefficients)


def test_weights_that_cannot_be_used_are_refused_by_run():
    study = culture_study()

    with pytest.raises(InvalidValueError, match="3 weights for 24 runs"):
        fit_linear(study, "titre", weights=[1.0, 1.0, 1.0])
    with pytest.raises(UnknownNameError, match="Run '2' has no weight"):
        fit_linear(study, "titre", weights={"1": 1.0})
    with pytest.raises(InvalidValueError, match="Run '1' has weight 0"):
        fit_linear(study, "titre", weights=[0.0] + [1.0] * 23)


@pytest.mark.requirement("ANA-2")
def test_fixed_blocks_are_fitted_as_a_categorical_factor_with_sum_coding():
    study = culture_study(block_std=3.0)
    model = fit_linear(study, "titre")
    days = study.settings()["day"].to_numpy()
    levels = sorted(set(days))
    dummies = np.column_stack(
        [(days == level) * 1.0 - (days == levels[-1]) * 1.0 for level in levels[:-1]]
    )
    reference = sm.OLS(model.values, np.hstack([model.matrix.to_numpy(), dummies])).fit()

    np.testing.assert_allclose(model.solution.coefficients, reference.params, rtol=1e-8)
    assert model.degrees == reference.df_resid == 24 - 10 - 5
    # A prediction in a known block is shifted by the difference of that block.
    where = study.settings().head(3)
    shift = model.predict(where, block=levels[1]).mean - model.predict(where).mean
    np.testing.assert_allclose(shift, reference.params[11])
    with pytest.raises(UnknownNameError, match="no such"):
        model.predict(where, block="no such day")


def test_the_average_over_the_blocks_is_the_prediction_without_one():
    study = culture_study(block_std=3.0)
    model = fit_linear(study, "titre")
    where = study.settings().head(2)

    each = [model.predict(where, block=str(day)).mean for day in range(6)]

    np.testing.assert_allclose(np.mean(each, axis=0), model.predict(where).mean)


def test_nested_blocks_take_one_degree_of_freedom_per_difference():
    lots = [str(i // 6) for i in range(18)]
    vials = [str(i // 2 % 3) for i in range(18)]
    blocks = (BlockFactor("lot"), BlockFactor("vial", nested_in="lot"))
    study = plane_study(GRID * 2, noisy(18), *blocks, lot=lots, vial=vials)

    model = fit_linear(study, "y", "linear")

    assert len(model.block_contrasts.columns) == 2 + 3 * 2
    assert model.degrees == 18 - 3 - 8


@pytest.mark.requirement("ANA-12")
def test_random_blocks_give_the_mixed_model():
    study = culture_study(block_std=3.0)

    mixed = fit_linear(study, "titre", blocks="random")

    assert mixed.describe()["kind"] == "mixed model"
    assert fit_surface(study, "titre").describe() == mixed.describe()
    with pytest.raises(InvalidValueError, match="blocks is 'some'"):
        fit_linear(study, "titre", blocks="some")


def test_blocks_that_show_no_variance_are_left_out_of_a_surface_and_said_so():
    single = fit_surface(culture_study(block_std=1.0, n_blocks=1), "titre")
    each = fit_surface(culture_study(block_std=1.0, n_blocks=24), "titre")

    assert any("All runs are in one level of block factor 'day'" in w for w in single.warnings)
    assert any("'day' is not in the model" in text for text in each.warnings)


def test_a_factor_that_changes_only_with_the_blocks_is_named_as_aliased():
    points = [(-1, -1), (-1, 0), (-1, 1), (1, -1), (1, 0), (1, 1)] * 2
    day = ["mon", "mon", "mon", "tue", "tue", "tue"] * 2
    study = plane_study(points, noisy(12), BlockFactor("day", random=False), day=day)

    model = fit_linear(study, "y", "linear")

    assert [column.name for column in model.aliased] == ["a"]
    assert model.aliased[0].combination == (("day[mon]", pytest.approx(-1.0)),)
    assert model.terms.names == ("Intercept", "b")
    with pytest.raises(TooFewDataError, match="cannot estimate a beside"):
        fit_surface(study, "y", terms="linear")


@pytest.mark.requirement("ANA-4")
def test_terms_that_the_runs_cannot_estimate_are_named():
    """A two-level factorial has every square equal to the intercept."""
    corners = [(-1, -1), (-1, 1), (1, -1), (1, 1)] * 3
    study = plane_study(corners, np.arange(12.0))

    model = fit_linear(study, "y")

    assert [column.name for column in model.aliased] == ["a^2", "b^2"]
    assert model.columns == ("Intercept", "a", "b", "a:b")
    assert any("a^2 cannot be told apart from Intercept" in text for text in model.warnings)
    assert "a^2" in str(model.describe()["aliased"])
    with pytest.raises(TooFewDataError, match=r"cannot estimate a\^2, b\^2"):
        fit_surface(study, "y")
    assert fit_surface(study, "y", terms="interaction").degrees == 8


def test_too_few_degrees_of_freedom_are_refused_and_counted():
    points = [(-1, -1), (-1, 1), (1, -1), (1, 1), (0, 0), (1, 0), (0, 1)]
    study = plane_study(points, np.arange(7.0))

    with pytest.raises(TooFewDataError, match=r"7 runs and 6 coefficients.*leave 1"):
        fit_surface(study, "y")
    with pytest.raises(TooFewDataError, match=r"7 runs and 6 coefficients.*leave 1"):
        fit_linear(study, "y").predict(study.settings())


def test_a_saturated_model_has_coefficients_and_no_errors():
    corners = [(-1, -1), (-1, 1), (1, -1), (1, 1)]
    model = fit_linear(plane_study(corners, [1.0, 2.0, 4.0, 9.0]), "y", "interaction")

    np.testing.assert_allclose(model.coefficients, [4.0, 2.5, 1.5, 1.0])
    assert model.degrees == 0
    assert np.isnan(model.residual_std)
    assert model.describe()["noise_std"] is None


@pytest.mark.requirement("ANA-14")
def test_data_that_cannot_carry_a_model_are_refused_with_one_clear_error():
    with pytest.raises(TooFewDataError, match=r"1 run with .*cannot estimate 3 .*: add runs\.$"):
        fit_linear(plane_study(GRID[:1], [1.0]), "y", "linear")
    with pytest.raises(TooFewDataError, match=r"5 runs.*6 coeff.*'interaction' or 'linear'\)"):
        fit_linear(plane_study(GRID[:5], noisy(5)), "y")
    with pytest.raises(TooFewDataError, match="All 9 runs have the same value of 'y', 2"):
        fit_linear(plane_study(GRID, [2.0] * 9), "y")
    still = [(a, 0.5) for a, _ in GRID]
    with pytest.raises(InvalidValueError, match=r"Factor 'b' is 0\.5 in all 9 runs"):
        fit_linear(plane_study(still, noisy(9)), "y", "linear")
    assert fit_linear(plane_study(still, noisy(9)), "y", "a").columns == ("Intercept", "a")
    together = [(a, -a) for a, _ in GRID]
    with pytest.raises(InvalidValueError, match="'a' and 'b' always changed together"):
        fit_linear(plane_study(together, noisy(9)), "y", "linear")
    with pytest.raises(TooFewDataError, match="No run has a value of 'y'"):
        fit_linear(plane_study(GRID, [np.nan] * 9), "y")
    for wrong in (np.inf, -np.inf):
        with pytest.raises(InvalidValueError, match=r"'y'.*finite"):
            fit_linear(plane_study(GRID, [wrong, *noisy(8)]), "y")
    with pytest.raises(InvalidValueError, match="Run '1' has no setting of 'a'"):
        fit_linear(plane_study([(np.nan, 0), *GRID[1:]], noisy(9)), "y")
    with pytest.raises(InvalidValueError, match="terms is 3"):
        fit_linear(plane_study(GRID, noisy(9)), "y", 3)


@pytest.mark.requirement("ANA-14")
@pytest.mark.parametrize(
    ("values", "words"),
    [
        (noisy(9) * 1e200, "in another unit"),
        (noisy(9) * 1e-200, "in another unit"),
        (1e15 + np.arange(10.0, 55.0, 5.0), "differ by 40 only, beside a size of 1e.15"),
    ],
)
def test_sizes_that_leave_no_digits_are_refused_with_what_to_do(values, words):
    with pytest.raises(InvalidValueError, match=words):
        fit_linear(plane_study(GRID, values), "y", "linear")


def test_a_value_without_a_place_on_the_scale_is_named_with_its_run():
    with pytest.raises(
        InvalidValueError, match=r"no place for 0 of run '4'; expected values above"
    ):
        fit_linear(plane_study(GRID, [1, 2, 3, 0, *range(1, 6)]), "y", "linear", transform="log")


def test_a_model_is_shown_in_one_line():
    study = culture_study(block_std=3.0)
    for model in (fit_linear(study, "titre"), fit_linear(study, "titre", blocks="random")):
        assert repr(model).startswith(f"<{type(model).__name__} of 'titre'")
        assert len(repr(model)) < 100


def test_levels_that_always_change_together_are_refused():
    resin = ["A", "B", "C"] * 4
    buffer = ["p", "q", "r"] * 4
    space = FactorSpace(
        (CategoricalFactor("resin", ("A", "B", "C")), CategoricalFactor("buffer", ("p", "q", "r")))
    )
    table = pd.DataFrame({"resin": resin, "buffer": buffer, "y": noisy(12)})

    with pytest.raises(InvalidValueError, match="'resin' and 'buffer' always changed together"):
        fit_linear(Observations.from_frame(table, space, (Response("y"),)), "y", "linear")


def test_runs_without_a_value_are_left_out_and_named():
    values = noisy(9)
    values[3] = np.nan
    model = fit_linear(plane_study(GRID, values), "y", "linear")

    assert model.n_runs == 8
    assert any("1 of 9 runs have no value of 'y'" in text for text in model.warnings)
    assert model.describe()["treatment"]["runs_without_value"] == ["4"]


def test_what_the_model_leaves_out_is_said():
    study = culture_study(block_std=1.0)

    warnings = fit_linear(study, "titre", blocks="ignore").describe()["warnings"]

    assert any("'day' is not in the model" in text for text in warnings)


@pytest.mark.requirement("ANA-8")
@pytest.mark.parametrize("transform", ["log", "sqrt", "inverse"])
def test_a_transformed_response_is_predicted_in_its_own_unit(transform):
    """Quantiles of a monotone function are the function of the quantiles."""
    study = culture_study(transform="log")
    model = fit_linear(study, "titre", transform=transform)
    where = study.settings().head(4)
    prediction = model.predict(where)
    reference = sm.OLS(model.transform.forward(model.rows.measured), model.matrix.to_numpy()).fit()
    frame = reference.get_prediction(model.model_rows(where)).summary_frame(alpha=0.1)

    low, high = prediction.interval(0.9)

    ends = [model.transform.backward(frame[f"obs_ci_{e}"].to_numpy()) for e in ("lower", "upper")]
    np.testing.assert_allclose(low, np.minimum(*ends), rtol=1e-9)
    np.testing.assert_allclose(high, np.maximum(*ends), rtol=1e-9)
    for lower, upper in ((None, high[0]), (low[0], None), (low[0], high[0])):
        expected = {(True, False): 0.95, (False, True): 0.95}.get(
            (lower is None, upper is None), 0.9
        )
        assert model.probability_within(where, lower, upper)[0] == pytest.approx(expected)
    draws = model.sample(where, 4000, kind="new_run", rng=np.random.default_rng(1))
    share = ((draws > low) & (draws < high)).mean(axis=0)
    np.testing.assert_allclose(share, 0.9, atol=0.02)


def test_the_log_scale_of_the_response_is_used_unless_another_is_asked_for():
    study = culture_study(transform="log")

    assert fit_linear(study, "titre").transform.kind == "log"
    assert fit_linear(study, "titre", transform="none").transform.kind == "none"
    with pytest.raises(InvalidValueError, match="values above zero"):
        fit_linear(plane_study(GRID, noisy(9)), "y", transform="log")


def test_runs_that_an_optimizer_recommended_are_counted():
    study = replace(culture_study(), origins=("recommended",) * 4 + ("designed",) * 20)
    model = fit_linear(study, "titre")

    assert model.recommended == ("1", "2", "3", "4")
    assert any("4 of 24 runs were recommended by an optimizer" in w for w in model.warnings)


@pytest.mark.requirement("ANA-15")
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=12, deadline=None)
def test_the_order_of_runs_and_factors_and_their_units_mean_nothing(seed):
    rng = np.random.default_rng(seed)
    study = culture_study(block_std=1.0)
    table = study.table()
    scale = float(rng.choice([1e-6, 1e3, 1e9]))
    factors = [
        replace(f, low=f.low * scale, high=f.high * scale) if f.name == "temperature" else f
        for f in rng.permutation(np.array(study.space.factors, dtype=object))
    ]
    changed = table.assign(temperature=table["temperature"] * scale)
    changed = changed.iloc[rng.permutation(len(table))]
    other = Observations.from_frame(changed, FactorSpace(tuple(factors)), study.responses)

    one, two = fit_linear(study, "titre"), fit_linear(other, "titre")

    assert two.residual_std == pytest.approx(one.residual_std, rel=1e-9)
    where = study.settings().head(5)
    same = where.assign(temperature=where["temperature"] * scale)
    np.testing.assert_allclose(two.predict(same).mean, one.predict(where).mean, rtol=1e-9)
    for source in ("Model", "pH", "temperature^2", "Residual", "Total"):
        first, second = one.anova().row(source), two.anova().row(source)
        assert second.sum_of_squares == pytest.approx(first.sum_of_squares, rel=1e-7)
    first, second = one.statistics(), two.statistics()
    assert second.q2 == pytest.approx(first.q2, rel=1e-7)


def test_the_range_that_codes_a_factor_changes_no_prediction():
    study = mixed_study()
    factors = tuple(
        replace(f, low=f.low - 0.3, high=f.high + 2.0) if isinstance(f, ContinuousFactor) else f
        for f in study.space.factors
    )
    wider = replace(study, space=FactorSpace(factors))
    where = study.settings().head(6)

    one, two = fit_linear(study, "purity"), fit_linear(wider, "purity")

    np.testing.assert_allclose(two.predict(where).mean, one.predict(where).mean, rtol=1e-10)
    np.testing.assert_allclose(two.predict(where).latent_std, one.predict(where).latent_std)


def test_refitting_keeps_runs_weights_scale_and_blocks():
    study = culture_study(block_std=1.0, transform="log")
    model = fit_linear(study, "titre", weights=[2.0, *[1.0] * 23])

    smaller = model.refit("linear")

    assert isinstance(smaller, LinearModel)
    assert smaller.transform == model.transform
    assert smaller.weights[0] == 2.0
    assert smaller.block_contrasts.columns == model.block_contrasts.columns
    assert len(smaller.columns) == 4


def test_orders_and_formulas_name_the_same_models():
    study = culture_study()

    assert fit_linear(study, "titre", "cubic").terms == cubic_terms(study.space)
    formula = fit_linear(study, "titre", "pH*temperature + I(pH**2)")
    assert formula.columns == ("Intercept", "pH", "temperature", "pH:temperature", "pH^2")
    assert formula.term_places() == {
        "pH": (1,),
        "temperature": (2,),
        "pH:temperature": (3,),
        "pH^2": (4,),
    }


def test_linear_models_load_no_torch():
    code = (
        "import sys; import surrogates.linear.model, surrogates.linear.fitting, "
        "surrogates.linear.surface, surrogates.linear.prediction; assert 'torch' not in sys.modules"
    )

    subprocess.run([sys.executable, "-c", code], check=True)

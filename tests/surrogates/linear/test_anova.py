from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from doe.errors import InvalidValueError
from doe.factors import BlockFactor, CategoricalFactor, ContinuousFactor, MixtureComponent
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.linear.model import fit_linear
from surrogates.linear.reports.anova import LINEAR_BLENDING, anova
from tests.surrogates.examples import culture_study, mixed_study
from tests.surrogates.linear.examples import straight_line

LEVELS = ("A", "B", "C")


def unbalanced_study(seed: int = 4) -> tuple[Observations, pd.DataFrame]:
    """Two factors, unequal cells, three days: no term is orthogonal to another."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "x": rng.uniform(-1, 1, 30),
            "resin": rng.choice(LEVELS, 30, p=(0.5, 0.3, 0.2)),
            "day": rng.choice(("1", "2", "3"), 30),
        }
    )
    table["y"] = 5 + 2 * table["x"] + (table["resin"] == "A") + rng.normal(size=30)
    space = FactorSpace(
        (
            ContinuousFactor("x", -1.0, 1.0),
            CategoricalFactor("resin", LEVELS),
            BlockFactor("day", random=False),
        )
    )
    return Observations.from_frame(table, space, (Response("y"),)), table


@pytest.mark.requirement("ANA-2")
@pytest.mark.parametrize("kind", ["III", "I"])
def test_both_kinds_of_sums_of_squares_are_those_of_statsmodels(kind):
    # Formulas of statsmodels put categorical terms before others of the same order.
    study, table = unbalanced_study()
    formula = "y ~ C(day, Sum) + C(resin, Sum) + x + x:C(resin, Sum)"
    reference = anova_lm(ols(formula, table).fit(), typ={"III": 3, "I": 1}[kind])
    found = anova(fit_linear(study, "y", "resin*x"), kind=kind)

    names = {"x": "x", "resin": "C(resin, Sum)", "x:resin": "x:C(resin, Sum)"}
    for own, theirs in names.items():
        row = found.row(own)
        assert row.sum_of_squares == pytest.approx(reference.loc[theirs, "sum_sq"], rel=1e-9)
        assert row.degrees == reference.loc[theirs, "df"]
        assert row.f == pytest.approx(reference.loc[theirs, "F"], rel=1e-9)
        assert row.p == pytest.approx(reference.loc[theirs, "PR(>F)"], rel=1e-7)
    if kind == "I":
        squares = reference.loc["C(day, Sum)", "sum_sq"]
        assert found.row("Blocks").sum_of_squares == pytest.approx(squares, rel=1e-9)


@pytest.mark.requirement("ANA-2")
@given(seed=st.integers(0, 2**32 - 1), size=st.sampled_from([1e-9, 1.0, 1e9]))
@settings(max_examples=15, deadline=None)
def test_the_sums_of_squares_close(seed, size):
    study, _ = unbalanced_study(seed)
    measured = tuple(replace(m, value=m.value * size) for m in study.measurements)
    model = fit_linear(replace(study, measurements=measured), "y", "x*resin + I(x**2)")
    found = anova(model, kind="I")

    def squares(*sources: str) -> float:
        return sum(found.row(source).sum_of_squares for source in sources)

    def degrees(*sources: str) -> int:
        return sum(found.row(source).degrees for source in sources)

    total = squares("Total")
    assert squares("Blocks", "Model", "Residual") == pytest.approx(total, rel=1e-10)
    assert squares("Lack of fit", "Pure error") == pytest.approx(squares("Residual"), rel=1e-10)
    terms = [row.source for row in found.terms]
    assert squares(*terms) == pytest.approx(squares("Model"), rel=1e-10)
    assert degrees("Blocks", "Model", "Residual") == degrees("Total") == 29
    assert degrees(*terms) == degrees("Model")
    assert total == pytest.approx(29 * np.var(model.values, ddof=1), rel=1e-10)


@pytest.mark.requirement("ANA-2")
def test_replicates_are_compared_within_their_block():
    """Days differ by 100: between days, replicates would show no noise but the days."""
    points = [-1.0, 0.0, 1.0, 0.0, 0.0] * 2
    days = ["1"] * 5 + ["2"] * 5
    noise = np.array([0.3, -0.2, 0.1, 0.4, -0.1, 0.2, 0.0, -0.3, 0.1, 0.5])
    values = noise + np.array([0.0 if day == "1" else 100.0 for day in days])
    table = pd.DataFrame({"x": points, "day": days, "y": values})
    space = FactorSpace((ContinuousFactor("x", -1.0, 1.0), BlockFactor("day")))
    study = Observations.from_frame(table, space, (Response("y"),))
    centre = [i for i in range(10) if points[i] == 0]

    row = anova(fit_linear(study, "y", "x")).row("Pure error")

    parts = [values[[i for i in centre if days[i] == day]] for day in ("1", "2")]
    assert row.degrees == 4
    assert row.sum_of_squares == pytest.approx(sum(p.var() * len(p) for p in parts))
    ignored = anova(fit_linear(study, "y", "x", blocks="ignore"))
    assert ignored.row("Pure error").degrees == 7
    assert ignored.row("Total").degrees == 9


@pytest.mark.requirement("ANA-2")
def test_lack_of_fit_is_tested_against_pure_error():
    """A straight line through a parabola: recomputed from cell means."""
    x = np.repeat([-1.0, 0.0, 1.0], 3)
    values = x**2 + np.array([0.1, -0.1, 0, 0.2, 0, -0.2, 0.05, -0.05, 0])
    space = FactorSpace((ContinuousFactor("x", -1.0, 1.0),))
    study = Observations.from_frame(pd.DataFrame({"x": x, "y": values}), space, (Response("y"),))
    means = np.array([values[x == level].mean() for level in (-1, 0, 1)])
    pure = sum(
        np.square(values[x == level] - values[x == level].mean()).sum() for level in (-1, 0, 1)
    )
    line = np.polyval(np.polyfit(x, values, 1), [-1, 0, 1])
    ratio = 3 * np.square(means - line).sum() / (pure / 6)

    row = anova(fit_linear(study, "y", "linear")).row("Lack of fit")

    assert row.f == pytest.approx(ratio, rel=1e-9)
    assert row.p == pytest.approx(stats.f.sf(ratio, 1, 6), rel=1e-9)
    assert "misses something" in anova(fit_linear(study, "y", "linear")).sentence()


def test_without_replicates_or_degrees_of_freedom_nothing_is_made_up():
    corners = pd.DataFrame({"x": [-1.0, 1.0, -1.0, 1.0], "z": [-1.0, -1.0, 1.0, 1.0]})
    space = FactorSpace((ContinuousFactor("x", -1.0, 1.0), ContinuousFactor("z", -1.0, 1.0)))
    study = Observations.from_frame(corners.assign(y=[1.0, 3, 2, 9]), space, (Response("y"),))

    once = anova(fit_linear(study, "y", "linear"))
    saturated = anova(fit_linear(study, "y", "interaction"))

    assert once.row("Lack of fit").p is None
    assert once.table().loc[["Lack of fit", "Pure error"]].isna().to_numpy().all()
    assert any("No run was repeated" in note for note in once.notes)
    assert saturated.row("Model").f is None
    assert saturated.row("Model").sum_of_squares == pytest.approx(
        saturated.row("Total").sum_of_squares
    )
    assert any("nothing can be tested" in note for note in saturated.notes)
    assert "no degrees of freedom" in saturated.sentence()


@pytest.mark.requirement("ANA-5")
def test_identical_replicates_give_no_test_of_lack_of_fit():
    x = np.array([-1.0, 1, 0, 0, 0.5, -0.5])
    values = np.array([1.0, 3.2, 2.0001, 2.0001, 2.4, 1.6])
    model = fit_linear(straight_line(x, values), "y", "linear")
    found, fit = anova(model), model.statistics()

    assert found.row("Lack of fit").f is None
    assert found.row("Model").f is not None
    assert any("replicates are identical" in note for note in found.notes)
    assert fit.model_validity is None
    assert fit.reproducibility is None
    for name in ("model validity", "reproducibility"):
        assert fit.readings()[name] == "Not available: the replicates are identical."


def test_a_fit_without_residual_is_a_question_and_no_triumph():
    points = np.array([(a, b) for a in (-1.0, 0.0, 1.0) for b in (-1.0, 0.0, 1.0)])
    space = FactorSpace((ContinuousFactor("x", -1.0, 1.0), ContinuousFactor("z", -1.0, 1.0)))
    table = pd.DataFrame(points, columns=["x", "z"]).assign(y=3 + points @ [1.1, -2.3])
    model = fit_linear(Observations.from_frame(table, space, (Response("y"),)), "y", "linear")

    assert anova(model).row("Model").f is None
    for sentence in (
        anova(model).sentence(),
        model.diagnostics().sentence(),
        model.fit_summary().reason,
        model.steepest_ascent().sentence(),
    ):
        assert "reproduces every run" in sentence
    assert model.fit_summary().suggested == "linear"


def test_runs_that_an_optimizer_recommended_are_not_a_randomised_design():
    study = culture_study()
    mixed = replace(study, origins=("recommended", *["designed"] * 23))

    assert (
        anova(fit_linear(mixed, "titre"))
        .notes[0]
        .startswith("Not from a randomised design: 1 of 24 runs")
    )
    assert anova(fit_linear(mixed, "titre")).sentence().startswith("Not from a randomised design")
    assert anova(fit_linear(study, "titre")).label == ""
    assert not anova(fit_linear(study, "titre")).notes


def test_pure_components_are_compared_with_each_other():
    """Dropping the differences of the pure components leaves their sum, which is the mean."""
    rng = np.random.default_rng(2)
    shares = rng.dirichlet((1, 1, 1), 14)
    values = shares @ [1.0, 2.0, 5.0] + 3 * shares[:, 0] * shares[:, 1] + 0.1 * rng.normal(size=14)
    table = pd.DataFrame(shares, columns=["a", "b", "c"]).assign(y=values)
    space = FactorSpace(tuple(MixtureComponent(name) for name in "abc"))
    model = fit_linear(Observations.from_frame(table, space, (Response("y"),)), "y")
    a, b, c = shares.T
    smaller = np.column_stack([np.ones(14), a * b, a * c, b * c])
    rest = values - smaller @ np.linalg.lstsq(smaller, values, rcond=None)[0]

    row = anova(model).row(LINEAR_BLENDING)

    assert row.degrees == 2
    assert row.sum_of_squares == pytest.approx(rest @ rest - model.solution.rss, rel=1e-8)
    sequential = anova(model, kind="I")
    squares = sum(term.sum_of_squares for term in sequential.terms)
    assert squares == pytest.approx(sequential.row("Model").sum_of_squares, rel=1e-10)
    assert anova(model).row("Total").degrees == 13


def test_a_categorical_factor_is_one_row_with_a_degree_per_further_level():
    found = anova(fit_linear(mixed_study(), "purity"))

    assert found.row("resin").degrees == 2
    assert found.row("pH:resin").degrees == 2
    assert list(found.table().columns) == [
        "degrees of freedom",
        "sum of squares",
        "mean square",
        "F",
        "p",
    ]


def test_what_does_not_exist_is_refused_by_name():
    model = fit_linear(culture_study(), "titre")

    with pytest.raises(InvalidValueError, match="kind is 'II'"):
        anova(model, kind="II")
    with pytest.raises(InvalidValueError, match="no source 'pressure'; it has Model, pH"):
        anova(model).row("pressure")

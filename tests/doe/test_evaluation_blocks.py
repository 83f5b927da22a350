"""Blocks and whole plots: what they cost, and which error a term is tested against."""

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.designs import central_composite, full_factorial
from doe.errors import DesignError, UnknownNameError
from doe.evaluation import evaluate, power_of_f_test
from doe.factors import BlockFactor, CategoricalFactor, ContinuousFactor
from doe.runs import Design
from doe.space import FactorSpace
from doe.terms import model_matrix, quadratic_terms

SPACE = FactorSpace(
    (
        ContinuousFactor("temperature", 30.0, 40.0, "degC", change="hard"),
        ContinuousFactor("pH", 6.6, 7.4),
        ContinuousFactor("feed", 1.0, 5.0, "mL/h"),
    )
)


def split_plot(*, n_whole_plots: int = 4, copies: int = 1) -> Design:
    """Whole plots alternate in temperature; each holds the 2^2 of the other factors."""
    rows, plots = [], []
    for plot in range(n_whole_plots):
        for acidity in (6.6, 7.4):
            for feed in (1.0, 5.0):
                rows += [(40.0 if plot % 2 else 30.0, acidity, feed)] * copies
                plots += [str(plot + 1)] * copies
    return Design(
        SPACE,
        pd.DataFrame(rows, columns=list(SPACE.names)),
        "split plot",
        blocks={"whole plot": tuple(plots)},
        whole_plots=("whole plot",),
    )


@pytest.mark.requirement("DOE-7")
@pytest.mark.requirement("DOE-10")
@pytest.mark.parametrize("ratio", [0.0, 0.5, 1.0, 4.0])
def test_a_balanced_split_plot_has_two_errors_in_closed_form(ratio):
    """Box and Jones (1992): whole-plot terms vary by (1 + m ratio) / n, others by 1 / n."""
    evaluation = evaluate(
        split_plot(), "temperature + pH + feed + temperature:pH", variance_ratio=ratio
    )

    table = evaluation.terms_table().set_index("term")
    assert table["error df"].to_dict() == {
        "Intercept": 2,
        "temperature": 2,
        "pH": 9,
        "feed": 9,
        "temperature:pH": 9,
    }
    assert table.loc["temperature", "standard error"] ** 2 == pytest.approx((1 + 4 * ratio) / 16)
    assert table.loc["pH", "standard error"] ** 2 == pytest.approx(1 / 16)
    assert table.loc["temperature:pH", "standard error"] ** 2 == pytest.approx(1 / 16)
    assert table.loc["temperature", "power"] == pytest.approx(
        power_of_f_test(16 / (1 + 4 * ratio), 1, 2)
    )
    assert table.loc["feed", "power"] == pytest.approx(power_of_f_test(16.0, 1, 9))
    assert table["VIF"].iloc[1:].tolist() == pytest.approx([1.0] * 4)
    spent = evaluation.degrees_of_freedom
    assert (spent.model, spent.blocks, spent.residual) == (4, 2, 9)


@pytest.mark.requirement("DOE-7")
def test_whole_plots_vary_as_much_as_runs_unless_stated_and_the_words_say_so():
    unstated = evaluate(split_plot(), "temperature + pH")
    stated = evaluate(split_plot(), "temperature + pH", variance_ratio={"whole plot": 1.0})

    assert unstated.terms_table().equals(stated.terms_table())
    assert any("its variance 1 times that between runs" in words for words in unstated.sentences())


@pytest.mark.requirement("DOE-7")
def test_analysed_as_if_completely_randomised_a_hard_factor_looks_easier_to_find_than_it_is():
    terms = "temperature + pH + feed"

    honest = evaluate(split_plot(), terms).terms_table().set_index("term")["power"]
    naive = evaluate(split_plot(), terms, blocks=[]).terms_table().set_index("term")["power"]

    assert honest["temperature"] < 0.3 < 0.9 < naive["temperature"]
    # What changes within whole plots loses only the degrees of freedom between them.
    assert honest["pH"] == pytest.approx(naive["pH"], abs=0.02)


@pytest.mark.requirement("DOE-7")
def test_a_term_without_whole_plots_to_spare_cannot_be_tested():
    evaluation = evaluate(split_plot(n_whole_plots=2), "temperature + pH")

    table = evaluation.terms_table().set_index("term")
    assert table.loc["temperature", "error df"] == 0
    assert np.isnan(table.loc["temperature", "power"])
    assert table.loc["pH", "power"] > 0.5
    assert any("temperature cannot be tested" in words for words in evaluation.sentences())
    with pytest.raises(DesignError, match="no degree of freedom"):
        evaluation.fraction_within(1.0)


@pytest.mark.requirement("DOE-8")
@given(seed=st.integers(0, 2**32 - 1), ratio=st.floats(0.0, 5.0))
@settings(max_examples=10, deadline=None)
def test_random_blocks_weigh_runs_as_generalised_least_squares_does(seed, ratio):
    rng = np.random.default_rng(seed)
    runs = SPACE.sample(24, rng=rng)
    blocks = rng.integers(0, 5, 24)
    terms = quadratic_terms(SPACE)

    evaluation = evaluate(
        runs, terms, space=SPACE, blocks={"day": list(blocks)}, variance_ratio={"day": ratio}
    )

    indicators = (blocks[:, None] == np.unique(blocks)).astype(float)
    covariance = np.eye(24) + ratio * indicators @ indicators.T
    matrix = model_matrix(terms, runs, SPACE).to_numpy()
    fitted = sm.GLS(rng.normal(size=24), matrix, sigma=covariance).fit()
    np.testing.assert_allclose(
        evaluation.information.covariance, fitted.normalized_cov_params, rtol=1e-6, atol=1e-10
    )
    information = matrix.T @ np.linalg.solve(covariance, matrix)
    assert evaluation.efficiencies.d == pytest.approx(
        100 * np.exp(np.linalg.slogdet(information)[1] / 10) / 24
    )
    assert evaluation.leverage.sum() == pytest.approx(10.0)


@pytest.mark.requirement("DOE-8")
@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10, deadline=None)
def test_fixed_blocks_leave_the_variance_that_a_model_with_their_columns_has(seed):
    rng = np.random.default_rng(seed)
    runs = SPACE.sample(20, rng=rng)
    blocks = np.arange(20) % 3
    terms = quadratic_terms(SPACE)

    evaluation = evaluate(runs, terms, space=SPACE, blocks={"lot": [f"lot {b}" for b in blocks]})

    dummies = (blocks[:, None] == np.arange(1, 3)).astype(float)
    matrix = np.hstack([model_matrix(terms, runs, SPACE).to_numpy(), dummies])
    expected = np.linalg.inv(matrix.T @ matrix)[1:10, 1:10]
    np.testing.assert_allclose(
        evaluation.information.covariance[1:, 1:], expected, rtol=1e-6, atol=1e-10
    )
    spent = evaluation.degrees_of_freedom
    assert (spent.model, spent.blocks, spent.residual) == (9, 2, 8)


@pytest.mark.requirement("DOE-4")
@pytest.mark.requirement("DOE-8")
def test_orthogonal_blocks_cost_a_central_composite_design_nothing_but_degrees_of_freedom():
    """Box and Hunter (1957): block means are orthogonal to every term."""
    design = central_composite(SPACE, kind="orthogonal blocks", axial="beyond")
    terms = quadratic_terms(SPACE)

    blocked = evaluate(design, terms, variance_ratio=None)
    free = evaluate(design, terms, blocks=[])

    assert not blocked.blocks[0].is_random
    np.testing.assert_allclose(
        blocked.terms_table()["standard error"].iloc[1:],
        free.terms_table()["standard error"].iloc[1:],
        rtol=1e-6,
    )
    assert blocked.degrees_of_freedom.residual == free.degrees_of_freedom.residual - 1


@pytest.mark.requirement("DOE-8")
def test_a_factor_that_changes_only_between_fixed_blocks_cannot_be_told_from_them():
    design = full_factorial(SPACE)
    lots = ["first" if setting == 30.0 else "second" for setting in design.runs["temperature"]]

    evaluation = evaluate(design, "temperature + pH + feed", blocks={"lot": lots})

    term = evaluation.tested_terms[1]
    assert not term.is_estimable
    assert term.aliased_with == ("block 'lot'",)
    assert evaluation.not_estimable == ("temperature",)
    assert evaluation.tested_terms[2].power is not None


@pytest.mark.requirement("DOE-8")
def test_repeats_are_pure_error_only_within_a_block():
    space = FactorSpace((CategoricalFactor("resin", ("A", "B")),))
    runs = pd.DataFrame({"resin": list("AABBAABB")})

    within = evaluate(runs, "resin", space=space, blocks={"day": [1, 1, 1, 1, 2, 2, 2, 2]})
    across = evaluate(runs, "resin", space=space, blocks={"day": [1, 2, 1, 2, 3, 4, 3, 4]})

    assert within.degrees_of_freedom.pure_error == 4
    assert across.degrees_of_freedom.pure_error == 0
    assert across.degrees_of_freedom.lack_of_fit == across.degrees_of_freedom.residual


@pytest.mark.requirement("DOE-7")
def test_in_a_split_split_plot_each_term_meets_the_error_of_its_stratum():
    """Containment: 4 whole plots, 2 sub-plots in each, 2 runs in each of those."""
    rows, whole, sub = [], [], []
    for plot in range(4):
        for half, acidity in enumerate((6.6, 7.4)):
            for feed in (1.0, 5.0):
                rows.append((40.0 if plot % 2 else 30.0, acidity, feed))
                whole.append(str(plot))
                # Numbered within the whole plot: half 0 of plot 0 is not half 0 of plot 1.
                sub.append(str(half))
    design = Design(
        SPACE,
        pd.DataFrame(rows, columns=list(SPACE.names)),
        "split-split plot",
        blocks={"vessel": tuple(whole), "half": tuple(sub)},
        whole_plots=("vessel", "half"),
    )

    table = evaluate(design, "temperature + pH + feed").terms_table().set_index("term")

    assert table.loc["temperature", "error df"] == 4 - 2
    assert table.loc["pH", "error df"] == 8 - 4 - 1
    assert table.loc["feed", "error df"] == 16 - 8 - 1


@pytest.mark.requirement("DOE-7")
@pytest.mark.requirement("DOE-11")
def test_a_setting_that_strays_within_its_whole_plot_is_still_tested_between_whole_plots():
    design = split_plot(n_whole_plots=6)
    strayed = design.runs.copy()
    strayed["temperature"] += np.random.default_rng(2).normal(0.0, 0.3, len(strayed))

    planned = evaluate(design, "temperature*pH")
    achieved = evaluate(
        strayed,
        "temperature*pH",
        space=SPACE,
        blocks=design.blocks,
        variance_ratio={"whole plot": 1.0},
    )

    assert [term.df_error for term in achieved.tested_terms] == [4, 4, 16, 16]
    assert [term.df_error for term in planned.tested_terms] == [4, 4, 16, 16]
    assert achieved.degrees_of_freedom.residual == planned.degrees_of_freedom.residual == 16
    assert achieved.tested_terms[1].power == pytest.approx(planned.tested_terms[1].power, abs=0.1)


@pytest.mark.requirement("DOE-8")
def test_a_table_brings_the_block_factors_of_its_space_along():
    space = FactorSpace((*SPACE.factors, BlockFactor("vessel"), BlockFactor("lot", random=False)))
    runs = pd.concat([full_factorial(SPACE).runs] * 2, ignore_index=True)
    runs["vessel"] = [1, 2] * 8
    runs["lot"] = ["x"] * 8 + ["y"] * 8

    evaluation = evaluate(runs, "temperature + pH", space=space)

    assert [(group.name, group.variance_ratio) for group in evaluation.blocks] == [
        ("vessel", 1.0),
        ("lot", None),
    ]


def test_blocks_that_are_not_there_or_do_not_fit_are_refused():
    design = split_plot()

    with pytest.raises(UnknownNameError, match="no block 'day'"):
        evaluate(design, "pH", blocks=["day"])
    with pytest.raises(UnknownNameError, match=r"variance_ratio names \['day'\]"):
        evaluate(design, "pH", variance_ratio={"day": 1.0})
    with pytest.raises(DesignError, match="3 levels for 16 runs"):
        evaluate(design, "pH", blocks={"day": [1, 2, 3]})
    with pytest.raises(DesignError, match="must not be negative, got -1"):
        evaluate(design, "pH", variance_ratio=-1.0)
    with pytest.raises(DesignError, match=r"write \['whole plot'\]"):
        evaluate(design, "pH", blocks="whole plot")


@pytest.mark.parametrize(
    ("vessels", "words"),
    [
        ([None] * 8, "'vessel' is left out, because it is not known yet: evaluate again"),
        (["1"] * 5 + [None] * 3, "because it is not known yet for 3 of 8 runs: evaluate again"),
    ],
)
def test_blocks_that_are_not_known_yet_are_left_out(vessels, words):
    space = FactorSpace(
        (ContinuousFactor("a", 0.0, 1.0), ContinuousFactor("b", 0.0, 1.0), BlockFactor("vessel"))
    )
    runs = full_factorial(FactorSpace(space.searched), replicates=2).runs.assign(vessel=vessels)

    evaluation = evaluate(runs, "a + b", space=space)

    assert evaluation.blocks == ()
    assert evaluation.degrees_of_freedom.residual == 5
    assert any(words in sentence for sentence in evaluation.sentences())


def test_repeats_in_other_blocks_are_no_repeats_within_one():
    space = FactorSpace((ContinuousFactor("a", 0.0, 1.0), ContinuousFactor("b", 0.0, 1.0)))
    runs = full_factorial(space, replicates=2).runs.sort_values(["a", "b"])

    evaluation = evaluate(runs, "a + b", space=space, blocks={"day": ["1", "2"] * 4})

    assert any("No run is repeated within a block" in words for words in evaluation.sentences())

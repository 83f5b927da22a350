"""An evaluation in words, tables and JSON: the numbers in them are the evaluation's own."""

import json

import numpy as np
import pandas as pd
import pytest

from doe.designs import central_composite, full_factorial
from doe.evaluation import evaluate
from doe.factors import ContinuousFactor, MixtureComponent
from doe.space import FactorSpace
from doe.terms import linear_terms, quadratic_terms

pytestmark = pytest.mark.requirement("DOE-10")

SPACE = FactorSpace(
    (ContinuousFactor("pH", 6.0, 8.0), ContinuousFactor("temperature", 30.0, 40.0, "degC"))
)


def test_the_terms_table_has_a_row_per_term_with_its_power_and_inflation():
    table = evaluate(full_factorial(SPACE, replicates=2), "pH*temperature").terms_table()

    assert table["term"].tolist() == ["Intercept", "pH", "temperature", "pH:temperature"]
    assert table["VIF"].iloc[1:].tolist() == pytest.approx([1.0, 1.0, 1.0])
    assert table["estimable"].all()
    assert table["error df"].tolist() == [4, 4, 4, 4]
    assert table["standard error"].tolist() == pytest.approx([8**-0.5] * 4)


def test_the_summary_says_what_each_number_means():
    summary = evaluate(central_composite(SPACE, kind="face-centred"), quadratic_terms(SPACE))

    table = summary.summary().set_index("measure")
    assert table.loc["runs", "value"] == 13
    assert table.loc["df pure error", "value"] == 4
    assert table.loc["D efficiency (%)", "value"] == pytest.approx(summary.efficiencies.d)
    assert table.loc["prediction SD at 80 %", "value"] == pytest.approx(summary.prediction_sd(0.8))
    assert table["meaning"].str.len().min() > 0


def test_words_follow_the_numbers():
    saturated = evaluate(full_factorial(SPACE), "pH*temperature").sentences()
    unrepeated = evaluate(full_factorial(SPACE, levels=3), quadratic_terms(SPACE)).sentences()
    strong = evaluate(full_factorial(SPACE, replicates=10), "pH + temperature").sentences()
    weak = evaluate(full_factorial(SPACE, replicates=2), "pH", effect=0.5).sentences()

    assert any("No run is left to estimate the error" in words for words in saturated)
    assert any("No run is repeated" in words for words in unrepeated)
    assert any("found with a probability of at least" in words for words in strong)
    assert any("below 0.8 for pH" in words for words in weak)


@pytest.mark.parametrize(("spread", "words"), [(0.4, "above 5"), (0.1, "above 10")])
def test_columns_that_run_together_are_named_with_their_inflation(spread, words):
    rng = np.random.default_rng(3)
    common = rng.uniform(-0.8, 0.8, 30)
    runs = SPACE.to_natural(
        pd.DataFrame({"pH": common, "temperature": common + spread * rng.uniform(-1, 1, 30)})
    )

    sentences = evaluate(runs, linear_terms(SPACE), space=SPACE).sentences()

    (found,) = [sentence for sentence in sentences if "Variance inflation" in sentence]
    assert words in found
    assert "pH" in found


def test_the_record_is_plain_json_of_a_readable_size_and_holds_the_numbers():
    mixture = FactorSpace((MixtureComponent("a"), MixtureComponent("b"), MixtureComponent("c")))
    runs = mixture.sample(300, rng=np.random.default_rng(0))
    evaluation = evaluate(
        runs, quadratic_terms(mixture), space=mixture, rng=np.random.default_rng(1)
    )

    text = json.dumps(evaluation.to_record(), allow_nan=False)

    assert len(text) < 10_000
    record = json.loads(text)
    assert record["n_runs"] == 300
    assert record["d_efficiency"] == evaluation.efficiencies.d
    assert [term["term"] for term in record["terms"]] == list(evaluation.terms.names)
    curve = record["fraction_of_design_space"]
    assert curve["prediction_sd"][16] == pytest.approx(evaluation.prediction_sd(0.8))
    assert curve["fraction"][16] == 0.8


def test_a_record_of_runs_that_cannot_estimate_the_model_has_nulls_and_no_made_up_numbers():
    runs = full_factorial(SPACE).runs.head(2)

    record = evaluate(runs, quadratic_terms(SPACE), space=SPACE).to_record()

    assert json.loads(json.dumps(record, allow_nan=False))["condition_number"] is None
    assert record["fraction_of_design_space"] is None
    assert record["d_efficiency"] == 0.0
    assert all(term["power"] is None for term in record["terms"])
    assert record["sentences"][0].startswith("2 runs cannot estimate")


def test_a_mixture_is_not_measured_against_orthogonal_runs():
    mixture = FactorSpace(tuple(MixtureComponent(name) for name in "abc"))
    runs = mixture.sample(9, rng=np.random.default_rng(1))

    table = evaluate(runs, "linear", space=mixture).summary().set_index("measure")

    for measure in ("D efficiency (%)", "A efficiency (%)"):
        assert "orthogonal" not in table.loc[measure, "meaning"]

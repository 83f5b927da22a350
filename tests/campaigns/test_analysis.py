"""The analysis of a campaign's response: which model, what it says, and how it is locked."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from campaigns.analysis import analyse
from campaigns.campaign import Campaign
from campaigns.cli import app
from campaigns.screening import screen
from doe.errors import InvalidValueError, TooFewDataError, UnknownNameError
from doe.factors import BlockFactor, ContinuousFactor
from doe.responses import Goal, Response, Single, Specification
from doe.runs import Design, Measurement, Observations
from doe.space import FactorSpace
from surrogates.linear.mixed_models.mixed import MixedModel
from surrogates.linear.model import LinearModel
from tests.campaigns.campaigns import ANA

STORE = Path("bayeswell.sqlite")
REASON = "no lack of fit, and it is what the literature uses"
# Montgomery, Design and Analysis of Experiments, example 11-1: coded settings and yield.
AXIAL = 2**0.5
CODED = [(-1, -1), (-1, 1), (1, -1), (1, 1), *[(0, 0)] * 5]
CODED += [(AXIAL, 0), (-AXIAL, 0), (0, AXIAL), (0, -AXIAL)]
YIELDS = [76.5, 77.0, 78.0, 79.5, 79.9, 80.3, 80.0, 79.7, 79.8, 78.4, 75.6, 78.5, 77.0]
SPACE = FactorSpace(
    (ContinuousFactor("time", 80, 90, "min"), ContinuousFactor("temperature", 170, 180, "degF"))
)


def composite(store: str | Path = ":memory:", *, n_runs: int = 13) -> Campaign:
    """Return Montgomery's central composite design, done."""
    campaign = Campaign.create(
        store,
        "composite",
        SPACE,
        (Response("yield", "%"),),
        (Specification("yield", lower=78.5),),
        Single(Goal("yield", "maximise")),
        seed=1,
        actor=ANA,
    )
    settings = [(85 + 5 * time, 175 + 5 * temperature) for time, temperature in CODED]
    runs = pd.DataFrame(settings, columns=["time", "temperature"])
    names = campaign.seed(Design(SPACE, runs, "central composite"))
    values = list(zip(names, YIELDS, strict=True))[:n_runs]
    campaign.record(Measurement(name, "yield", value) for name, value in values)
    return campaign


# Lawson, Design and Analysis of Experiments with R: cakes of four oven runs (daewr, cakeb).
OVENS = (1, 1, 1, 2, 2, 2, 3, 3, 4, 4, 4)
CAKES = [(-1, -1), (-1, 1), (-1, 0), (1, -1), (1, 1), (1, 0), (0, -1), (0, 1)] + [(0, 0)] * 3
VOLUMES = (2.7, 2.5, 2.7, 2.9, 1.3, 2.2, 3.7, 2.9, 2.9, 2.8, 2.9)
# Box, Hunter and Hunter, Statistics for Experimenters, 2nd ed.: a half fraction of the reactor
# example's factors, three of them crossed and one the product of the three.
CROSSED = [(x, z, w, x * z * w) for x in (-1, 1) for z in (-1, 1) for w in (-1, 1)]


def coded(
    values: Sequence[float | str],
    settings: Sequence[tuple[float, ...]],
    *,
    block: Sequence[object] = (),
    random: bool = True,
    store: str | Path = ":memory:",
) -> Campaign:
    """Return runs at coded settings, in blocks if there are any, with their values."""
    names = list("xzwvutsrq"[: len(settings[0])])
    factors = [ContinuousFactor(name, -1, 1) for name in names]
    space = FactorSpace((*factors, *([BlockFactor("oven", random=random)] if block else [])))
    responses = (Response("volume", "mL"),)
    table = pd.DataFrame(settings, columns=names, dtype=float).assign(volume=list(values))
    if block:
        table = table.assign(oven=[str(level) for level in block])
    campaign = Campaign.create(store, "coded", space, responses, seed=1, actor=ANA)
    campaign.import_runs(Observations.from_frame(table, space, responses))
    return campaign


def cakes() -> Campaign:
    """Return Lawson's split-plot response surface, oven runs random."""
    return coded(VOLUMES, CAKES, block=OVENS)


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAYESWELL_STORE", str(STORE))
    monkeypatch.setenv("BAYESWELL_ACTOR", "ana")
    composite(STORE).close()
    runner = CliRunner()
    return lambda *words: runner.invoke(app, [str(word) for word in words])


@pytest.mark.requirement("ANA-1", "ANA-2", "ANA-6")
def test_the_textbook_analysis_comes_out_of_a_campaign() -> None:
    """Reference case 1."""
    found = analyse(composite(), "yield")

    tables = found.tables()
    fit = tables["fit"]["value"]
    assert fit["residual SD"] == pytest.approx(0.2659999606808521)
    assert fit["Q2"] == pytest.approx(0.91838835)
    anova = tables["analysis of variance"]
    assert anova.loc["Model", "F"] == pytest.approx(79.84565, rel=1e-6)
    assert anova.loc["Lack of fit", "p"] == pytest.approx(0.28970, rel=1e-4)
    assert "quadratic, suggested by the sequential fit summary" in found.basis
    assert "choose-model" in found.basis


@pytest.mark.requirement("ANA-4", "ANA-9")
def test_the_stationary_point_is_given_in_natural_units() -> None:
    point = analyse(composite(), "yield", terms="quadratic").tables()["stationary point"]

    values = point.to_numpy().ravel().tolist()
    numbers = [value for value in values if isinstance(value, float)]
    assert any(value == pytest.approx(86.946, abs=1e-3) for value in numbers)
    assert any(value == pytest.approx(176.529, abs=1e-3) for value in numbers)


@pytest.mark.requirement("ANA-5")
def test_a_model_that_was_chosen_is_used_until_another_one_is() -> None:
    campaign = composite()
    campaign.choose_model("yield", "time*temperature", reason=REASON)

    locked = analyse(campaign, "yield")
    other = analyse(campaign, "yield", terms="quadratic")
    campaign.choose_model("yield", "quadratic", reason="curvature shows")

    assert locked.basis == "Model: time*temperature, chosen for yield."
    assert locked.model.terms.names == ("Intercept", "time", "temperature", "time:temperature")
    assert len(other.model.terms.names) == 6
    assert analyse(campaign, "yield").basis == "Model: quadratic, chosen for yield."
    assert campaign.surrogates()["yield"].describe()["terms"] == list(other.model.terms.names)


def test_a_formula_stays_in_the_record_with_its_reason() -> None:
    campaign = composite()
    campaign.choose_model("yield", "time + I(time**2)", reason=REASON)

    event = list(campaign.events())[-1]
    assert (event.kind, event.reason) == ("model-chosen", REASON)
    assert event.payload["model"] == "time + I(time**2)"


@pytest.mark.parametrize(
    ("model", "censored", "message"),
    [
        ("random forest", "refuse", r"'random forest' does not exist here; choose one of gauss"),
        ("time*pressure", "refuse", r"names 'pressure', which is not a factor"),
        ("gaussian_process", "likelihood", r"by their likelihood in linear models only"),
    ],
)
def test_a_model_that_does_not_exist_is_not_recorded(model, censored, message) -> None:
    campaign = composite()

    with pytest.raises(InvalidValueError, match=message):
        campaign.choose_model("yield", model, censored=censored, reason=REASON)
    assert campaign.state.models == {}


@pytest.mark.requirement("ANA-14")
def test_values_below_detection_are_taken_by_their_likelihood_when_that_was_chosen() -> None:
    campaign = composite(n_runs=12)
    campaign.record([Measurement("13", "yield", 77.5, qualifier="<")])
    campaign.choose_model("yield", "quadratic", censored="likelihood", reason=REASON)

    found = analyse(campaign, "yield")

    assert set(found.tables()) == {"coefficients, coded", "values at a limit"}
    means = campaign.surrogates()["yield"].predict(pd.DataFrame(SPACE_CENTRE)).mean
    assert means[0] == pytest.approx(79.94, abs=0.1)


@pytest.mark.requirement("ANA-14")
def test_without_values_at_a_limit_nothing_is_treated_and_random_blocks_stay_random() -> None:
    found = analyse(cakes(), "volume", terms="linear", censored="likelihood")

    assert isinstance(found.model, MixedModel)
    assert "No value of 'volume' is known only as a limit" in found.remarks[0]


def test_values_that_are_all_limits_have_no_model() -> None:
    campaign = coded(["<1"] * 8, CROSSED)

    with pytest.raises(TooFewDataError, match="All 8 values of 'volume' are known only as a limit"):
        analyse(campaign, "volume", censored="leave_out")
    with pytest.raises(TooFewDataError, match="more sensitive method"):
        analyse(campaign, "volume", censored="likelihood")


SPACE_CENTRE = {"time": [85.0], "temperature": [175.0]}


@pytest.mark.requirement("ANA-12", "DOE-7")
def test_whole_plots_of_a_design_are_random_in_the_analysis() -> None:
    space = FactorSpace(
        (
            ContinuousFactor("temperature", 30, 37, "degC", change="hard"),
            ContinuousFactor("pH", 6.8, 7.4),
        )
    )
    campaign = Campaign.create(
        ":memory:", "plots", space, (Response("titre", "g/L"),), seed=1, actor=ANA
    )
    rng = np.random.default_rng(5)
    temperatures = np.repeat([30.0, 37.0] * 4, 3)
    plots = np.repeat(np.arange(1, 9), 3)
    ph = np.tile([6.8, 7.1, 7.4], 8)
    extended = FactorSpace((*space.factors, BlockFactor("whole plot")))
    design = Design(
        extended,
        pd.DataFrame({"temperature": temperatures, "pH": ph}),
        "split-plot",
        blocks={"whole plot": tuple(map(str, plots))},
        whole_plots=("whole plot",),
    )
    noise = rng.normal(0, 1.0, 9)[plots] + rng.normal(0, 0.2, 24)
    titres = 5 + 0.1 * (temperatures - 33) + 2 * (ph - 7.1) + noise
    runs = campaign.seed(design)
    campaign.record(Measurement(r, "titre", v) for r, v in zip(runs, titres, strict=True))

    found = analyse(campaign, "titre", terms="linear")

    assert isinstance(found.model, MixedModel)
    anova = found.tables()["analysis of variance"].set_index("term")
    # Balanced: eight whole plots less two, and 24 runs less whole plots and the slope of pH.
    assert anova.loc["temperature", "denominator df"] == pytest.approx(6, abs=1e-6)
    assert anova.loc["pH", "denominator df"] == pytest.approx(15, abs=1e-6)
    assert "variance components" in found.tables()


@pytest.mark.requirement("ANA-12")
def test_with_random_blocks_the_mixed_model_says_which_order_to_start_from() -> None:
    """Within oven runs the interaction is a contrast of least squares with a constant for each."""
    found = analyse(cakes(), "volume")

    ovens = (np.array(OVENS)[:, None] == np.arange(1, 5)).astype(float)
    x, z = np.array(CAKES, dtype=float).T
    matrix = np.column_stack([ovens, z, x * z])
    estimate, rss, *_ = np.linalg.lstsq(matrix, np.array(VOLUMES))
    variance = rss[0] / 5 * np.linalg.inv(matrix.T @ matrix)[5, 5]
    anova = found.tables()["analysis of variance"].set_index("term")
    assert anova.loc["x:z", "F"] == pytest.approx(estimate[5] ** 2 / variance, rel=1e-3)
    assert anova.loc["x:z", "denominator df"] == pytest.approx(5, abs=1e-2)
    assert found.basis.startswith("Model: interaction, the highest order that the mixed model can")
    assert "quadratic p 0.4" in found.basis


@pytest.mark.requirement("ANA-12")
def test_without_any_significant_order_the_mixed_model_starts_from_main_effects() -> None:
    rng = np.random.default_rng(3)
    settings = CROSSED * 3
    found = analyse(coded(rng.normal(10, 1, 24), settings, block=[1, 2, 3, 4] * 6), "volume")

    assert found.basis.startswith("Model: linear, though the added terms of no order are")
    assert isinstance(found.model, MixedModel)


@pytest.mark.requirement("ANA-12")
@pytest.mark.parametrize(
    ("block", "random", "said"),
    [
        (range(1, 12), True, "'oven' has one run in each level and is not in the model"),
        ([1] * 11, True, "All runs are in one level of block factor 'oven'"),
        ([1] * 11, False, "All runs are in one level of block factor 'oven'"),
    ],
)
def test_a_block_factor_that_says_nothing_is_left_out_and_it_is_said(block, random, said) -> None:
    found = analyse(coded(VOLUMES, CAKES, block=list(block), random=random), "volume")
    plain = analyse(coded(VOLUMES, CAKES), "volume")

    assert isinstance(found.model, LinearModel)
    assert any(said in sentence for sentence in found.sentences())
    assert found.model.coefficients == pytest.approx(plain.model.coefficients)
    assert found.model.residual_std == pytest.approx(plain.model.residual_std)


@pytest.mark.requirement("ANA-7")
def test_a_saturated_model_has_its_effects_drawn_and_says_which_figures_there_are_none_of() -> None:
    crossed = [(*row[:3], row[0] * row[1], row[0] * row[2], row[1] * row[2]) for row in CROSSED]
    crossed = [(*row, row[0] * row[1] * row[2]) for row in crossed]
    values = [60, 72, 54, 68, 52, 83, 45, 80]

    found = analyse(coded(values, crossed), "volume")

    assert found.model.degrees == 0
    assert found.basis.startswith("Model: linear; it takes every degree of freedom")
    assert {"effects, half-normal", "effects, Pareto"} <= set(found.plots())
    assert found.tables()["effects"].loc["x", "effect"] == pytest.approx(1.5)
    reasons = [note for note in found.notes() if "'residuals, normal'" in note]
    assert len(reasons) == 1
    assert "every residual is zero" in reasons[0]


def test_an_exact_fit_has_tables_and_the_figures_that_exist() -> None:
    values = [3 + x - 2 * z for x, z in CAKES]

    found = analyse(coded(values, CAKES), "volume", terms="linear")

    assert "predicted against measured" in found.plots()
    assert {"diagnostics", "coefficients, coded"} <= set(found.tables())
    assert any("reproduces every run" in note for note in found.notes())


@pytest.mark.requirement("ANA-6")
def test_every_finding_has_its_run_coefficient_value_and_threshold() -> None:
    found = analyse(composite(), "yield", terms="quadratic")

    tables = found.tables()
    findings = found.model.diagnostics(run_order=found.run_order).findings
    table, changes = tables["findings"], tables["influence on coefficients"]
    assert list(table["sentence"]) == [finding.sentence for finding in findings]
    assert all(table["action"])
    moved = table[table["finding"] == "influence on a coefficient"]
    assert len(moved)
    for row in moved.itertuples():
        assert changes.loc[row.run, row.coefficient] == pytest.approx(row.value)
        assert abs(row.value) > row.threshold
        assert row.coefficient in row.sentence
    assert "table 'findings'" in " ".join(found.sentences())


@pytest.mark.parametrize("method", ["forward", "stepwise"])
def test_terms_can_be_selected_from_more_candidates_than_runs(method) -> None:
    """Eleven coefficients, eight runs; the values are 10 + 4x + 3z + 1.5xz and a little noise."""
    noise = [0.02, -0.01, 0.03, -0.03, 0.01, 0.02, -0.02, -0.01]
    settings = np.array(CROSSED, dtype=float)
    x, z = settings[:, 0], settings[:, 1]
    values = 10 + 4 * x + 3 * z + 1.5 * x * z + noise

    found = analyse(coded(values, CROSSED), "volume", terms="interaction", select=method)

    assert {"x", "z", "x:z"} <= set(found.model.terms.names)
    assert found.model.degrees > 0
    assert "of 10 candidate" in found.basis


def test_backward_selection_from_more_candidates_than_runs_names_the_other_ways() -> None:
    with pytest.raises(TooFewDataError, match=r"all 11 coefficients, and 8 runs .*'forward'"):
        analyse(coded(range(8), CROSSED), "volume", terms="interaction", select="backward")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"anova_kind": "I"}, "independent errors only; that of 'volume' has random blocks"),
        ({"criterion": "BIC"}, "decides a selection of terms, and none was asked for"),
        ({"terms": "Quadratic"}, "'Quadratic' is written 'quadratic' here"),
        ({"terms": "linear "}, "'linear ' is written 'linear' here"),
    ],
)
def test_an_option_that_means_nothing_here_is_refused(options, message) -> None:
    with pytest.raises(InvalidValueError, match=message):
        analyse(cakes(), "volume", **options)


@pytest.mark.requirement("ANA-7")
def test_the_effects_of_a_fraction_come_out_of_a_campaign() -> None:
    values = [45, 100, 45, 65, 75, 60, 80, 96]

    found = screen(coded(values, CROSSED), "volume", "effects")

    table = found.tables()["effects"]
    x = np.array([row[0] for row in CROSSED])
    assert table.loc["x", "effect"] == pytest.approx(x @ np.array(values) / 4)
    assert "effects, half-normal" in found.plots()
    with pytest.raises(InvalidValueError, match="1 of 8 values of 'volume' are known only as a"):
        screen(coded(["<45", *values[1:]], CROSSED), "volume", "effects")
    with pytest.raises(InvalidValueError, match="for the two stages of a definitive screening"):
        screen(coded(values, CROSSED), "volume", "bayesian", noise="residual")


def test_an_unknown_response_is_refused() -> None:
    with pytest.raises(UnknownNameError, match="No response is called 'titre'"):
        analyse(composite(), "titre")


@pytest.mark.requirement("ANA-5", "ANA-7")
def test_the_command_writes_every_table_and_figure_with_its_data(run) -> None:
    answered = run("analyse", "yield", "--terms", "quadratic", "--out", "analysis", "--json")

    assert answered.exit_code == 0, answered.stderr
    document = json.loads(answered.stdout)
    files = {Path(file).name for file in document["files"]}
    assert {path.name for path in Path("analysis").iterdir()} == files
    figures = {name.removesuffix(".png") for name in files if name.endswith(".png")}
    wanted = {"contours", "interaction", "perturbation", "box-cox"}
    assert {f"yield_{name}" for name in wanted} <= figures
    assert {f"{name}_data.csv" for name in figures} <= files
    assert document["tables"]["analysis of variance"][0]["F"] == pytest.approx(79.84565, rel=1e-6)


def test_the_command_selects_terms_and_logs_why(run) -> None:
    """Reference case 1: the interaction has p .1022, and goes at a limit of .10."""
    shown = run("analyse", "yield", "--terms", "quadratic", "--select", "backward")

    words = " ".join(shown.stdout.split())
    assert shown.exit_code == 0, shown.stderr
    assert "time:temperature" not in words.split("Fit summary")[0]


def test_the_command_refuses_to_overwrite_and_says_what_it_takes(run) -> None:
    assert run("analyse", "yield", "--out", "analysis").exit_code == 0

    again = run("analyse", "yield", "--out", "analysis")
    unknown = run("analyse", "titre")

    assert again.exit_code == 2
    assert "--force" in again.stderr
    assert unknown.exit_code == 2
    assert "No response is called 'titre'" in unknown.stderr


def test_the_command_refuses_a_folder_that_is_none(run) -> None:
    Path("notes.txt").write_text("a file")

    a_file = run("analyse", "yield", "--out", "notes.txt")
    below_a_file = run("analyse", "yield", "--out", "notes.txt/analysis")

    assert (a_file.exit_code, below_a_file.exit_code) == (2, 2)
    assert "'notes.txt' is a file: name a folder" in a_file.stderr
    assert "cannot be made" in below_a_file.stderr


def test_refusals_speak_of_the_options_of_the_command(run) -> None:
    kinds = run("analyse", "yield", "--by", "BIC")
    screening = run("analyse", "yield", "--screening", "effects", "--terms", "linear")
    noise = run("analyse", "yield", "--noise", "clean")
    case = run("analyse", "yield", "--terms", "Linear")

    assert "say --select backward, forward, stepwise or all" in kinds.stderr
    assert "`analyse --screening effects` takes no --terms" in screening.stderr
    assert "--noise clean is for --screening definitive" in noise.stderr
    assert "give --terms linear" in case.stderr


def test_the_command_offers_every_treatment_of_values_at_a_limit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    coded(["<1", *VOLUMES[1:]], CAKES, store=STORE).close()

    answered = CliRunner().invoke(app, ["analyse", "volume", "--actor", "ana"])

    assert answered.exit_code == 2
    assert "--censored leave_out, at_limit or likelihood" in answered.stderr


@pytest.mark.requirement("ANA-7")
def test_the_command_screens_and_writes_tables_and_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    coded([45, 100, 45, 65, 75, 60, 80, 96], CROSSED, store=STORE).close()
    words = ["analyse", "volume", "--screening", "bayesian", "--out", "found", "--json"]

    answered = CliRunner().invoke(app, [*words, "--actor", "ana"])

    assert answered.exit_code == 0, answered.stderr
    document = json.loads(answered.stdout)
    assert {row["factor"] for row in document["tables"]["probabilities"]} == {*"xzwv"}
    assert Path("found/volume_active_factors.png").stat().st_size > 0


@pytest.mark.requirement("ANA-12")
def test_the_command_writes_the_tables_of_a_mixed_model_with_intervals_without_an_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    coded(VOLUMES, CAKES, block=[1] * 6 + [2] * 5, store=STORE).close()
    words = ["analyse", "volume", "--terms", "z", "--out", "found"]

    answered = CliRunner().invoke(app, [*words, "--actor", "ana"])

    assert answered.exit_code == 0, answered.stderr
    assert Path("found/volume_variance_components.csv").exists()

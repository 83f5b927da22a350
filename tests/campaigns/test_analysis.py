"""The analysis of a campaign's response: which model, what it says, and how it is locked."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner, Result

from campaigns.analysis import analyse
from campaigns.campaign import Campaign
from campaigns.cli import app
from doe.errors import InvalidValueError, UnknownNameError
from doe.factors import BlockFactor, ContinuousFactor
from doe.responses import Goal, Response, Single, Specification
from doe.runs import Design, Measurement
from doe.space import FactorSpace
from surrogates.linear.mixed_models.mixed import MixedModel
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

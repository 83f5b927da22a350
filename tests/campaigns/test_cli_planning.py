"""Planning on the command line: every kind of design, advice, evaluation, further runs."""

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import get_args

import openpyxl
import pytest
from typer.testing import CliRunner, Result

from campaigns.campaign import Campaign
from campaigns.cli import app
from campaigns.commands.design_options import KINDS, OPTIONS
from campaigns.commands.designs import KindName
from campaigns.commands.extending import Addition
from campaigns.commands.option_words import ADDITIONS, in_options
from doe.designs import full_factorial
from doe.errors import ExperimentError
from doe.factors import BlockFactor, CategoricalFactor, ContinuousFactor, MixtureComponent
from doe.space import FactorSpace
from tests.campaigns.campaigns import ANA, corners, new_campaign, results

Run = Callable[..., Result]
STORE = Path("bayeswell.sqlite")
THREE = FactorSpace(
    (
        ContinuousFactor("pH", 6.8, 7.4),
        ContinuousFactor("temperature", 30, 38, "degC", change="hard"),
        ContinuousFactor("feed", 1, 5, "g/L"),
    )
)
BLEND = FactorSpace((MixtureComponent("a"), MixtureComponent("b"), MixtureComponent("c")))


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BAYESWELL_STORE", str(STORE))
    monkeypatch.setenv("BAYESWELL_ACTOR", "ana")


@pytest.fixture
def run() -> Run:
    runner = CliRunner()
    return lambda *words: runner.invoke(app, [str(word) for word in words])


def answer(result: Result) -> dict[str, object]:
    """Return the JSON that a command answered with."""
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def test_every_kind_that_can_be_typed_is_known_and_takes_only_known_options() -> None:
    flags = {option.flag for option in OPTIONS}

    assert set(get_args(KindName)) == set(KINDS)
    assert all(set(kind.arguments) <= flags for kind in KINDS.values())
    assert all(set(kind.needs) <= set(kind.arguments) for kind in KINDS.values())


@pytest.mark.requirement("DOE-8")
@pytest.mark.parametrize(
    ("words", "n_runs"),
    [
        (("full-factorial", "--blocks", "2"), 8),
        (("fractional-factorial", "--generator", "feed=pH*temperature"), 4),
        (("definitive-screening", "--extra-runs", "4"), 13),
        (("central-composite", "--variant", "inscribed", "--centre-points", "0"), 14),
        (("box-behnken", "--centre-points", "1"), 13),
        (("doehlert", "--centre-points", "2"), 14),
        (("latin-hypercube", "--runs", "7", "--criterion", "correlation"), 7),
        (("max-projection", "--runs", "8"), 8),
        (("fast-flexible", "--runs", "8"), 8),
        (("optimal", "--runs", "13", "--terms", "quadratic", "--replicates", "2"), 13),
        (("optimal", "--runs", "12", "--terms", "linear", "--criterion", "D", "--blocks", "3"), 12),
        (("split-plot", "--runs", "12", "--terms", "interaction", "--whole-plots", "4"), 12),
        (("latin-hypercube", "--runs", "12", "--blocks", "3", "--terms", "linear"), 12),
        (("doehlert", "--centre-points", "2", "--blocks", "2", "--terms", "linear"), 14),
        (("full-factorial", "--blocks", "3", "--terms", "linear"), 8),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else str(value),
)
def test_a_design_of_each_kind_becomes_runs_and_a_sheet(
    run: Run, words: tuple[str, ...], n_runs: int
) -> None:
    new_campaign(STORE, space=THREE).close()

    planned = answer(run("design", *words, "--out", "sheet.xlsx", "--json"))

    assert len(planned["runs"]) == n_runs
    assert planned["randomisation"]
    heading = [cell.value for cell in openpyxl.load_workbook("sheet.xlsx")["runs"][1]]
    assert {"run code", "feed [g/L]", "feed (actual) [g/L]", "titre [g/L]"} <= set(heading)
    with Campaign.open(STORE, "feed study", actor=ANA) as campaign:
        assert len(campaign.state.runs) == n_runs
        assert campaign.space.contains(campaign.state.pending()[list(THREE.names)]).all()


@pytest.mark.requirement("DOE-9")
@pytest.mark.parametrize(
    ("words", "n_runs"),
    [
        (("simplex-lattice", "--degree", "3"), 10),
        (("simplex-centroid",), 7),
        (("extreme-vertices", "--centroids", "edges"), 7),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else str(value),
)
def test_a_mixture_design_becomes_runs(run: Run, words: tuple[str, ...], n_runs: int) -> None:
    new_campaign(STORE, space=BLEND).close()

    assert len(answer(run("design", *words, "--preview", "--json"))["table"]) == n_runs


@pytest.mark.requirement("DOE-7", "DOE-8")
def test_a_split_plot_keeps_whole_plots_together_and_says_so(run: Run) -> None:
    new_campaign(STORE, space=THREE).close()
    words = ("--runs", "12", "--terms", "interaction", "--whole-plots", "4")

    planned = answer(run("design", "split-plot", *words, "--json"))

    plots = [row["whole plot"] for row in planned["table"]]
    assert sum(one != other for one, other in pairwise(plots)) == 3
    assert str(planned["randomisation"]).startswith("restricted: the order of whole plot was drawn")


@pytest.mark.requirement("DOE-5", "DOE-8")
def test_runs_are_planned_within_a_limit_of_cost(run: Run) -> None:
    new_campaign(STORE, space=THREE).close()
    words = ("optimal", "--runs", "10", "--terms", "linear", "--cost", "10 + 2 * feed")

    dear = answer(run("design", *words, "--preview", "--json"))
    cheap = answer(run("design", *words, "--cost-limit", "150", "--preview", "--json"))

    assert dear["details"]["total_cost"] == pytest.approx(160)
    assert cheap["details"]["total_cost"] <= 150
    assert sum(10 + 2 * row["feed"] for row in cheap["table"]) == pytest.approx(
        cheap["details"]["total_cost"]
    )


@pytest.mark.requirement("DOE-5")
def test_fewer_runs_than_terms_are_planned_when_some_terms_are_only_possible(run: Run) -> None:
    new_campaign(STORE, space=THREE).close()
    words = ("--criterion", "bayesian D", "--terms", "linear", "--possible-terms", "quadratic")

    found = answer(run("design", "optimal", "--runs", "8", *words, "--preview", "--json"))

    assert found["n_runs"] == 8
    assert found["runs"] is None


@pytest.mark.requirement("DOE-13")
def test_advice_compares_designs_and_records_nothing(run: Run) -> None:
    new_campaign(STORE, space=THREE).close()
    words = ("--goal", "optimise", "--budget", "24", "--effect", "0.4", "--sd", "0.2")

    found = answer(run("design", "--advise", *words, "--json"))
    shown = run("design", "--advise", *words)

    assert len(found["designs"]) >= 3
    assert {"runs", "estimable", "least power", "largest VIF", "cost", "for", "against"} <= set(
        found["designs"][0]
    )
    assert found["sentences"][0] in " ".join(shown.stdout.split())
    with Campaign.open(STORE, "feed study", actor=ANA) as campaign:
        assert campaign.state.sequence == 1


@pytest.mark.requirement("DOE-10")
def test_the_runs_of_a_campaign_are_judged_before_they_are_done(run: Run) -> None:
    """Four corners, two runs left for the error: case 8 gives the power of such designs."""
    with new_campaign(STORE) as campaign:
        campaign.seed(corners())

    found = answer(run("evaluate", "--terms", "linear", "--effect", "2", "--sd", "1", "--json"))
    drawn = run("evaluate", "--terms", "linear", "--figures", "figures")

    assert found["n_runs"] == 5
    assert drawn.exit_code == 0, drawn.stderr
    names = {path.stem for path in Path("figures").iterdir()}
    assert names == {"power", "correlations", "leverage", "fraction of design space"}


@pytest.mark.requirement("DOE-11")
def test_achieved_settings_are_judged_in_place_of_those_asked_for(run: Run) -> None:
    with new_campaign(STORE) as campaign:
        campaign.seed(corners())
        campaign.record(results(campaign, "1"), actual={"1": {"temperature": 36.0}})
    words = ("evaluate", "--terms", "linear", "--json")

    achieved = answer(run(*words))
    with new_campaign(Path("other.sqlite")) as campaign:
        campaign.seed(corners())
    planned = answer(run(*words, "--store", "other.sqlite"))

    assert achieved["d_efficiency"] < planned["d_efficiency"]


@pytest.mark.requirement("DOE-12")
@pytest.mark.parametrize(
    "words",
    [
        ("centre-points", "--runs", "2"),
        ("axial-points",),
        ("curvature",),
        ("optimal", "--runs", "3", "--terms", "quadratic"),
        ("replicates", "--runs", "2", "--terms", "linear"),
        ("space-filling", "--runs", "4"),
    ],
    ids=lambda words: words[0],
)
def test_further_runs_are_planned_beside_those_that_are_there(
    run: Run, words: tuple[str, ...]
) -> None:
    with new_campaign(STORE) as campaign:
        campaign.seed(corners())
        campaign.record(results(campaign, "1", "2", "3", "4", "5"))

    added = answer(run("augment", *words, "--out", "more.xlsx", "--json"))

    with Campaign.open(STORE, "feed study", actor=ANA) as campaign:
        assert tuple(added["runs"]) == tuple(campaign.state.runs)[5:]
        assert len(added["runs"]) >= 2
        campaign.record(results(campaign, *added["runs"]))
        assert len(campaign.observations.runs) == 5 + len(added["runs"])


@pytest.mark.requirement("DOE-12")
def test_the_block_of_further_runs_can_be_named(run: Run) -> None:
    with new_campaign(STORE) as campaign:
        campaign.seed(corners())

    added = answer(run("augment", "centre-points", "--block", "week", "--preview", "--json"))

    assert len({row["week"] for row in added["table"]}) == 1


@pytest.mark.requirement("DOE-12")
def test_axial_runs_stand_outside_the_ranges_only_when_that_is_asked_for(run: Run) -> None:
    with new_campaign(STORE) as campaign:
        campaign.seed(corners())
    words = ("augment", "axial-points", "--variant", "rotatable", "--preview", "--json")

    refused = run(*words)
    added = answer(run(*words, "--beyond"))

    assert refused.exit_code == 2
    assert "--beyond" in refused.stderr
    assert max(row["temperature"] for row in added["table"]) > 38


@pytest.mark.requirement("DOE-12")
def test_centre_points_are_counted_for_each_level_without_a_middle(run: Run) -> None:
    space = FactorSpace((ContinuousFactor("pH", 6, 8), CategoricalFactor("resin", ("A", "B"))))
    with new_campaign(STORE, space=space) as campaign:
        campaign.seed(full_factorial(space))

    added = answer(run("augment", "centre-points", "--runs", "2", "--preview", "--json"))
    helped = " ".join(run("augment", "--help").stdout.replace("│", " ").split())

    assert added["n_runs"] == 4
    assert "for each combination of levels" in helped


@pytest.mark.requirement("DOE-12")
def test_a_lost_run_is_repaired_by_one_that_can_be_done(run: Run) -> None:
    with new_campaign(STORE) as campaign:
        campaign.seed(corners())
        campaign.record(results(campaign, "1", "2", "3", "5"))
        campaign.fail("4", "the culture was contaminated")

    added = answer(run("augment", "repair", "--terms", "interaction", "--preview", "--json"))

    assert [(row["pH"], row["temperature"]) for row in added["table"]] == [(7.4, 38)]


REFUSALS = {
    "neither kind nor advice": (("design",), "Say which kind of design"),
    "a goal without advice": (("design", "sobol", "--runs", "8", "--goal", "screen"), "--advise"),
    "advice without a budget": (("design", "--advise", "--goal", "screen"), "within a budget"),
    "advice with a kind": (
        ("design", "sobol", "--advise", "--goal", "screen", "--budget", "9"),
        "compares kinds",
    ),
    "an option of another kind": (("design", "sobol", "--runs", "8", "--degree", "2"), "--degree"),
    "a needed option left out": (("design", "optimal", "--runs", "20"), "needs --terms"),
    "more blocks than runs": (
        ("design", "optimal", "--runs", "4", "--terms", "linear", "--blocks", "9"),
        "4 runs cannot be done in 9 blocks",
    ),
    "blocks of runs that have none of their own, without a model": (
        ("design", "sobol", "--runs", "8", "--blocks", "2"),
        "give --terms beside --blocks",
    ),
    "blocks that a factorial does not have": (
        ("design", "full-factorial", "--blocks", "3"),
        "Take --blocks 2 or 4, or --replicates 3 with a block each, or divide the unblocked "
        "design by --blocks 3 beside --terms",
    ),
    "axial runs outside the ranges": (
        ("design", "central-composite", "--variant", "rotatable"),
        "say --beyond if these settings are possible, take --variant inscribed",
    ),
    "a needed option of an optimal design": (
        ("design", "optimal", "--runs", "20"),
        "An optimal design needs",
    ),
    "an option of designs beside advice": (
        ("design", "--advise", "--goal", "screen", "--budget", "9", "--levels", "3"),
        "--levels means nothing beside --advise",
    ),
    "a model that cannot be read": (
        ("design", "optimal", "--runs", "9", "--terms", "pH*"),
        "cannot be read",
    ),
    "an evaluation of nothing": (("evaluate",), "has no such run"),
    "an addition to nothing": (("augment", "centre-points"), "has no such run"),
    "an addition without what it needs": (("augment", "optimal", "--runs", "4"), "needs --terms"),
    "an addition with what it does not take": (
        ("augment", "repair", "--runs", "4", "--terms", "linear"),
        "takes no --runs",
    ),
}


@pytest.mark.parametrize(("words", "message"), REFUSALS.values(), ids=REFUSALS)
def test_what_cannot_be_planned_is_refused_with_a_reason(
    run: Run, words: tuple[str, ...], message: str
) -> None:
    new_campaign(STORE).close()

    refused = run(*words)

    assert refused.exit_code == 2
    assert message in " ".join(refused.stderr.split())
    assert not isinstance(refused.exception, ExperimentError)


def test_every_addition_has_its_maker() -> None:
    from campaigns.commands.extending import _MAKERS, _TAKES

    assert set(get_args(Addition)) == set(_MAKERS) == set(_TAKES)
    assert set(get_args(Addition)) == set(ADDITIONS.values())


@pytest.mark.parametrize(
    ("said", "typed"),
    [
        ("say axial='beyond' or take kind='inscribed'", "say --beyond or take --variant inscribed"),
        ("kind='orthogonal blocks'.", "--variant 'orthogonal blocks'."),
        ("Take n_blocks=2 or 4", "Take --blocks 2 or 4"),
        ("by in_blocks(design, 3, terms, rng=rng).", "by --blocks 3 beside --terms."),
        ("say with block= which one these are", "say with --block which one these are"),
        ("leave out block='day'.", "leave out --block day."),
        ("set centre_points=0, and replicates", "set --centre-points 0, and replicates"),
        ("Choose n_runs=8 or 16", "Choose --runs 8 or 16"),
        ("use full_factorial with levels=3", "use `design full-factorial` with --levels 3"),
        ("use augment_optimal.", "use `augment optimal`."),
        ("use split_plot_design", "use `design split-plot`"),
        ("add runs by optimal_design(keep=...).", "add runs by `augment optimal`."),
        ("such as factors=['A', 'B']", "such as --factor A --factor B"),
        ("set change='hard' on it", "set `change: hard` on it"),
        ("give potential=", "give --possible-terms"),
        ("'feed_rate' is feed_rate=3, E=ABC", "'feed_rate' is feed_rate=3, E=ABC"),
    ],
)
def test_a_refusal_names_what_can_be_typed(said: str, typed: str) -> None:
    assert in_options(said) == typed


def test_the_vessels_that_a_design_is_done_in_are_asked_for_by_option(run: Run) -> None:
    space = FactorSpace((*THREE.factors, BlockFactor("vessel"), BlockFactor("day")))
    new_campaign(STORE, space=space).close()

    refused = run("design", "full-factorial", "--blocks", "2")

    assert "say with --block which one these blocks are" in " ".join(refused.stderr.split())


@pytest.mark.requirement("DOE-12")
def test_what_an_addition_assumed_is_said(run: Run) -> None:
    with new_campaign(STORE) as campaign:
        campaign.seed(corners())

    added = answer(run("augment", "centre-points", "--runs", "2", "--preview", "--json"))

    notes = [sentence for severity, sentence in added["findings"] if severity == "note"]
    assert any("centre runs: 2 at the middle" in note for note in notes)

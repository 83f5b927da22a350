import numpy as np
import pandas as pd
import pytest

from doe.errors import InvalidValueError, UnknownNameError
from doe.plots import Line, Points, Surface
from doe.responses import DerivedResponse, Response, Specification
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.contours import contour_lines
from surrogates.fitting import fit_surrogates
from surrogates.maps import SWEET_SPOT, probability_map
from surrogates.probability import means_in_specification, probability_in_specification
from surrogates.surrogate import SurrogateSet
from tests.surrogates.examples import CULTURE, culture_study, mixed_study, truth


@pytest.fixture(scope="module")
def surrogates() -> SurrogateSet:
    """Titre and impurity, and their ratio as a derived response."""
    study = culture_study()
    rng = np.random.default_rng(8)
    settings = study.settings()
    table = settings.assign(
        titre=truth(settings) + rng.standard_normal(24),
        impurity=5 + 0.1 * truth(settings) + 0.3 * rng.standard_normal(24),
    )
    responses = (
        Response("titre", "g/L"),
        Response("impurity", "g/L"),
        DerivedResponse("ratio", "impurity / titre"),
    )
    observations = Observations.from_frame(table, FactorSpace(CULTURE), responses)
    return fit_surrogates(observations, rng=np.random.default_rng(1))


@pytest.fixture(scope="module")
def settings() -> pd.DataFrame:
    return FactorSpace(CULTURE).sample(10, rng=np.random.default_rng(5))


TITRE = Specification("titre", lower=45.0)
IMPURITY = Specification("impurity", lower=8.0, upper=10.0)
RATIO = Specification("ratio", upper=0.21)


@pytest.mark.requirement("DS-1")
def test_independent_responses_multiply_and_say_so(surrogates, settings):
    found = probability_in_specification(surrogates, [TITRE, IMPURITY], settings)

    titre = surrogates["titre"].probability_within(settings, 45.0, None)
    impurity = surrogates["impurity"].probability_within(settings, 8.0, 10.0)
    np.testing.assert_allclose(found.marginal, [titre, impurity])
    np.testing.assert_allclose(found.joint, titre * impurity)
    assert (found.standard_error == 0).all()
    assert "independent" in found.method


@pytest.mark.requirement("DS-1")
def test_draws_agree_with_the_closed_form(surrogates, settings):
    dependent = SurrogateSet(surrogates.surrogates, independent=False)

    exact = probability_in_specification(surrogates, [TITRE, IMPURITY], settings)
    drawn = probability_in_specification(
        dependent, [TITRE, IMPURITY], settings, rng=np.random.default_rng(1)
    )

    assert (np.abs(drawn.joint - exact.joint) < 4.5 * drawn.standard_error + 1e-4).all()
    assert (np.abs(drawn.marginal - exact.marginal) < 4.5 * 0.005).all()
    assert drawn.standard_error.max() <= 0.005


@pytest.mark.requirement("DS-1")
def test_a_derived_response_is_judged_on_joint_draws(surrogates, settings):
    """P(impurity / titre <= 0.21) = P(impurity - 0.21 titre <= 0), normal, while titre > 0."""
    found = probability_in_specification(
        surrogates, [RATIO], settings, rng=np.random.default_rng(1)
    )

    impurity, titre = (surrogates[name].predict(settings) for name in ("impurity", "titre"))
    mean = impurity.mean - 0.21 * titre.mean
    std = np.sqrt(impurity.new_run_std**2 + (0.21 * titre.new_run_std) ** 2)
    from scipy import stats

    exact = stats.norm.cdf(-mean / std)
    assert (np.abs(found.joint - exact) < 4.5 * np.sqrt(0.25 / 10_000)).all()
    with pytest.raises(InvalidValueError, match="give rng"):
        probability_in_specification(surrogates, [RATIO], settings)


def test_two_limits_on_one_response_are_met_together(surrogates, settings):
    """They are not independent: their product would be too low."""
    upper = Specification("titre", upper=55.0)

    found = probability_in_specification(surrogates, [TITRE, upper], settings)

    within = surrogates["titre"].probability_within(settings, 45.0, 55.0)
    np.testing.assert_allclose(found.joint, within)
    contradiction = probability_in_specification(
        surrogates, [TITRE, Specification("titre", upper=40.0)], settings
    )
    assert (contradiction.joint == 0).all()


def test_the_limiting_response_is_the_least_likely_one(surrogates, settings):
    found = probability_in_specification(surrogates, [TITRE, IMPURITY], settings)

    for place, name in enumerate(found.limiting):
        other = "impurity" if name == "titre" else "titre"
        index = {"titre": 0, "impurity": 1}
        assert found.marginal[index[name], place] <= found.marginal[index[other], place]


def test_probabilities_need_a_specification_of_something_predicted(surrogates, settings):
    with pytest.raises(InvalidValueError, match="at least one"):
        probability_in_specification(surrogates, [], settings)
    with pytest.raises(UnknownNameError, match="colour"):
        probability_in_specification(surrogates, [Specification("colour", lower=1.0)], settings)


def test_means_are_inside_where_every_mean_meets_its_limits(surrogates, settings):
    margin = means_in_specification(surrogates, [TITRE, IMPURITY, RATIO], settings)

    titre, impurity = (surrogates[n].predict(settings).mean for n in ("titre", "impurity"))
    inside = (titre >= 45) & (impurity >= 8) & (impurity <= 10) & (impurity / titre <= 0.21)
    assert np.array_equal(margin >= 0, inside)


@pytest.mark.requirement("DS-2")
def test_a_map_holds_probabilities_contours_runs_and_the_sweet_spot(surrogates):
    at = {"feed rate": 1.0}
    plot = probability_map(surrogates, [TITRE, IMPURITY], "pH", "temperature", at=at, n=25)

    surface = next(layer for layer in plot.layers if isinstance(layer, Surface))
    assert surface.z.shape == (25, 25)
    assert ((surface.z >= 0) & (surface.z <= 1)).all()
    assert surface.levels == (0.5, 0.95)
    place = pd.DataFrame({"pH": [surface.x[3]], "temperature": [surface.y[7]], "feed rate": [1.0]})
    expected = probability_in_specification(surrogates, [TITRE, IMPURITY], place).joint[0]
    assert surface.z[7, 3] == pytest.approx(expected)
    runs = next(layer for layer in plot.layers if isinstance(layer, Points))
    assert len(runs.x) == 24
    lines = [layer for layer in plot.layers if isinstance(layer, Line)]
    assert lines
    assert {line.label for line in lines} == {SWEET_SPOT}
    assert "Held at feed rate 1" in plot.sentence
    assert "limits it" in plot.sentence
    assert plot.x.title == "pH"
    assert plot.y.title == "temperature (degC)"


@pytest.mark.requirement("DS-2")
def test_the_sweet_spot_is_where_the_means_just_meet_the_limits(surrogates):
    plot = probability_map(surrogates, [TITRE], "pH", "temperature", at={"feed rate": 1.0}, n=60)

    for line in plot.layers:
        if isinstance(line, Line):
            places = pd.DataFrame({"pH": line.x, "temperature": line.y, "feed rate": 1.0})
            np.testing.assert_allclose(surrogates["titre"].predict(places).mean, 45.0, atol=0.1)


@pytest.mark.requirement("MG-6")
def test_a_map_shades_extrapolation(surrogates):
    domain = surrogates["titre"].domain
    plot = probability_map(surrogates, [TITRE], "pH", "feed rate", n=31)

    surface = next(layer for layer in plot.layers if isinstance(layer, Surface))
    low, high = domain.studied["pH"]
    outside = (surface.x < low) | (surface.x > high)
    assert outside.any()
    assert (surface.shaded[:, outside] == 1).all()
    assert surface.shaded.min() == 0
    assert "Shaded: extrapolation" in plot.sentence
    assert plot.y.scale == "log"


def test_a_map_needs_two_axes_that_exist_and_are_numeric(surrogates):
    mixed = fit_surrogates(mixed_study(), rng=np.random.default_rng(1))
    limits = [Specification("purity", lower=30.0)]

    plot = probability_map(mixed, limits, "pH", "shift day", at={"resin": "B"}, n=20)
    surface = next(layer for layer in plot.layers if isinstance(layer, Surface))
    assert surface.y.tolist() == [3.0, 4.0, 5.0, 7.0]
    with pytest.raises(InvalidValueError, match="categorical"):
        probability_map(mixed, limits, "pH", "resin")
    with pytest.raises(InvalidValueError, match="different factors"):
        probability_map(surrogates, [TITRE], "pH", "pH")
    with pytest.raises(UnknownNameError, match="colour"):
        probability_map(surrogates, [TITRE], "pH", "colour")
    with pytest.raises(UnknownNameError, match="'at' names"):
        probability_map(surrogates, [TITRE], "pH", "temperature", at={"pH": 7.0})
    with pytest.raises(InvalidValueError, match="between 0 and 1"):
        probability_map(surrogates, [TITRE], "pH", "temperature", reliability_target=95)


def test_a_circle_is_drawn_as_one_closed_line():
    grid = np.linspace(-1.5, 1.5, 61)
    across, up = np.meshgrid(grid, grid)

    pieces = contour_lines(grid, grid, 1 - across**2 - up**2, 0.0)

    assert len(pieces) == 1
    x, y = pieces[0]
    np.testing.assert_allclose(np.hypot(x, y), 1.0, atol=2e-3)
    assert (x[0], y[0]) == (x[-1], y[-1])


def test_a_line_that_leaves_the_grid_is_open_and_two_hills_are_two_lines():
    grid = np.linspace(-2.0, 2.0, 41)
    across, up = np.meshgrid(grid, grid)

    (straight,) = contour_lines(grid, grid, across, 0.31)
    hills = np.exp(-8 * ((across - 1) ** 2 + up**2)) + np.exp(-8 * ((across + 1) ** 2 + up**2))

    np.testing.assert_allclose(straight[0], 0.31)
    assert sorted(straight[1][[0, -1]]) == [-2.0, 2.0]
    assert len(contour_lines(grid, grid, hills, 0.5)) == 2
    assert contour_lines(grid, grid, hills, 5.0) == ()

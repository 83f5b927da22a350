"""Published and independently computed numbers, through the public functions of surrogates."""

import numpy as np
import pandas as pd
import pytest

from doe.designs.response_surface import central_composite
from doe.factors import ContinuousFactor
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.drivers import rank_drivers
from surrogates.gaussian_process.fitting import fit_gp
from surrogates.gaussian_process.options import FixedHyperparameters, GPOptions
from surrogates.linear.surface import fit_surface
from surrogates.surrogate import SurrogateSet
from tests.surrogates.examples import (
    MONTGOMERY_AXIAL,
    MONTGOMERY_CENTRE,
    MONTGOMERY_FACTORIAL,
    montgomery_points,
)

CODED = FactorSpace((ContinuousFactor("x1", -1.5, 1.5), ContinuousFactor("x2", -1.5, 1.5)))
NATURAL = FactorSpace(
    (
        ContinuousFactor("time", 80.0, 90.0, "min"),
        ContinuousFactor("temperature", 170.0, 180.0, "degF"),
    )
)
# Coded settings and P(yield >= 78.5 for a new run): t with 7 degrees of freedom, recomputed.
RELIABILITY = {
    (0.0, 0.0): 0.9991642,
    (1.0, 1.0): 0.9771580,
    (0.389, 0.306): 0.9997005,
    (1.0, -1.0): 0.0376481,
    (-1.0, 1.0): 0.0008597,
    (1.414, 0.0): 0.6065300,
    (-1.0, -1.0): 0.0001701,
}


def coded_frame(points) -> pd.DataFrame:
    return pd.DataFrame(np.asarray(points, dtype=np.float64), columns=["x1", "x2"])


def natural_frame(points) -> pd.DataFrame:
    coded = np.asarray(points, dtype=np.float64)
    return pd.DataFrame({"time": 85 + 5 * coded[:, 0], "temperature": 175 + 5 * coded[:, 1]})


@pytest.fixture(scope="module")
def montgomery() -> Observations:
    """The central composite design of this package with Montgomery's yields."""
    design = central_composite(NATURAL, kind="rotatable", centre_points=5, axial="beyond")
    centre = iter(MONTGOMERY_CENTRE)
    yields = []
    for point, kind in zip(design.coded().to_numpy(), design.point_types, strict=True):
        signs = tuple(int(sign) for sign in np.sign(np.round(point, 9)))
        if kind == "centre":
            yields.append(next(centre))
        else:
            yields.append(
                (MONTGOMERY_FACTORIAL if kind == "factorial" else MONTGOMERY_AXIAL)[signs]
            )
    table = design.runs.assign(**{"yield": yields})
    return Observations.from_frame(table, NATURAL, (Response("yield", "%"),))


@pytest.mark.parametrize(
    ("axial", "mean", "std"),
    [
        (
            1.414,
            (79.8977250354, 80.2095979320, 77.9795171385),
            (0.140196806, 0.436906991, 0.298476185),
        ),
        (
            2**0.5,
            (79.8977390418, 80.2096506801, 77.9795728444),
            (0.140197000, 0.436949798, 0.298478521),
        ),
    ],
)
def test_simple_kriging_agrees_with_dicekriging(axial, mean, std):
    """DiceKriging 1.6: trend 78, variance 2, length scale 1, noise variance 0.1."""
    points, yields = montgomery_points(axial)
    table = coded_frame(points).assign(y=yields)
    observations = Observations.from_frame(table, CODED, (Response("y"),))
    fixed = FixedHyperparameters(
        mean=78.0, signal_variance=2.0, length_scales={"x1": 1.0, "x2": 1.0}, noise_variance=0.1
    )

    model = fit_gp(
        observations,
        "y",
        options=GPOptions(kernel="rbf", fixed=fixed),
        rng=np.random.default_rng(1),
    )
    prediction = model.predict(coded_frame([(0, 0), (0.5, 0.5), (1, -1)]))

    np.testing.assert_allclose(prediction.mean, mean, rtol=1e-11)
    np.testing.assert_allclose(prediction.latent_std, std, rtol=1e-8)
    np.testing.assert_allclose(prediction.new_run_std, np.sqrt(np.square(std) + 0.1), rtol=1e-8)


def test_the_response_surface_of_montgomerys_yield_is_the_published_one(montgomery):
    surface = fit_surface(montgomery, "yield")

    coefficients = dict(zip(surface.matrix.columns, surface.coefficients, strict=True))
    errors = dict(zip(surface.matrix.columns, surface.standard_errors, strict=True))
    expected = {
        "Intercept": (79.94, 0.118958),
        "time": (0.994975, 0.094045),
        "temperature": (0.515165, 0.094045),
        "time^2": (-1.37625, 0.100852),
        "temperature^2": (-1.00125, 0.100852),
        "time:temperature": (0.25, 0.133000),
    }
    assert set(coefficients) == set(expected)
    for name, (value, error) in expected.items():
        assert coefficients[name] == pytest.approx(value, abs=1e-6)
        assert errors[name] == pytest.approx(error, abs=1e-6)
    assert surface.residual_std == pytest.approx(0.2659999606808521, rel=1e-12)
    centre = surface.predict(natural_frame([(0, 0)]))
    for kind, half in (("latent", 0.281293), ("new_run", 0.689024)):
        low, high = centre.interval(0.95, kind=kind)
        assert (high[0] - low[0]) / 2 == pytest.approx(half, abs=1e-6)


@pytest.mark.requirement("DS-1")
def test_the_reliability_of_the_response_surface_is_the_closed_form(montgomery):
    surface = fit_surface(montgomery, "yield")

    found = surface.probability_within(natural_frame(list(RELIABILITY)), 78.5, None)

    np.testing.assert_allclose(found, list(RELIABILITY.values()), atol=5.1e-8)


@pytest.mark.requirement("DS-3")
def test_the_reliable_volume_of_the_response_surface_is_the_recomputed_one(montgomery):
    surface = fit_surface(montgomery, "yield")
    grid = np.linspace(-1, 1, 801)
    across, up = np.meshgrid(grid, grid)
    settings = natural_frame(np.column_stack([across.ravel(), up.ravel()]))

    reliability = surface.probability_within(settings, 78.5, None)

    for target, share in ((0.90, 0.6458), (0.95, 0.6003), (0.99, 0.4872)):
        assert (reliability >= target).mean() == pytest.approx(share, abs=5.1e-5)


def test_a_gaussian_process_finds_montgomerys_optimum(montgomery):
    """Its mean at the published optimum lies in the published surface's interval, and near it."""
    optimum = natural_frame([(0.38926038, 0.30585775)])
    model = fit_gp(montgomery, "yield", rng=np.random.default_rng(1))
    low, high = fit_surface(montgomery, "yield").predict(optimum).interval(0.95, kind="latent")

    assert low[0] < model.predict(optimum).mean[0] < high[0]
    grid = np.linspace(-1, 1, 81)
    across, up = np.meshgrid(grid, grid)
    coded = np.column_stack([across.ravel(), up.ravel()])
    best = coded[model.predict(natural_frame(coded)).mean.argmax()]
    np.testing.assert_allclose(best, (0.389, 0.306), atol=0.2)


def test_a_gaussian_process_judges_montgomerys_yield_much_like_the_response_surface(montgomery):
    """Within .05, except on the axis: there it does not know that the surface is a parabola."""
    model = fit_gp(montgomery, "yield", rng=np.random.default_rng(1))

    found = model.probability_within(natural_frame(list(RELIABILITY)), 78.5, None)

    for point, probability, closed_form in zip(
        RELIABILITY, found, RELIABILITY.values(), strict=True
    ):
        assert probability == pytest.approx(closed_form, abs=0.25 if point[0] > 1 else 0.05)


@pytest.mark.requirement("ANA-13")
def test_time_drives_montgomerys_yield_more_than_temperature(montgomery):
    """Published coefficients: time .995 and -1.376 squared, temperature .515 and -1.001."""
    model = fit_gp(montgomery, "yield", rng=np.random.default_rng(1))

    ranking = rank_drivers(SurrogateSet({"yield": model}), rng=np.random.default_rng(2))

    first, second = ranking.of("yield")
    assert (first.factor, second.factor) == ("time", "temperature")
    assert first.rank_probability[0] > 0.95
    assert second.effect.low > 0

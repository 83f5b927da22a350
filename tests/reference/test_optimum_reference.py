"""Published optima: canonical and ridge analysis, and desirability."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pytest

from doe.arrays import FloatArray
from doe.constraints import ExpressionConstraint
from doe.factors import ContinuousFactor
from doe.responses import Desirability, Goal, Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.desirability.optimisation import optimise_desirability
from surrogates.linear.model import LinearModel, fit_linear
from surrogates.linear.optimum.canonical import canonical_analysis
from surrogates.linear.optimum.ridge import ridge_analysis
from tests.surrogates.examples import montgomery_points

# SAS/STAT User's Guide, The RSREG Procedure, "A Response Surface with a Simple Optimum": odor,
# temperature, gas-liquid ratio, packing height (Schneider and Stockett 1963; John 1971).
ODOR = """66 40 .3 4  39 120 .3 4  43 40 .7 4  49 120 .7 4  58 40 .5 2  17 120 .5 2  -5 40 .5 6
-40 120 .5 6  65 80 .3 2  7 80 .7 2  43 80 .3 6  -22 80 .7 6
-31 80 .5 4  -35 80 .5 4  -26 80 .5 4"""
# The same, "A Saddle Surface Response Using Ridge Analysis": time, temperature, yield of
# mercaptobenzothiazole (Frankel 1961; Myers 1976).
SADDLE = """4 250 83.8  20 250 81.7  12 250 82.4  12 250 82.9  12 220 84.7  12 280 57.9
12 250 81.2  6.3 229 81.3  6.3 271 83.1  17.7 229 85.3  17.7 271 72.7  4 250 82.0"""


def montgomery_model() -> LinearModel:
    """Return the quadratic model of the yield in minutes and degrees Fahrenheit."""
    points, yields = montgomery_points()
    space = FactorSpace(
        (
            ContinuousFactor("time", 80.0, 90.0, "min"),
            ContinuousFactor("temperature", 170.0, 180.0, "degF"),
        )
    )
    table = pd.DataFrame({"time": 85 + 5 * points[:, 0], "temperature": 175 + 5 * points[:, 1]})
    study = Observations.from_frame(table.assign(y=yields), space, (Response("y", "%"),))
    return fit_linear(study, "y")


def read_model(
    text: str, names: Sequence[str], ranges: Sequence[tuple[float, float]]
) -> LinearModel:
    """Return the quadratic model of a printed table."""
    rows = np.array(text.split(), dtype=np.float64).reshape(-1, len(names))
    factors = [name for name in names if name != "y"]
    space = FactorSpace(
        tuple(ContinuousFactor(n, *r) for n, r in zip(factors, ranges, strict=True))
    )
    table = pd.DataFrame(rows, columns=list(names))
    return fit_linear(Observations.from_frame(table, space, (Response("y"),)), "y")


@pytest.mark.requirement("ANA-9")
def test_montgomerys_yield_has_its_published_maximum():
    """Montgomery, Design and Analysis of Experiments, example 11-2; recomputed by R's rsm."""
    analysis = canonical_analysis(montgomery_model())

    np.testing.assert_allclose(analysis.coded, [0.38926038, 0.30585775], rtol=3e-8)
    np.testing.assert_allclose(analysis.eigenvalues, [-1.41409695, -0.96340305], rtol=1e-8)
    assert analysis.predicted == pytest.approx(80.2124357, rel=1e-9)
    assert analysis.nature == "maximum"
    assert analysis.inside
    natural = analysis.table()["natural"]
    assert natural["time"] == pytest.approx(86.946, abs=5e-4)
    assert natural["temperature"] == pytest.approx(176.529, abs=5e-4)


@pytest.mark.requirement("ANA-9")
def test_sas_finds_the_same_minimum_outside_the_studied_ranges():
    ranges = [(40.0, 120.0), (0.3, 0.7), (2.0, 6.0)]
    analysis = canonical_analysis(read_model(ODOR, ["y", "T", "R", "H"], ranges))

    np.testing.assert_allclose(analysis.coded, [0.121913, 0.199575, 1.770525], atol=5e-7)
    natural = analysis.table()["natural"].to_numpy()
    np.testing.assert_allclose(natural, [84.876502, 0.539915, 7.541050], atol=5e-7)
    assert analysis.predicted == pytest.approx(-52.024631, abs=5e-7)
    np.testing.assert_allclose(analysis.eigenvalues, [6.037732, 31.103461, 48.858807], atol=5e-7)
    np.testing.assert_allclose(
        analysis.eigenvectors[:, 2], [0.238091, 0.971116, -0.015690], atol=5e-7
    )
    assert analysis.nature == "minimum"
    assert not analysis.inside


@pytest.mark.requirement("ANA-9")
def test_sas_finds_the_same_saddle():
    model = read_model(SADDLE, ["time", "temperature", "y"], [(4.0, 20.0), (220.0, 280.0)])
    analysis = canonical_analysis(model)

    np.testing.assert_allclose(analysis.coded, [-0.441758, -0.309976], atol=5e-7)
    natural = analysis.table()["natural"].to_numpy()
    np.testing.assert_allclose(natural, [8.465935, 240.700718], atol=5e-7)
    assert analysis.predicted == pytest.approx(83.741940, abs=5e-7)
    np.testing.assert_allclose(analysis.eigenvalues, [-9.996940, 2.528816], atol=5e-7)
    assert analysis.nature == "saddle"
    assert model.residual_std == pytest.approx(4.615964, abs=5e-7)


@pytest.mark.requirement("ANA-9")
def test_the_ridge_of_the_saddle_is_the_best_of_a_fine_circle():
    model = read_model(SADDLE, ["time", "temperature", "y"], [(4.0, 20.0), (220.0, 280.0)])
    path = ridge_analysis(model, radii=[0.2, 0.5, 1.0])

    angle = np.linspace(0, 2 * np.pi, 100_001)
    for radius, place, estimate in zip(path.radii, path.coded, path.estimate, strict=True):
        circle = radius * np.column_stack([np.cos(angle), np.sin(angle)])
        values = path.surface.rows(circle) @ model.solution.coefficients
        assert estimate >= values.max() - 1e-9
        np.testing.assert_allclose(place, circle[values.argmax()], atol=1e-3)


def conversion(table: pd.DataFrame) -> FloatArray:
    """Return the conversion of Derringer and Suich's kind of example, in coded factors."""
    x, y, z = (table[name].to_numpy(np.float64) for name in ("x1", "x2", "x3"))
    linear = 81.09 + 1.0284 * x + 4.043 * y + 6.2037 * z
    squares = -1.8366 * x**2 + 2.9382 * y**2 - 5.1915 * z**2
    return np.asarray(linear + squares + 2.2150 * x * y + 11.375 * x * z - 3.875 * y * z)


def activity(table: pd.DataFrame) -> FloatArray:
    """Return the activity of the same example."""
    x, y, z = (table[name].to_numpy(np.float64) for name in ("x1", "x2", "x3"))
    linear = 59.85 + 3.583 * x + 0.2546 * y + 2.2298 * z
    squares = 0.83479 * x**2 + 0.07484 * y**2 + 0.05716 * z**2
    return np.asarray(linear + squares - 0.3875 * x * y - 0.375 * x * z + 0.3125 * y * z)


@pytest.mark.requirement("OPT-1")
@pytest.mark.requirement("OPT-2")
@pytest.mark.parametrize("seed", [1, 2])
def test_the_desirability_of_the_r_package_is_reached(seed):
    """Equations of the vignette of R's desirability package (Kuhn), inside its sphere."""
    space = FactorSpace(
        tuple(ContinuousFactor(name, -1.682, 1.682) for name in ("x1", "x2", "x3")),
        (ExpressionConstraint("x1**2 + x2**2 + x3**2 <= 1.682**2"),),
    )
    objective = Desirability(
        (
            Goal("conversion", low=80.0, high=97.0),
            Goal("activity", "target", target=57.5, low=55.0, high=60.0),
        )
    )

    found = optimise_desirability(
        {"conversion": conversion, "activity": activity},
        objective,
        space,
        rng=np.random.default_rng(seed),
    )
    best = found.optima[0]

    assert best.desirability == pytest.approx(0.8581525, abs=2e-7)
    places = [float(best.settings[name]) for name in ("x1", "x2", "x3")]
    np.testing.assert_allclose(places, [-0.5095, 1.5034, -0.5561], atol=6e-5)
    assert best.predicted["conversion"] == pytest.approx(92.519, abs=6e-4)
    assert best.predicted["activity"] == pytest.approx(57.500, abs=6e-4)
    assert space.contains(found.table()).all()

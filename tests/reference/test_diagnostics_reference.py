"""Residual diagnostics and Box-Cox against published numbers.

Data: Montgomery, Design and Analysis of Experiments, example 11-1 (yield of the central composite
design); Box and Cox (1964), J. R. Stat. Soc. B 26, 211-252, table 1 (survival times of animals
under three poisons and four treatments, in units of 10 hours).
"""

import numpy as np
import pandas as pd
import pytest

from doe.factors import CategoricalFactor, ContinuousFactor
from doe.responses import Response
from doe.runs import Observations
from doe.space import FactorSpace
from surrogates.linear.diagnosing.box_cox import box_cox
from surrogates.linear.diagnosing.diagnostics import diagnostics
from surrogates.linear.model import fit_linear
from surrogates.linear.reports.anova import anova
from tests.surrogates.examples import montgomery_points

SURVIVAL = {
    ("I", "A"): (0.31, 0.45, 0.46, 0.43),
    ("I", "B"): (0.82, 1.10, 0.88, 0.72),
    ("I", "C"): (0.43, 0.45, 0.63, 0.76),
    ("I", "D"): (0.45, 0.71, 0.66, 0.62),
    ("II", "A"): (0.36, 0.29, 0.40, 0.23),
    ("II", "B"): (0.92, 0.61, 0.49, 1.24),
    ("II", "C"): (0.44, 0.35, 0.31, 0.40),
    ("II", "D"): (0.56, 1.02, 0.71, 0.38),
    ("III", "A"): (0.22, 0.21, 0.18, 0.23),
    ("III", "B"): (0.30, 0.37, 0.38, 0.29),
    ("III", "C"): (0.23, 0.25, 0.24, 0.22),
    ("III", "D"): (0.30, 0.36, 0.31, 0.33),
}


def poisons():
    space = FactorSpace(
        (
            CategoricalFactor("poison", ("I", "II", "III")),
            CategoricalFactor("treatment", ("A", "B", "C", "D")),
        )
    )
    rows = [(*cell, value) for cell, values in SURVIVAL.items() for value in values]
    frame = pd.DataFrame(rows, columns=["poison", "treatment", "survival"])
    return Observations.from_frame(frame, space, (Response("survival", "h"),))


def montgomery():
    points, yields = montgomery_points()
    space = FactorSpace(
        (
            ContinuousFactor("time", 80.0, 90.0, "min"),
            ContinuousFactor("temperature", 170.0, 180.0, "degF"),
        )
    )
    frame = pd.DataFrame(
        {"time": 85 + 5 * points[:, 0], "temperature": 175 + 5 * points[:, 1], "yield": yields}
    )
    return Observations.from_frame(frame, space, (Response("yield", "%"),))


@pytest.mark.requirement("ANA-8")
@pytest.mark.parametrize("transform", ["none", "inverse"])
def test_the_power_of_the_poisons_is_that_of_box_and_cox(transform):
    """Power -0.75016 with 95 % interval -1.1380 to -0.3561 for the additive model."""
    model = fit_linear(poisons(), "survival", "poison + treatment", transform=transform)

    profile = box_cox(model)

    assert profile.power == pytest.approx(-0.75016, abs=1e-5)
    assert profile.lower == pytest.approx(-1.1380, abs=5e-5)
    assert profile.upper == pytest.approx(-0.3561, abs=5e-5)
    assert (profile.rounded, profile.recommended) == (-1.0, "inverse")


@pytest.mark.requirement("ANA-8")
@pytest.mark.parametrize(
    ("transform", "f_values"),
    [("none", (23.2217, 13.8056, 1.8743)), ("inverse", (72.6347, 28.3431, 1.0904))],
)
def test_the_inverse_scale_sharpens_the_effects_of_the_poisons(transform, f_values):
    model = fit_linear(poisons(), "survival", "poison*treatment", transform=transform)

    rows = anova(model).terms

    found = {row.source: row.f for row in rows}
    names = ("poison", "treatment", "poison:treatment")
    assert [found[name] for name in names] == pytest.approx(f_values, abs=5e-5)


@pytest.mark.requirement("ANA-8")
def test_survival_times_spread_more_the_longer_they_are_and_their_inverse_does_not():
    """Box and Cox's reason for the transformation."""
    plain = diagnostics(fit_linear(poisons(), "survival", "poison + treatment"))
    inverse = diagnostics(
        fit_linear(poisons(), "survival", "poison + treatment", transform="inverse")
    )

    assert plain.constant_variance.p < 0.05
    assert "constant variance" in {finding.kind for finding in plain.findings}
    assert inverse.constant_variance.p > 0.05
    assert inverse.normality.p > plain.normality.p


@pytest.mark.requirement("ANA-7")
def test_leverages_and_the_largest_residual_of_montgomerys_example():
    """Leverage 0.625 on 8 points and 0.2 at the centres; run 6 has external residual 1.7077."""
    found = diagnostics(fit_linear(montgomery(), "yield"))

    leverage = found.influence.leverage
    np.testing.assert_allclose(leverage[4:9], 0.2, rtol=1e-9)
    np.testing.assert_allclose(np.delete(leverage, range(4, 9)), 0.625, rtol=1e-9)
    assert found.of("6")["externally studentised"] == pytest.approx(1.7077, abs=5e-5)
    press = float(np.square(found.influence.press).sum())
    assert press == pytest.approx(2.34576985, rel=1e-7)
    assert not [finding for finding in found.findings if finding.kind == "outlier"]

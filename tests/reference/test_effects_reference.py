"""Published effects, Lenth limits, reduced models and posterior probabilities of screening data."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from surrogates.linear.model import fit_linear
from surrogates.linear.reports.statistics import fit_statistics
from surrogates.linear.screening.bayesian_screening import active_probabilities, screen_factors
from surrogates.linear.screening.definitive_analysis import analyse_definitive_screening
from surrogates.linear.screening.effects import effects
from surrogates.linear.screening.lenth import simulated_lenth
from surrogates.linear.screening.selection import select_terms
from surrogates.linear.screening.two_level import two_level_effects
from tests.surrogates.linear.screening_examples import coded_study, filtration, two_levels

pytestmark = pytest.mark.requirement("ANA-5")

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def numbers(text: str) -> list[float]:
    return [float(word) for word in text.split()]


# Montgomery, Design and Analysis of Experiments, example 6-2.
FILTRATION_EFFECTS = {
    "A": 21.625,
    "B": 3.125,
    "C": 9.875,
    "D": 14.625,
    "A:B": 0.125,
    "A:C": -18.125,
    "A:D": 16.625,
    "B:C": 2.375,
    "B:D": -0.375,
    "C:D": -1.125,
    "A:B:C": 1.875,
    "A:B:D": 4.125,
    "A:C:D": -1.625,
    "B:C:D": -2.625,
    "A:B:C:D": 1.375,
}

# Daniel (1976), Applications of Statistics to Industrial Experimentation, chapter 7: rate of a
# stone drill, 2^4 in standard order. Example 1 of Box and Meyer (1986) is its logarithm to base 10;
# with two decimals it gives the printed probabilities.
DRILL = (1.68, 1.98, 3.28, 3.44, 4.98, 5.70, 9.97, 9.07, 2.07, 2.44, 4.09, 4.53, 7.77, 9.43, 11.75)
DRILL_LOG = np.log10([*DRILL, 16.30]).round(2)
# Output of BsMD (the program of Meyer) in its vignette: p 0.2, gamma 2.49, which is k = 10.
DRILL_PROBABILITIES = numbers(
    "0.240 1.000 0.028 1.000 0.025 0.034 0.025 0.983 0.046 0.025 0.037 0.091 0.034 0.028 0.030"
)

# Davies (1954), yield of isatin; example 4 of Box and Meyer (1986). Probabilities as printed by
# Meyer's program MBCQPI5 (BsMD, BsPrint.out): p 0.2, for gamma 1.22, 2.06, 3.74; none, 1 to 15.
ISATIN = [0.08, 0.04, 0.53, 0.43, 0.31, 0.09, 0.12, 0.36]
ISATIN += [0.79, 0.68, 0.73, 0.08, 0.77, 0.38, 0.49, 0.23]
ISATIN_PROBABILITIES = {
    1.22: numbers(
        "0.120 0.314 0.049 0.048 0.074 0.051 0.066 0.196 "
        "0.588 0.228 0.513 0.104 0.050 0.048 0.142 0.049"
    ),
    2.06: numbers(
        "0.268 0.190 0.030 0.029 0.053 0.032 0.047 0.119 "
        "0.420 0.136 0.348 0.071 0.031 0.029 0.091 0.030"
    ),
    3.74: numbers(
        "0.498 0.076 0.017 0.016 0.025 0.018 0.024 0.045 "
        "0.230 0.052 0.173 0.030 0.017 0.016 0.035 0.017"
    ),
}


def published(name: str) -> pd.DataFrame:
    path = SHARED_DATA / f"{name}.csv"
    if not path.is_file():
        pytest.skip(f"needs the published data set {name}")
    return pd.read_csv(path)


def yates_columns():
    """Return the 15 contrasts of a 2^4 in Yates order: A, B, AB, C, ..."""
    points = two_levels(4)
    chosen = [[i for i in range(4) if number >> i & 1] for number in range(1, 16)]
    return np.column_stack([points[:, own].prod(axis=1) for own in chosen])


def test_the_effects_of_the_filtration_study():
    found = two_level_effects(filtration(), "y")

    assert {e.name: round(e.value, 10) for e in found.effects} == FILTRATION_EFFECTS


def test_the_reduced_filtration_model_is_selected_with_its_published_statistics():
    found = select_terms(fit_linear(filtration(), "y", "interaction"), method="backward")

    model = found.model
    assert found.terms.names == ("Intercept", "A", "C", "D", "A:C", "A:D")
    np.testing.assert_allclose(
        model.coefficients, [70.0625, 10.8125, 4.9375, 7.3125, -9.0625, 8.3125], atol=1e-10
    )
    statistics = fit_statistics(model)
    assert statistics.r2 == pytest.approx(0.965952, abs=5e-7)
    assert statistics.adjusted_r2 == pytest.approx(0.948929, abs=5e-7)
    assert statistics.press == pytest.approx(499.52, abs=5e-3)
    assert statistics.q2 == pytest.approx(0.912838, abs=5e-7)
    assert statistics.adequate_precision == pytest.approx(20.8408, abs=5e-5)


def test_lenths_limits_of_the_reactor_study():
    """Box, Hunter and Hunter (1978), p. 377; limits as published with the data set."""
    table = published("nist_bhh_reactor_2p5")
    names = [name for name in table.columns if name != "y_pct_reacted"]
    found = two_level_effects(
        coded_study(table[names].to_numpy(), table["y_pct_reacted"], names), "y"
    )

    assert len(found.effects) == 31
    assert found["catalyst"].value == pytest.approx(19.5)
    assert found["temperature"].value == pytest.approx(10.75)
    assert found["concentration"].value == pytest.approx(-6.25)
    assert found["catalyst:temperature"].value == pytest.approx(13.25)
    assert found["temperature:concentration"].value == pytest.approx(-11.0)
    assert found.lenth.pse == pytest.approx(1.3125)
    assert found.lenth.margin == pytest.approx(2.912, abs=5e-4)
    assert found.lenth.simultaneous == pytest.approx(5.536, abs=5e-4)
    assert found.active == (
        "catalyst",
        "catalyst:temperature",
        "temperature:concentration",
        "temperature",
        "concentration",
    )


def test_the_reactor_factors_that_are_active_are_certain():
    """Box and Meyer (1993): catalyst, temperature and concentration."""
    table = published("nist_bhh_reactor_2p5")
    names = [name for name in table.columns if name != "y_pct_reacted"]
    found = screen_factors(
        coded_study(table[names].to_numpy(), table["y_pct_reacted"], names),
        "y",
        max_interaction=3,
    )

    assert set(found.models[0][0]) == {"catalyst", "temperature", "concentration"}
    assert found.models[0][1] > 0.99


def test_the_effects_of_the_saturated_plackett_burman_study():
    """A. niger alpha-galactosidase (doi 10.1007/BF00369470): effects on day 5."""
    table = published("pb20_aspergillus_galactosidase")
    names = [name for name in table.columns if name.endswith("_coded")]
    points = 2 * table[names].to_numpy() - 1
    found = two_level_effects(
        coded_study(points, table["day5"], [name.removesuffix("_coded") for name in names]), "y"
    )

    expected = {
        "Urea": 21.28,
        "Guar_flour": 11.92,
        "Corn_steep_liquor": 10.56,
        "Soy_flour": 7.68,
        "Citric_acid": 7.12,
        "Ammonium_nitrate": -11.66,
        "Ferrous_sulphate": -9.38,
    }
    assert {name: round(found[name].value, 10) for name in expected} == expected
    assert found.degrees == 0
    assert list(found.table().index[:3]) == ["Urea", "Guar_flour", "Ammonium_nitrate"]
    assert any("aliased in part" in note for note in found.notes)


def test_three_factors_and_their_interactions_dominate_sonoluminescence():
    """NIST/SEMATECH e-Handbook, section 5.4.7.2: 2^(7-3), seven large effects of 15."""
    table = published("nist_handbook_sonoluminescence_2p7_3")
    names = [name for name in table.columns if name != "y_intensity"]
    found = two_level_effects(
        coded_study(table[names].to_numpy(), table["y_intensity"], names), "y"
    )

    for name in names:
        level_means = table.groupby(name)["y_intensity"].mean()
        assert found[name].value == pytest.approx(level_means.loc[1] - level_means.loc[-1])
    assert set(found.possible) == {
        "solute_type",
        "flask_clamping",
        "molarity",
        "pH",
        "molarity:pH",
        "molarity:flask_clamping",
        "molarity:solute_type",
    }
    assert set(found["molarity:pH"].aliases) == {
        "solute_type:flask_clamping",
        "gas_type:horn_depth",
    }


def test_the_main_effects_of_the_definitive_screen_of_protein_crosslinking():
    """Erler et al. (2013): least squares of all main effects, as R's lm prints it."""
    table = published("dsd17_protein_crosslinking")
    response = "Extent_of_polymerization"
    names = [name for name in table.columns if name != response]
    observations = coded_study(table[names].to_numpy(), table[response], names)
    model = fit_linear(observations, "y", "linear")

    expected = {
        "Intercept": 14.835,
        "C_Protein_coded": 10.62,
        "HCHO_to_protein_coded": 5.46,
        "pH_coded": 3.90,
        "Duration_coded": 1.16,
        "Temperature_coded": 1.00,
        "C_Lysine_coded": -0.78,
    }
    found = dict(zip(model.columns, model.coefficients, strict=True))
    assert {name: round(found[name], 3) for name in expected} == expected
    assert fit_statistics(model).r2 == pytest.approx(0.9708, abs=5e-5)
    assert model.residual_std == pytest.approx(2.20, abs=5e-3)
    assert model.degrees == 10


def test_protein_ratio_and_ph_are_active_beside_what_the_main_effects_leave():
    """Erler et al. (2013). The five centre runs alone would find all six active, and say so."""
    table = published("dsd17_protein_crosslinking")
    names = [name for name in table.columns if name != "Extent_of_polymerization"]
    observations = coded_study(table[names].to_numpy(), table["Extent_of_polymerization"], names)

    found = analyse_definitive_screening(observations, "y", noise="residual")

    assert found.main_effects == ("C_Protein_coded", "HCHO_to_protein_coded", "pH_coded")
    assert found.second_order == ()
    alone = analyse_definitive_screening(observations, "y")
    assert len(alone.main_effects) == 6
    assert any("noise='residual'" in note for note in alone.notes)


def test_simulated_limits_are_those_of_ye_and_hamada():
    """Ye and Hamada (2000), J. Quality Technology 32, 57-66: 0.05, for 7 and 15 effects."""
    for n_effects, one, most in ((7, 2.30, 4.87), (15, 2.16, 4.24)):
        found = simulated_lenth(
            np.arange(1.0, n_effects + 1), n_draws=100_000, rng=np.random.default_rng(7)
        )
        assert found.margin / found.pse == pytest.approx(one, abs=0.02)
        assert found.simultaneous / found.pse == pytest.approx(most, abs=0.06)


def test_the_probabilities_of_the_drill_effects():
    columns = yates_columns()
    contrasts = 2 * columns.T @ DRILL_LOG / 16

    np.testing.assert_allclose(
        active_probabilities(contrasts), DRILL_PROBABILITIES, rtol=0, atol=6e-4
    )


def test_box_and_meyers_two_papers_agree_on_a_full_factorial():
    """Meyer and Box: k^2 = n gamma^2 + 1 makes the methods of 1986 and 1993 the same."""
    columns, names = yates_columns(), [f"x{i}" for i in range(1, 16)]
    found = screen_factors(
        coded_study(columns, DRILL_LOG, names),
        "y",
        prior=0.2,
        spread=np.sqrt(99 / 16),
        max_interaction=1,
    )

    expected = active_probabilities(2 * columns.T @ DRILL_LOG / 16, prior=0.2, inflation=10.0)
    np.testing.assert_allclose([found[name] for name in names], expected, atol=1e-9)


@pytest.mark.parametrize("spread", ISATIN_PROBABILITIES)
def test_the_probabilities_of_the_isatin_effects(spread):
    names = [f"x{i}" for i in range(1, 16)]
    found = screen_factors(
        coded_study(yates_columns(), ISATIN, names),
        "y",
        prior=0.2,
        spread=spread,
        max_interaction=1,
    )

    np.testing.assert_allclose(
        [found.none, *(found[name] for name in names)],
        ISATIN_PROBABILITIES[spread],
        rtol=0,
        atol=6e-4,
    )
    assert found.n_models == 2**15


def test_the_active_filtration_effects_are_beyond_lenths_margin():
    """Montgomery, example 6-2: A, C, D, AC and AD."""
    found = effects(fit_linear(filtration(), "y", "(A + B + C + D)**4"))

    assert set(found.possible) == {"A", "C", "D", "A:C", "A:D"}
    assert found.lenth.pse == pytest.approx(2.625)

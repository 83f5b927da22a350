"""Optimal designs against values that are published or follow from theory."""

import numpy as np
import pytest

from doe.designs.optimal import optimal_design
from doe.evaluation import average_prediction_variance, d_efficiency
from doe.factors import ContinuousFactor, DiscreteFactor, MixtureComponent
from doe.space import FactorSpace
from doe.terms import model_matrix, quadratic_terms
from tests.doe.designs.examples import continuous


def generator(seed: int = 1) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.requirement("DOE-5")
@pytest.mark.parametrize("method", ["point", "automatic"])
@pytest.mark.parametrize(
    ("n_runs", "published"), [(10, 0.4095345), (12, 0.44976095), (14, 0.46304474)]
)
def test_three_factors_at_three_levels_reach_the_published_determinants(n_runs, published, method):
    """Reference case 8; the examples of AlgDesign's optFederov (Wheeler) have the same problem."""
    space = continuous(3)

    design = optimal_design(
        space, n_runs, "quadratic", criterion="D", rng=generator(), n_starts=300, method=method
    )

    matrix = model_matrix(quadratic_terms(space), design.runs, space).to_numpy()
    assert d_efficiency(matrix) >= published * (1 - 1e-6)
    if method == "point":
        assert np.isin(design.coded().to_numpy(), (-1.0, 0.0, 1.0)).all()


@pytest.mark.requirement("DOE-5")
@pytest.mark.parametrize(
    ("n_runs", "published"), [(10, 0.4095345), (12, 0.44976095), (14, 0.46304474)]
)
def test_nobody_needs_to_ask_for_starts_to_reach_them(n_runs, published):
    """Reference case 8, with the three levels as they are and everything else left out."""
    space = FactorSpace(tuple(DiscreteFactor(f"x{i}", (-1, 0, 1)) for i in range(3)))
    reached = [
        optimal_design(space, n_runs, "quadratic", criterion="D", rng=generator(seed)).details["D"]
        for seed in range(3)
    ]

    assert min(reached) >= published * (1 - 1e-6)


@pytest.mark.requirement("DOE-5")
@pytest.mark.parametrize(
    ("power", "places"),
    [
        (2, [-1.0, 0.0, 1.0]),
        (3, [-1.0, -(5**-0.5), 5**-0.5, 1.0]),
        (4, [-1, -((3 / 7) ** 0.5), 0, (3 / 7) ** 0.5, 1]),
    ],
)
def test_a_polynomial_is_measured_at_the_extremes_of_a_legendre_polynomial(power, places):
    """Guest (1958) and Hoel (1958), Annals of Mathematical Statistics 29, 294-299 and 1134-1145.

    The ends, and the extremes of the Legendre polynomial of the same degree.
    """
    space = FactorSpace((ContinuousFactor("x", 0.0, 2000.0),))
    formula = " + ".join(["x", *(f"I(x**{i})" for i in range(2, power + 1))])

    design = optimal_design(space, power + 1, formula, criterion="D", rng=generator())

    np.testing.assert_allclose(np.sort(design.coded()["x"]), places, atol=0.011)


@pytest.mark.requirement("DOE-9")
@pytest.mark.parametrize("n_components", [3, 4, 5])
def test_quadratic_blending_is_measured_on_the_simplex_lattice(n_components):
    """Kiefer (1961), Annals of Mathematical Statistics 32, 298-325: D-optimal for its model."""
    space = FactorSpace(tuple(MixtureComponent(f"c{i}") for i in range(n_components)))
    n_runs = n_components * (n_components + 1) // 2

    design = optimal_design(space, n_runs, "quadratic", criterion="D", rng=generator(), n_starts=5)

    shares = design.runs.to_numpy()
    assert np.isin(shares, (0.0, 0.5, 1.0)).all()
    assert len(design.runs.drop_duplicates()) == n_runs


@pytest.mark.requirement("DOE-5")
@pytest.mark.parametrize(
    ("n_runs", "classical"), [(20, 0.29621), (15, 0.38472)], ids=["face-centred", "Box-Behnken"]
)
def test_average_variances_are_below_those_of_classical_designs(n_runs, classical):
    """Reference case 8: the face-centred design of 20 runs, Box-Behnken of 15."""
    space = continuous(3)

    design = optimal_design(space, n_runs, "quadratic", criterion="I", rng=generator())

    average = average_prediction_variance(design.runs, terms=quadratic_terms(space), space=space)
    assert average < classical

"""Published mixture designs and fitted mixture models that ours must reproduce."""

from math import comb
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from doe.designs.mixture import extreme_vertices, simplex_centroid, simplex_lattice
from doe.factors import MixtureComponent
from doe.mixture_terms import cox_coefficients, cox_terms, scheffe_terms
from doe.space import FactorSpace
from doe.terms import model_matrix

SHARED_DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def components(*bounds: tuple[float, float]) -> FactorSpace:
    return FactorSpace(
        tuple(MixtureComponent(f"x{i}", low, high) for i, (low, high) in enumerate(bounds, start=1))
    )


def rows(table: pd.DataFrame | list[list[float]]) -> list[list[float]]:
    return sorted((np.round(np.asarray(table, dtype=float), 6) + 0.0).tolist())


def estimates(terms, runs, results, space):
    matrix = model_matrix(terms, runs, space)
    return pd.Series(
        np.linalg.lstsq(matrix.to_numpy(), results, rcond=None)[0], index=matrix.columns
    )


@pytest.mark.requirement("DOE-9")
def test_the_flare_experiment_has_the_published_fifteen_blends():
    """McLean and Anderson (1966), Technometrics 8, 447-454: magnesium, sodium nitrate, strontium
    nitrate and binder; 8 vertices, 6 face centroids, overall centroid."""
    space = components((0.40, 0.60), (0.10, 0.50), (0.10, 0.50), (0.03, 0.08))
    published = {
        "vertex": [
            [0.40, 0.10, 0.47, 0.03],
            [0.40, 0.10, 0.42, 0.08],
            [0.60, 0.10, 0.27, 0.03],
            [0.60, 0.10, 0.22, 0.08],
            [0.40, 0.47, 0.10, 0.03],
            [0.40, 0.42, 0.10, 0.08],
            [0.60, 0.27, 0.10, 0.03],
            [0.60, 0.22, 0.10, 0.08],
        ],
        "face centroid": [
            [0.50, 0.1000, 0.3450, 0.055],
            [0.50, 0.3450, 0.1000, 0.055],
            [0.40, 0.2725, 0.2725, 0.055],
            [0.60, 0.1725, 0.1725, 0.055],
            [0.50, 0.2350, 0.2350, 0.030],
            [0.50, 0.2100, 0.2100, 0.080],
        ],
        "centroid": [[0.50, 0.2225, 0.2225, 0.055]],
    }

    design = extreme_vertices(space, centroids="faces")

    assert design.n_runs == 15
    for kind, blends in published.items():
        chosen = design.runs[np.array(design.point_types) == kind]
        assert rows(chosen) == rows(blends)


@pytest.mark.requirement("DOE-9")
def test_the_three_three_lattice_is_the_published_one():
    """Scheffe (1958), J. Royal Statistical Society B 20, 344-360, figure of the {3, 3} lattice."""
    thirds = [
        *([3, 0, 0], [0, 3, 0], [0, 0, 3]),
        *([2, 1, 0], [1, 2, 0], [2, 0, 1], [1, 0, 2], [0, 2, 1], [0, 1, 2]),
        [1, 1, 1],
    ]

    design = simplex_lattice(components(*[(0, 1)] * 3), 3)

    assert rows(design.runs) == rows(np.array(thirds) / 3)


@pytest.mark.parametrize(
    ("q", "m", "n_runs"),
    [(3, 2, 6), (3, 3, 10), (4, 2, 10), (4, 3, 20), (5, 2, 15), (5, 3, 35), (6, 2, 21), (6, 3, 56)],
)
def test_lattices_have_the_published_numbers_of_blends(q, m, n_runs):
    """Scheffe (1958): C(q + m - 1, m), as tabled by Cornell (2002), ch. 2."""
    assert simplex_lattice(components(*[(0, 1)] * q), m).n_runs == n_runs == comb(q + m - 1, m)


@pytest.mark.parametrize(("q", "n_runs"), [(3, 7), (4, 15), (5, 31), (6, 63)])
def test_simplex_centroid_designs_have_the_published_numbers_of_blends(q, n_runs):
    """Scheffe (1963): 2^q - 1."""
    assert simplex_centroid(components(*[(0, 1)] * q)).n_runs == n_runs


YARN = {
    (1.0, 0.0, 0.0): (11.0, 12.4),
    (0.5, 0.5, 0.0): (15.0, 14.8, 16.1),
    (0.0, 1.0, 0.0): (8.8, 10.0),
    (0.0, 0.5, 0.5): (10.0, 9.7, 11.8),
    (0.0, 0.0, 1.0): (16.8, 16.0),
    (0.5, 0.0, 0.5): (17.7, 16.4, 16.6),
}


@pytest.mark.requirement("DOE-9")
def test_the_yarn_elongation_model_is_the_published_one():
    """Cornell (2002), Experiments with Mixtures, ch. 2, and Myers and Montgomery: elongation =
    11.7 x1 + 9.4 x2 + 16.4 x3 + 19.0 x1 x2 + 11.4 x1 x3 - 9.6 x2 x3, from a {3, 2} lattice."""
    space = components((0, 1), (0, 1), (0, 1))
    runs = pd.DataFrame(
        [blend for blend, results in YARN.items() for _ in results], columns=list(space.names)
    )
    results = np.array([result for results in YARN.values() for result in results])

    found = estimates(scheffe_terms(space), runs, results, space)

    published = {
        "x1": 11.7,
        "x2": 9.4,
        "x3": 16.4,
        "x1:x2": 19.0,
        "x1:x3": 11.4,
        "x2:x3": -9.6,
    }
    assert found.to_dict() == pytest.approx(published, abs=1e-9)
    assert rows(simplex_lattice(space, 2).runs) == rows([list(blend) for blend in YARN])


def test_coxs_coefficients_of_the_yarn_model_follow_from_scheffes_by_hand():
    """Cox (1971) about equal shares: b0 is the fitted response there, and b_i the slope towards
    component i: (d f / d x_i - mean of these), with Scheffe's coefficients as published."""
    space = components((0, 1), (0, 1), (0, 1))
    runs = pd.DataFrame(list(YARN), columns=list(space.names))
    means = np.array([np.mean(results) for results in YARN.values()])
    reference = dict.fromkeys(space.names, 1 / 3)

    found = cox_coefficients(space, reference) @ estimates(
        cox_terms(space, reference), runs, means, space
    )

    at_centroid = (11.7 + 9.4 + 16.4) / 3 + (19.0 + 11.4 - 9.6) / 9
    slopes = np.array([11.7 + (19.0 + 11.4) / 3, 9.4 + (19.0 - 9.6) / 3, 16.4 + (11.4 - 9.6) / 3])
    assert found["Intercept"] == pytest.approx(at_centroid)
    np.testing.assert_allclose(found[list(space.names)], slopes - slopes.mean(), atol=1e-9)


def test_the_pesticide_experiment_holds_a_simplex_centroid_design():
    """Lawson, Design and Analysis of Experiments with R: data set pest of package daewr."""
    path = SHARED_DATA / "daewr_pesticide_mixture.csv"
    if not path.is_file():
        pytest.skip("needs the published data set daewr_pesticide_mixture, beside the repository")
    table = pd.read_csv(path)
    space = components((0, 1), (0, 1), (0, 1))
    runs = table[list(space.names)]

    centroid = np.round(simplex_centroid(space).runs.to_numpy(), 4).tolist()

    written = np.round(runs.to_numpy(), 4).tolist()
    assert all(blend in written for blend in centroid)
    # The other six blends lie inside; together all 13 support the special cubic model.
    matrix = model_matrix(scheffe_terms(space, "special cubic"), runs, space).to_numpy()
    assert np.linalg.matrix_rank(matrix) == 7

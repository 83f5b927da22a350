from dataclasses import replace
from math import comb

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.constraints import (
    CardinalityConstraint,
    LinearConstraint,
)
from doe.designs.blends import process_space
from doe.designs.factorial import full_factorial
from doe.designs.mixture import extreme_vertices, simplex_centroid, simplex_lattice
from doe.designs.response_surface import central_composite
from doe.errors import DesignError
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor, MixtureComponent
from doe.mixture_terms import scheffe_terms
from doe.space import FactorSpace
from doe.terms import quadratic_terms
from tests.doe.designs.examples import continuous
from tests.doe.designs.mixture_examples import FLARE, mixture, rank, rows_of

T = ContinuousFactor("T", 20, 40, "degC")
RESIN = CategoricalFactor("resin", ("A", "B", "C"))
DESIGNS = {
    "lattice": lambda space, **options: simplex_lattice(space, 2, **options),
    "centroid": simplex_centroid,
    "vertices": extreme_vertices,
}


@pytest.mark.requirement("DOE-9")
@given(n_components=st.integers(2, 6), degree=st.integers(1, 4))
@settings(max_examples=15, deadline=None)
def test_a_lattice_has_every_blend_in_parts_of_its_degree_once(n_components, degree):
    """Scheffe (1958): C(q + m - 1, m) blends."""
    design = simplex_lattice(mixture(n_components), degree)

    parts = np.round(design.runs.to_numpy() * degree, 9)
    assert design.n_runs == comb(n_components + degree - 1, degree)
    assert len(np.unique(parts, axis=0)) == design.n_runs
    np.testing.assert_array_equal(parts, np.round(parts))
    np.testing.assert_allclose(parts.sum(axis=1), degree)


@pytest.mark.requirement("DOE-9")
@given(n_components=st.integers(2, 7))
@settings(max_examples=6, deadline=None)
def test_a_simplex_centroid_design_has_every_subset_in_equal_shares(n_components):
    """Scheffe (1963): 2^q - 1 blends."""
    design = simplex_centroid(mixture(n_components))

    used = design.runs.to_numpy() > 0
    expected = used / used.sum(axis=1, keepdims=True)
    assert design.n_runs == len(np.unique(used, axis=0)) == 2**n_components - 1
    np.testing.assert_allclose(design.runs.to_numpy(), expected, atol=1e-15)


@pytest.mark.requirement("DOE-9")
@pytest.mark.parametrize("n_components", [2, 3, 4, 5])
@pytest.mark.parametrize(
    ("build", "order"),
    [
        (lambda space: simplex_lattice(space, 1), "linear"),
        (lambda space: simplex_lattice(space, 2), "quadratic"),
        (lambda space: simplex_lattice(space, 3), "full cubic"),
        (lambda space: simplex_centroid(space, max_order=min(3, len(space.mixture))), "special"),
    ],
)
def test_a_simplex_design_has_just_as_many_runs_as_its_model_has_terms(build, order, n_components):
    """Scheffe (1958, 1963): the designs are saturated for the polynomials they were made for."""
    space = mixture(n_components)
    terms = scheffe_terms(space, "special cubic" if order == "special" else order)

    design = build(space)

    assert rank(design, terms) == (design.n_runs, design.n_runs)


def test_runs_are_named_by_how_many_components_they_blend():
    cubic = simplex_lattice(mixture(4), 3)
    augmented = simplex_centroid(mixture(3), max_order=2, axial=True)

    assert [cubic.point_types.count(kind) for kind in ("vertex", "edge", "face")] == [4, 12, 4]
    assert augmented.point_types == ("vertex",) * 3 + ("edge",) * 3 + ("axial",) * 3


def test_a_lattice_can_be_augmented_with_its_centroid_and_axial_blends():
    """Cornell (2002), ch. 2: axial blends at (q + 1)/(2q) of one and 1/(2q) of the others."""
    design = simplex_lattice(mixture(3), 2, centroid=True, axial=True)

    added = design.runs.to_numpy()[6:]
    sixths = np.array([[2, 2, 2], [4, 1, 1], [1, 4, 1], [1, 1, 4]])
    np.testing.assert_allclose(added, sixths / 6, atol=1e-15)
    assert design.point_types[6:] == ("centroid", "axial", "axial", "axial")
    assert simplex_lattice(mixture(3), 3, centroid=True).n_runs == 10


def test_lower_bounds_leave_a_smaller_simplex_with_the_same_proportions():
    """Crosier (1984): L-pseudocomponents, x = L + (1 - sum L) z."""
    lows = [0.2, 0.1, 0.3]
    factors = tuple(MixtureComponent(f"m{i}", low, 1.0) for i, low in enumerate(lows))

    design = simplex_lattice(FactorSpace(factors), 2)

    z = simplex_lattice(mixture(3), 2).runs.to_numpy()
    np.testing.assert_allclose(design.runs.to_numpy(), lows + 0.4 * z, atol=1e-12)
    assert design.details["pseudocomponents"]["kind"] == "L"


def test_upper_bounds_alone_may_leave_a_simplex_upside_down():
    """Crosier (1984): U-pseudocomponents, x = U - (sum U - 1) u."""
    highs = [0.4, 0.5, 0.45]
    factors = tuple(MixtureComponent(f"m{i}", 0.0, high) for i, high in enumerate(highs))
    space = FactorSpace(factors)

    design = simplex_lattice(space, 2)

    u = simplex_lattice(mixture(3), 2).runs.to_numpy()
    np.testing.assert_allclose(design.runs.to_numpy(), highs - 0.35 * u, atol=1e-12)
    assert design.details["pseudocomponents"]["kind"] == "U"
    assert rows_of(simplex_lattice(space, 1)) == rows_of(
        extreme_vertices(space, centroids=None, overall_centroid=False)
    )


def test_a_step_too_coarse_for_a_lattice_is_refused():
    with pytest.raises(DesignError, match=r"needs 35 different blends, but on the steps .* only"):
        simplex_lattice(mixture(4, step=0.5), 4)


@pytest.mark.parametrize("kind", DESIGNS)
@given(order=st.permutations(range(4)), total=st.sampled_from([1e-6, 1.0, 100.0, 2500.0]))
@settings(max_examples=10, deadline=None)
def test_designs_do_not_depend_on_the_order_or_the_unit_of_components(kind, order, total):
    bounds = [(0.1, 1.0), (0.0, 1.0), (0.05, 1.0), (0.2, 1.0)]
    if kind == "vertices":
        bounds = [(0.4, 0.6), (0.1, 0.5), (0.1, 0.5), (0.03, 0.08)]
    components = [(f"m{i}", low, high) for i, (low, high) in enumerate(bounds)]
    plain = FactorSpace(tuple(MixtureComponent(*c) for c in components))
    turned = FactorSpace(
        tuple(
            MixtureComponent(name, low * total, high * total)
            for name, low, high in (components[i] for i in order)
        ),
        (),
        total,
    )

    one, other = DESIGNS[kind](plain), DESIGNS[kind](turned)

    back = other.runs[list(plain.names)] / total
    assert rows_of(one) == {tuple(row) for row in np.round(back.to_numpy(), 9) + 0.0}


def test_a_lattice_of_low_degree_keeps_to_a_cardinality_constraint():
    names = tuple(f"m{i}" for i in range(1, 7))
    space = mixture(6, constraints=[CardinalityConstraint(names, 2)])

    assert simplex_lattice(space, 2).n_runs == 21
    with pytest.raises(DesignError, match=r"breaks at most 2 of .* use extreme_vertices"):
        simplex_lattice(space, 3)


@pytest.mark.requirement("DOE-9")
@pytest.mark.parametrize("kind", DESIGNS)
def test_every_blend_is_done_at_every_setting_of_the_process(kind):
    space = mixture(3, T, RESIN)
    alone = DESIGNS[kind](mixture(3))

    design = DESIGNS[kind](space, process="full factorial")

    assert design.n_runs == alone.n_runs * 2 * 3
    for _, group in design.runs.groupby(["T", "resin"]):
        pd.testing.assert_frame_equal(
            group[["m1", "m2", "m3"]].reset_index(drop=True), alone.runs, check_exact=True
        )
    assert design.details["process_settings"] == 6
    assert design.point_types == alone.point_types * 6


@pytest.mark.requirement("DOE-9")
def test_the_product_of_two_designs_supports_the_product_of_their_models():
    """Cornell (2002), ch. 7: a {3, 2} lattice by a central composite design."""
    space = mixture(3, T, ContinuousFactor("pH", 6, 8))

    design = simplex_lattice(space, 2, process=central_composite(process_space(space)))

    assert design.n_runs == 6 * 13
    blending, crossed = quadratic_terms(mixture(3)), scheffe_terms(space, process="interactions")
    assert len(crossed.terms) == len(blending.terms) * 4
    for terms in (crossed, quadratic_terms(space)):
        found, n_columns = rank(design, terms)
        assert found == n_columns
    assert design.point_types[0] == "vertex, factorial"
    assert design.point_types[-1] == "vertex, centre"


def test_the_process_can_be_held_at_its_centre_for_each_level_without_one():
    space = mixture(3, T, CategoricalFactor("resin", ("A", "B")))

    design = simplex_lattice(space, 2, process="centre")

    assert design.n_runs == 12
    assert set(design.runs["T"]) == {30.0}


def test_blocks_of_the_process_design_hold_all_blends_done_in_them():
    space = mixture(2, *continuous(2).factors)
    process = replace(full_factorial(process_space(space)), blocks={"day": tuple("1122")})

    design = simplex_lattice(space, 1, process=process)

    assert design.blocks == {"day": tuple("11112222")}
    assert [block.name for block in design.space.blocks] == ["day"]


def test_a_process_setting_outside_its_range_is_refused():
    space = mixture(2, *continuous(2).factors)
    process = central_composite(process_space(space), kind="rotatable", axial="beyond")

    with pytest.raises(DesignError, match=r"expected 10 to 14.*optimal_design"):
        simplex_lattice(space, 2, process=process)


def test_a_constraint_on_blend_and_process_together_is_checked_for_every_run():
    hot = LinearConstraint({"m1": 40.0, "T": 1.0}, upper=60.0)
    space = mixture(3, T, constraints=[hot])

    with pytest.raises(DesignError, match=r"1 of 12 runs .* m1 \+ T <= 60.*optimal_design"):
        simplex_lattice(space, 2, process="full factorial")


def test_replicates_repeat_the_whole_design():
    once = simplex_centroid(mixture(3))
    twice = simplex_centroid(mixture(3), replicates=2)

    assert twice.n_runs == 14
    assert twice.runs.iloc[7:].reset_index(drop=True).equals(once.runs)
    assert twice.point_types == once.point_types * 2


@pytest.mark.parametrize(
    ("build", "complaint"),
    [
        (lambda: simplex_lattice(continuous(2), 2), "varies mixture components, and this .* none"),
        (lambda: extreme_vertices(continuous(2)), "varies mixture components"),
        (lambda: simplex_lattice(mixture(3), 0), "degree must be a whole number of at least 1"),
        (lambda: simplex_lattice(mixture(3), 2, replicates=0), "replicates must be"),
        (lambda: simplex_lattice(mixture(20), 9), "6906900 blends; at most 10000"),
        (lambda: simplex_centroid(mixture(20)), "1048575 blends.*smaller max_order"),
        (lambda: simplex_centroid(mixture(3), max_order=4), "max_order 4 is more than the 3"),
        (
            lambda: simplex_lattice(mixture(3, high=0.7), 2),
            "'m1' may be at most 0.7, and with the others at their least it would be 1. "
            "Use extreme_vertices",
        ),
        (
            lambda: simplex_centroid(
                mixture(3, constraints=[LinearConstraint({"m1": 1, "m2": -1}, upper=0.5)])
            ),
            r"1 of 7 runs .*run 1 \(vertex\): breaks m1 - m2 <= 0.5.*use extreme_vertices",
        ),
        (
            lambda: simplex_lattice(mixture(3, T), 2),
            "besides the mixture, and process is None: say how this design .* sets them",
        ),
        (lambda: simplex_lattice(mixture(3, T), 2, process="ccd"), "process is 'ccd'"),
        (lambda: simplex_lattice(mixture(3), 2, process="centre"), "has mixture components only"),
        (
            lambda: simplex_lattice(mixture(3, T), 2, process=full_factorial(continuous(1))),
            r"varies \['x1'\], and the factors besides the mixture are \['T'\]",
        ),
        (lambda: process_space(mixture(3)), "no factor of the process"),
        (lambda: extreme_vertices(FLARE, centroids="face"), "centroids is 'face'; expected edges"),
        (lambda: extreme_vertices(FLARE, max_runs=12), "give rng"),
        (lambda: extreme_vertices(mixture(16, high=0.13)), "more than 10000 vertices"),
        (
            lambda: extreme_vertices(
                mixture(
                    20,
                    constraints=[CardinalityConstraint(tuple(f"m{i}" for i in range(1, 21)), 5)],
                )
            ),
            "leave 15504 regions of blends.*use optimal_design",
        ),
        (
            lambda: extreme_vertices(
                mixture(2, DiscreteFactor("n", tuple(range(150))), low=0.1),
                process="full factorial",
                replicates=100,
            ),
            "100 replicates of 450 runs are 45000",
        ),
    ],
)
def test_what_no_mixture_design_can_do_is_refused_with_what_to_do(build, complaint):
    with pytest.raises(DesignError, match=complaint):
        build()

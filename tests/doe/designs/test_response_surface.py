from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyDOE3 import bbdesign, ccdesign

from doe.constraints import ExpressionConstraint, LinearConstraint
from doe.designs import box_behnken, central_composite
from doe.designs.structure import check_orthogonal_blocks
from doe.errors import DesignError
from doe.evaluation import d_efficiency
from doe.factors import (
    BlockFactor,
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
)
from doe.space import FactorSpace
from doe.terms import model_matrix, quadratic_terms
from tests.doe.designs.examples import continuous

KINDS = ["rotatable", "spherical", "face-centred", "inscribed", "orthogonal blocks"]


def sorted_rows(points):
    rounded = np.round(np.asarray(points, dtype=float), 9) + 0.0
    return rounded[np.lexsort(rounded.T)]


@pytest.mark.requirement("DOE-4")
@given(
    n_factors=st.integers(2, 5),
    kind=st.sampled_from(KINDS),
    scale=st.sampled_from(["linear", "log"]),
)
@settings(max_examples=30)
def test_every_central_composite_design_supports_the_full_quadratic_model(n_factors, kind, scale):
    space = continuous(n_factors, scale=scale)

    design = central_composite(space, kind=kind, axial="beyond")

    matrix = model_matrix(quadratic_terms(space), design.runs, space).to_numpy()
    assert np.linalg.matrix_rank(matrix) == matrix.shape[1]
    assert design.point_types.count("factorial") == 2**n_factors
    assert design.point_types.count("axial") == 2 * n_factors
    centre = design.coded()[np.array(design.point_types) == "centre"]
    np.testing.assert_allclose(centre, 0.0, atol=1e-9)
    assert len(centre) == (5 if n_factors == 2 and kind != "orthogonal blocks" else 6)


@pytest.mark.requirement("DOE-4")
@pytest.mark.parametrize("kind", ["face-centred", "inscribed"])
@given(n_factors=st.integers(2, 6))
@settings(max_examples=5)
def test_the_kinds_for_hard_limits_stay_inside_them(kind, n_factors):
    space = continuous(n_factors)

    design = central_composite(space, kind=kind)

    assert space.contains(design.runs).all()
    coded = design.coded().to_numpy()
    assert np.abs(coded).max() == pytest.approx(1.0)
    axial = coded[np.array(design.point_types) == "axial"]
    np.testing.assert_allclose(
        sorted_rows(axial),
        sorted_rows(np.vstack([np.eye(n_factors), -np.eye(n_factors)])),
        atol=1e-9,
    )


@pytest.mark.requirement("DOE-4")
def test_an_inscribed_design_is_the_rotatable_one_shrunk_into_the_ranges():
    rotatable = central_composite(continuous(3), kind="rotatable", axial="beyond").coded()
    inscribed = central_composite(continuous(3), kind="inscribed").coded()

    np.testing.assert_allclose(rotatable, inscribed * 8**0.25, atol=1e-9)


@pytest.mark.parametrize("kind", ["rotatable", "spherical", "orthogonal blocks"])
def test_axial_runs_outside_the_ranges_are_refused_with_what_to_do(kind):
    with pytest.raises(DesignError, match=r"\(axial\): x1 is .*, expected 10 to 14") as refusal:
        central_composite(continuous(3), kind=kind)

    assert "axial='beyond'" in str(refusal.value)
    assert "kind='inscribed'" in str(refusal.value)


def test_axial_runs_that_are_asked_for_beyond_the_ranges_are_listed():
    design = central_composite(continuous(2), kind="spherical", axial="beyond")

    outside = design.details["outside_ranges"]
    assert len(outside) == 4
    assert outside[1].startswith("run 6: x1 is 14.8284271247")
    assert design.details["coding"] == "factorial runs at low and high"


def test_a_log_factor_has_its_axial_runs_at_ratios():
    space = FactorSpace(
        (ContinuousFactor("feed", 1, 100, scale="log"), ContinuousFactor("T", 0, 2))
    )

    design = central_composite(space, kind="rotatable", axial="beyond")

    axial = design.runs["feed"][4:6].tolist()
    assert axial == pytest.approx([10 ** (1 - 2**0.5), 10 ** (1 + 2**0.5)])


@pytest.mark.requirement("DOE-4")
@given(n_factors=st.integers(2, 5), centre=st.tuples(st.integers(1, 5), st.integers(1, 5)))
@settings(max_examples=20)
def test_orthogonal_blocks_do_not_disturb_the_quadratic_model(n_factors, centre):
    """Box and Hunter (1957): block means are orthogonal to every term of the model."""
    space = continuous(n_factors)
    design = central_composite(
        space, kind="orthogonal blocks", centre_points=centre, axial="beyond"
    )

    blocks = np.array([float(level) for level in design.blocks["block"]])
    matrix = model_matrix(quadratic_terms(space), design.runs, space).to_numpy()[:, 1:]
    np.testing.assert_allclose(
        (blocks - blocks.mean()) @ (matrix - matrix.mean(axis=0)), 0, atol=1e-8
    )
    assert len(set(zip(design.blocks["block"], design.point_types, strict=True))) == 4


def test_a_block_factor_of_the_space_lends_its_name_to_the_blocks():
    space = FactorSpace((*continuous(2).factors, BlockFactor("day")))

    design = central_composite(space, kind="orthogonal blocks", axial="beyond")

    assert list(design.blocks) == ["day"]


@pytest.mark.requirement("DOE-4")
@pytest.mark.parametrize(("n_factors", "n_core"), [(5, 16), (6, 32), (7, 64), (8, 64)])
def test_a_fractional_core_of_resolution_five_keeps_the_design_rotatable(n_factors, n_core):
    """Box and Hunter (1957): axial distance (number of core runs)^(1/4)."""
    space = continuous(n_factors)
    design = central_composite(space, kind="rotatable", fraction="resolution V", axial="beyond")

    assert design.point_types.count("factorial") == n_core
    assert design.details["axial_distance"] == pytest.approx(n_core**0.25)
    coded = design.coded().to_numpy()
    squares = coded.T**2 @ coded**2
    np.testing.assert_allclose(np.diag(squares), 3 * squares[0, 1])
    for one, other in combinations(range(n_factors), 2):
        assert squares[one, other] == pytest.approx(n_core)


def test_a_core_can_be_given_by_its_generators():
    design = central_composite(continuous(5), fraction=["E=ABCD"])

    assert design.generators == ("E = ABCD",)
    assert design.runs.equals(central_composite(continuous(5), fraction="resolution V").runs)


@pytest.mark.parametrize("n_factors", [2, 3, 4])
def test_the_runs_are_those_of_an_independent_generator(n_factors):
    space = continuous(n_factors)

    rotatable = central_composite(space, kind="rotatable", axial="beyond", centre_points=8)
    faced = central_composite(space, centre_points=8)

    for design, face in ((rotatable, "circumscribed"), (faced, "faced")):
        independent = ccdesign(n_factors, center=(4, 4), alpha="rotatable", face=face)
        np.testing.assert_allclose(sorted_rows(design.coded()), sorted_rows(independent), atol=1e-9)


@pytest.mark.requirement("DOE-4")
@given(n_factors=st.integers(3, 7), centre=st.integers(1, 8))
@settings(max_examples=20)
def test_a_box_behnken_design_varies_factors_equally_and_avoids_corners(n_factors, centre):
    space = continuous(n_factors)

    design = box_behnken(space, centre_points=centre)

    coded = np.round(design.coded().to_numpy(), 9)
    n_edge = {3: 12, 4: 24, 5: 40, 6: 48, 7: 56}[n_factors]
    assert design.n_runs == n_edge + centre
    assert set(np.unique(coded)) == {-1.0, 0.0, 1.0}
    off_middle = np.count_nonzero(coded, axis=1)
    assert sorted(off_middle) == [0] * centre + [2 if n_factors < 6 else 3] * n_edge
    assert len(set(np.count_nonzero(coded, axis=0))) == 1
    np.testing.assert_array_equal(coded.sum(axis=0), 0)
    np.testing.assert_array_equal(coded.T @ coded, np.diag(np.diag(coded.T @ coded)))
    matrix = model_matrix(quadratic_terms(space), design.runs, space).to_numpy()
    assert np.linalg.matrix_rank(matrix) == matrix.shape[1]
    assert space.contains(design.runs).all()


@pytest.mark.parametrize("n_factors", [3, 4, 5])
def test_box_behnken_runs_are_those_of_an_independent_generator(n_factors):
    design = box_behnken(continuous(n_factors))

    np.testing.assert_allclose(
        sorted_rows(design.coded()),
        sorted_rows(bbdesign(n_factors, center=design.point_types.count("centre"))),
        atol=1e-9,
    )


@given(order=st.permutations(range(4)), unit=st.sampled_from([1e-6, 1.0, 1e5]))
@settings(max_examples=15)
def test_quality_does_not_depend_on_the_order_or_the_units_of_factors(order, unit):
    plain = continuous(4)
    turned = FactorSpace(
        tuple(
            ContinuousFactor(
                plain.names[i], plain.searched[i].low * unit, plain.searched[i].high * unit
            )
            for i in order
        )
    )

    values = [
        d_efficiency(model_matrix(quadratic_terms(space), build(space).runs, space).to_numpy())
        for build in (central_composite, box_behnken)
        for space in (plain, turned)
    ]

    assert values[0] == pytest.approx(values[1], rel=1e-9)
    assert values[2] == pytest.approx(values[3], rel=1e-9)


def test_a_discrete_factor_takes_part_where_it_has_the_levels():
    space = FactorSpace((*continuous(2).factors, DiscreteFactor("shift", (2, 4, 6))))

    assert sorted(box_behnken(space).runs["shift"].unique()) == [2.0, 4.0, 6.0]
    with pytest.raises(DesignError, match=r"needs 'shift' at 2.8\d*, but its levels are"):
        central_composite(space, kind="inscribed")


def test_equipment_steps_move_axial_runs_and_the_design_says_by_how_much():
    space = FactorSpace(
        (ContinuousFactor("pH", 6.6, 7.4, step=0.1), ContinuousFactor("T", 30, 38, step=0.5))
    )

    design = central_composite(space, kind="inscribed")

    # Core at 7.0 -+ 0.2828 and 34 -+ 2.828, set to 6.7, 7.3 and 31, 37: coded 0.75 for 0.7071.
    assert sorted(design.runs["pH"].unique()) == [6.6, 6.7, 7.0, 7.3, 7.4]
    assert sorted(design.runs["T"].unique()) == [30.0, 31.0, 34.0, 37.0, 38.0]
    assert design.details["rounded_to_steps"] == pytest.approx(0.75 - 0.5**0.5, abs=1e-3)


def test_steps_go_on_beyond_the_range_for_axial_runs():
    space = FactorSpace(
        (ContinuousFactor("pH", 6.6, 7.4, step=0.1), ContinuousFactor("T", 30, 38, step=0.5))
    )

    design = central_composite(space, kind="rotatable", axial="beyond")

    assert sorted(design.runs["pH"].unique()) == [6.4, 6.6, 7.0, 7.4, 7.6]
    assert sorted(design.runs["T"].unique()) == [28.5, 30.0, 34.0, 38.0, 39.5]


def test_a_step_too_coarse_for_the_axial_runs_is_refused():
    space = FactorSpace((ContinuousFactor("pH", 6, 8, step=1), ContinuousFactor("T", 30, 38)))

    with pytest.raises(
        DesignError, match="needs 5 settings of 'pH', but with its step of 1 only 3"
    ):
        central_composite(space, kind="inscribed")


def test_constraints_hold_also_for_axial_runs_beyond_the_ranges():
    factors = (ContinuousFactor("feed", 1, 3), ContinuousFactor("time", 2, 6))
    space = FactorSpace(factors, (ExpressionConstraint("feed * time <= 20"),))
    tighter = FactorSpace(factors, (LinearConstraint({"feed": 1}, upper=3.2),))

    assert central_composite(space, kind="rotatable", axial="beyond").n_runs == 13
    with pytest.raises(
        DesignError, match=r"1 of 13 runs .* run 6 \(axial\): .* breaks feed <= 3.2"
    ):
        central_composite(tighter, kind="rotatable", axial="beyond")


@pytest.mark.parametrize("build", [central_composite, box_behnken])
def test_a_constraint_that_cuts_runs_off_is_refused_with_the_runs_and_what_to_use(build):
    space = FactorSpace(continuous(3).factors, (LinearConstraint({"x1": 1, "x2": 1}, upper=37),))

    with pytest.raises(DesignError, match=r"breaks x1 \+ x2 <= 37.* space-filling design"):
        build(space)


@pytest.mark.parametrize(
    ("build", "space", "complaint"),
    [
        (
            central_composite,
            continuous(1),
            "needs two or more factors, and this space has only 'x1'",
        ),
        (box_behnken, continuous(2), "3 to 7 factors, and this space has 2"),
        (box_behnken, continuous(8), "3 to 7 factors, and this space has 8"),
        (
            central_composite,
            FactorSpace((*continuous(1).factors, CategoricalFactor("resin", ("A", "B")))),
            "needs two or more factors, and this space has only 'x1' with a middle",
        ),
        (
            box_behnken,
            FactorSpace((CategoricalFactor("resin", ("A", "B")), DiscreteFactor("day", (1, 2)))),
            r"None of the factors \['resin', 'day'\] has a middle",
        ),
        (
            central_composite,
            FactorSpace(
                (
                    *continuous(4).factors,
                    *(CategoricalFactor(f"c{i}", tuple("ABCDEFGH")) for i in range(3)),
                )
            ),
            r"repeated at each of 512 combinations .*\['c0', 'c1', 'c2'\], has 15360 runs",
        ),
        (central_composite, continuous(14), "full core of 14 factors has 16384 runs"),
        (
            box_behnken,
            FactorSpace((*continuous(2).factors, MixtureComponent("a"), MixtureComponent("b"))),
            r"mixture components, here \['a', 'b'\]",
        ),
    ],
)
def test_factors_that_a_response_surface_design_cannot_vary_are_refused(build, space, complaint):
    with pytest.raises(DesignError, match=complaint):
        build(space)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"kind": "face centered"}, "kind is 'face centered'; expected one of rotatable"),
        ({"axial": "outside"}, "axial is 'outside'"),
        ({"centre_points": -1}, "centre_points must be"),
        ({"kind": "spherical", "axial": "beyond", "centre_points": 0}, "equally far"),
        ({"kind": "orthogonal blocks", "centre_points": 4}, r"such as \(4, 2\)"),
        ({"kind": "orthogonal blocks", "n_blocks": 4}, "can be in 2, 3 blocks that leave"),
        ({"kind": "orthogonal blocks", "n_blocks": 1}, "n_blocks is 1, but 'orthogonal blocks'"),
        ({"n_blocks": 2}, "face-centred .* cannot be in 2 blocks .* kind='inscribed'"),
        ({"kind": "inscribed", "n_blocks": 3, "centre_points": 3}, r"such as \(2, 2\); got 3"),
        ({"core_replicates": 10**9}, "has 16000000014 runs; at most 10000 are planned"),
        ({"core_replicates": 0}, "core_replicates must be a whole number of at least 1"),
        ({"axial_replicates": 1.5}, "axial_replicates must be a whole number"),
        ({"fraction": "resolution V"}, "No listed fraction of 4 factors has resolution V"),
        ({"fraction": ["D=ABC"]}, "core has resolution 4"),
        ({"fraction": ["D=XYZ"]}, "'X' is not a factor"),
    ],
)
def test_options_that_make_no_central_composite_design_are_refused(options, complaint):
    with pytest.raises(DesignError, match=complaint):
        central_composite(continuous(4), **options)


CORES = [(2, None), (3, None), (4, None), (5, None), (5, "resolution V"), (6, None)]
CORES += [(6, "resolution V"), (7, "resolution V")]


def n_blocks_of(n_factors, fraction):
    """Return into how many blocks runs can be put, by the textbook's smallest blocks of the core.

    Myers, Montgomery and Anderson-Cook (2016), Response Surface Methodology, ch. 8.
    """
    most = {(2, None): 1, (3, None): 2, (4, None): 2, (5, None): 4, (5, "resolution V"): 1}
    most |= {(6, None): 8, (6, "resolution V"): 2, (7, "resolution V"): 8}
    return [1 + 2**power for power in range(most[n_factors, fraction].bit_length())]


def block_overlap(design):
    """Return how far block means follow any term of the quadratic model: 0 where orthogonal."""
    (levels,) = design.blocks.values()
    blocks = np.array(levels)[:, None] == np.unique(levels)
    space = design.space
    matrix = model_matrix(quadratic_terms(space), design.runs, space).to_numpy()[:, 1:]
    centred = matrix - matrix.mean(axis=0)
    return float(np.abs(blocks.T.astype(float) @ centred).max())


@pytest.mark.requirement("DOE-4")
@pytest.mark.parametrize(("n_factors", "fraction"), CORES)
@pytest.mark.parametrize("kind", ["orthogonal blocks", "inscribed"])
def test_a_core_in_several_blocks_leaves_the_quadratic_model_undisturbed(n_factors, fraction, kind):
    """Box and Hunter (1957), and how nearly rotatable the designs are."""
    for n_blocks in n_blocks_of(n_factors, fraction):
        design = central_composite(
            continuous(n_factors), kind=kind, fraction=fraction, n_blocks=n_blocks, axial="beyond"
        )

        assert block_overlap(design) < 1e-7
        assert len(set(design.blocks["block"])) == n_blocks
        assert set(design.blocks["block"]) <= set(map(str, range(1, n_blocks + 1)))
        core = design.point_types.count("factorial")
        if n_blocks > 2:
            rotatable = core**0.25
            assert design.details["axial_distance"] == pytest.approx(rotatable, rel=0.03)
        if kind == "inscribed":
            assert design.space.contains(design.runs).all()
            assert np.abs(design.coded().to_numpy()).max() == pytest.approx(1)


@pytest.mark.requirement("DOE-4")
def test_the_blocks_of_a_core_confound_no_pair_of_factors():
    design = central_composite(
        continuous(5), kind="orthogonal blocks", n_blocks=5, centre_points=(1, 1), axial="beyond"
    )

    signs = np.sign(design.coded().to_numpy())
    for block in "1234":
        inside = np.array(design.blocks["block"]) == block
        core = signs[inside & (np.array(design.point_types) == "factorial")]
        assert len(core) == 8
        np.testing.assert_array_equal(core.T @ core, 8 * np.eye(5))
        np.testing.assert_array_equal(core.sum(axis=0), 0)


@given(core=st.integers(1, 3), axial=st.integers(1, 3), n_factors=st.integers(2, 4))
@settings(max_examples=15)
def test_replicated_runs_keep_a_design_rotatable_and_its_blocks_orthogonal(core, axial, n_factors):
    options = {"core_replicates": core, "axial_replicates": axial, "axial": "beyond"}

    rotatable = central_composite(continuous(n_factors), kind="rotatable", **options)
    blocked = central_composite(continuous(n_factors), kind="orthogonal blocks", **options)

    coded = rotatable.coded().to_numpy()
    fourth = coded.T**2 @ coded**2
    np.testing.assert_allclose(np.diag(fourth), 3 * fourth[0, 1])
    assert rotatable.point_types.count("factorial") == core * 2**n_factors
    assert rotatable.point_types.count("axial") == axial * 2 * n_factors
    assert rotatable.details.get("axial_replicates", 1) == (axial if core + axial > 2 else 1)
    assert block_overlap(blocked) < 1e-7


def test_an_inscribed_design_stays_inside_when_replicates_draw_its_axial_runs_in():
    design = central_composite(continuous(2), kind="inscribed", axial_replicates=9)

    assert design.details["axial_distance"] == pytest.approx((4 / 9) ** 0.25)
    assert design.details["coding"] == "factorial runs at low and high"
    assert np.abs(design.coded().to_numpy()).max() == pytest.approx(1)


@pytest.mark.requirement("DOE-4")
@pytest.mark.parametrize("build", [central_composite, box_behnken])
def test_the_whole_design_is_repeated_for_each_choice_without_a_middle(build):
    choices = (CategoricalFactor("resin", ("A", "B", "C")), DiscreteFactor("day", (1, 2)))
    first, *others = continuous(3).factors
    space = FactorSpace((choices[0], first, choices[1], *others))

    design = build(space)

    alone = build(continuous(3))
    assert design.n_runs == 6 * alone.n_runs
    assert design.details["combinations_of_levels"] == 6
    for _, part in design.runs.groupby(["resin", "day"]):
        assert part[["x1", "x2", "x3"]].reset_index(drop=True).equals(alone.runs)
    matrix = model_matrix(quadratic_terms(space), design.runs, space).to_numpy()
    squares_of_choices = [name for name in quadratic_terms(space).names if name == "day^2"]
    assert np.linalg.matrix_rank(matrix) == matrix.shape[1] - len(squares_of_choices)


@pytest.mark.requirement("DOE-4")
def test_blocks_stay_orthogonal_when_a_design_is_repeated_for_each_resin():
    space = FactorSpace((*continuous(3).factors, CategoricalFactor("resin", ("A", "B"))))

    design = central_composite(space, kind="inscribed", n_blocks=3)

    assert block_overlap(design) < 1e-7
    counts = design.runs.groupby([list(design.blocks["block"]), "resin"]).size()
    assert counts.tolist() == [6, 6, 6, 6, 8, 8]
    with_edges = box_behnken(FactorSpace((*continuous(4).factors, space.factors[-1])), n_blocks=3)
    assert block_overlap(with_edges) < 1e-7


@pytest.mark.requirement("DOE-4")
@pytest.mark.parametrize(
    ("n_factors", "n_blocks", "size"), [(4, 3, 9), (5, 2, 23), (6, 2, 27), (7, 2, 31)]
)
def test_box_behnken_designs_come_in_the_orthogonal_blocks_of_the_paper(n_factors, n_blocks, size):
    """Box and Behnken (1960), table 4: 27, 46, 54 and 62 runs in blocks of these sizes."""
    space = continuous(n_factors)

    design = box_behnken(space, n_blocks=n_blocks, block="week")

    levels = list(design.blocks["week"])
    assert [levels.count(str(i + 1)) for i in range(n_blocks)] == [size] * n_blocks
    assert block_overlap(design) < 1e-7
    np.testing.assert_allclose(
        sorted_rows(design.coded()), sorted_rows(box_behnken(space).coded()), atol=1e-9
    )


def test_blocks_that_disturb_the_quadratic_model_are_refused():
    design = box_behnken(continuous(4), n_blocks=3)
    levels = list(design.blocks["block"])
    levels[0], levels[-2] = levels[-2], levels[0]

    with pytest.raises(DesignError, match="disturbs the quadratic model"):
        check_orthogonal_blocks(np.round(design.coded().to_numpy(), 9), levels, "Box-Behnken")


@pytest.mark.parametrize(
    ("n_factors", "options", "complaint"),
    [
        (3, {"n_blocks": 2}, "n_blocks is 2, but a Box-Behnken design of 3 factors has 1:"),
        (4, {"n_blocks": 2}, "4 factors has 1 or 3: choose that"),
        (5, {"n_blocks": 2, "centre_points": 5}, "5, which 2 blocks cannot share"),
        (5, {"n_blocks": 2.0}, "whole number"),
    ],
)
def test_blocks_that_a_box_behnken_design_has_not_are_refused(n_factors, options, complaint):
    with pytest.raises(DesignError, match=complaint):
        box_behnken(continuous(n_factors), **options)


def test_one_of_several_block_factors_has_to_be_named():
    space = FactorSpace((*continuous(2).factors, BlockFactor("day"), BlockFactor("lot")))

    with pytest.raises(DesignError, match=r"block factors \['day', 'lot'\]: say with block="):
        central_composite(space, kind="orthogonal blocks", axial="beyond")

    design = central_composite(space, kind="orthogonal blocks", axial="beyond", block="lot")
    assert list(design.blocks) == ["lot"]


def test_a_box_behnken_design_needs_its_centre():
    with pytest.raises(DesignError, match="centre_points must be a whole number of at least 1"):
        box_behnken(continuous(3), centre_points=0)


def test_natural_settings_are_written_without_rounding_noise():
    space = FactorSpace((ContinuousFactor("pH", 6.6, 7.3), ContinuousFactor("T", 0.1, 0.3)))

    runs = central_composite(space).runs

    assert runs["pH"].unique().tolist() == [6.6, 7.3, 6.95]
    assert runs["T"].unique().tolist() == [0.1, 0.3, 0.2]

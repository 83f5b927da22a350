from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from doe.constraints import LinearConstraint
from doe.designs import box_behnken, central_composite, full_factorial, latin_hypercube
from doe.errors import ExpressionError
from doe.factors import BlockFactor, CategoricalFactor, ContinuousFactor
from doe.preflight_check import preflight
from doe.runs import Design
from doe.space import FactorSpace
from doe.terms import quadratic_terms
from tests.doe.designs.examples import continuous, mixed_spaces

SPACE = FactorSpace(
    (ContinuousFactor("pH", 6.6, 7.4, step=0.1), ContinuousFactor("T", 30.0, 38.0, "degC"))
)


def planned(runs, space=SPACE, **parts):
    """Return a design whose order was drawn."""
    table = pd.DataFrame(runs, columns=list(space.names))
    return Design(space, table, "by hand", randomisation="complete", **parts)


CORNERS = [[6.6, 30.0], [7.4, 30.0], [6.6, 38.0], [7.4, 38.0]]


def severities(findings):
    return [finding.severity for finding in findings]


@pytest.mark.requirement("DOE-11")
@given(seed=st.integers(0, 2**32 - 1), n_factors=st.integers(3, 5))
@settings(max_examples=10)
def test_a_randomised_response_surface_design_is_ready(seed, n_factors):
    space = continuous(n_factors)
    for build in (central_composite, box_behnken):
        design = build(space).randomised(rng=np.random.default_rng(seed))

        assert preflight(design, terms=quadratic_terms(space)) == []


@pytest.mark.requirement("DOE-11")
@given(space=mixed_spaces(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=10)
def test_no_design_of_ours_has_an_error(space, seed):
    rng = np.random.default_rng(seed)
    for design in (full_factorial(space), latin_hypercube(space, 6, rng=rng)):
        assert "error" not in severities(preflight(design.randomised(rng=rng)))


@pytest.mark.requirement("DOE-11")
def test_runs_that_are_not_allowed_are_errors_with_run_and_factor():
    space = FactorSpace(SPACE.factors, (LinearConstraint({"pH": 1, "T": 1}, upper=45),))

    findings = preflight(planned([*CORNERS, [7.6, 34.0]], space))

    assert [(f.severity, f.run, f.factor) for f in findings] == [
        ("error", 4, None),
        ("error", 5, "pH"),
    ]
    assert "breaks pH + T <= 45" in findings[0].sentence
    assert findings[1].sentence.startswith("Run 5: pH is 7.6, expected 6.6 to 7.4")


def test_axial_runs_beyond_the_ranges_on_purpose_are_only_warnings():
    design = central_composite(continuous(2), kind="rotatable", axial="beyond")

    findings = preflight(design.randomised(rng=np.random.default_rng(1)))

    assert severities(findings) == ["warning"] * 4
    assert all("on purpose" in finding.sentence for finding in findings)


@pytest.mark.requirement("DOE-11")
def test_settings_between_steps_are_errors_with_the_nearest_setting():
    (finding,) = preflight(planned([*CORNERS[:3], [7.33, 38.0]]))

    assert (finding.severity, finding.run, finding.factor) == ("error", 4, "pH")
    assert "in steps of 0.1 from 6.6: take 7.3," in finding.sentence


def test_a_unit_that_cannot_be_read_is_a_warning():
    space = FactorSpace((*SPACE.factors[:1], ContinuousFactor("T", 30.0, 38.0, "warmth")))

    (finding,) = preflight(planned(CORNERS, space))

    assert (finding.severity, finding.factor) == ("warning", "T")
    assert "Unit 'warmth' is not known" in finding.sentence


def test_equal_runs_are_noted_unless_they_are_replicates_by_plan():
    table = [*CORNERS, CORNERS[1]]

    (finding,) = preflight(planned(table))
    assert finding.severity == "note"
    assert finding.sentence.startswith("These runs have the same settings: 2 and 5.")
    meant = planned(table, point_types=("factorial",) * 4 + ("replicate",))
    assert preflight(meant) == []
    twice = full_factorial(SPACE, replicates=2).randomised(rng=np.random.default_rng(1))
    assert preflight(twice) == []


def test_a_factor_that_never_changes_is_a_warning():
    findings = preflight(planned([[7.0, 30.0], [7.0, 38.0]]))

    assert [(f.severity, f.factor) for f in findings] == [("warning", "pH")]


@pytest.mark.requirement("DOE-7")
def test_a_hard_to_change_factor_needs_whole_plots():
    space = FactorSpace((SPACE.factors[0], replace(SPACE.factors[1], change="hard")))
    order = planned(CORNERS, space, run_order=(1, 3, 2, 4))

    (finding,) = preflight(order)

    assert (finding.severity, finding.factor) == ("warning", "T")
    assert "changes 3 times in 4 runs" in finding.sentence
    assert "split_plot_design" in finding.sentence


@pytest.mark.requirement("DOE-7")
def test_a_hard_to_change_factor_stays_within_its_whole_plot():
    factors = (SPACE.factors[0], replace(SPACE.factors[1], change="hard"), BlockFactor("vessel"))
    space = FactorSpace(factors)
    parts = {"whole_plots": ("vessel",)}

    kept = planned(CORNERS, space, blocks={"vessel": ("a", "a", "b", "b")}, **parts)
    mixed = planned(CORNERS, space, blocks={"vessel": ("a", "b", "a", "b")}, **parts)

    assert preflight(kept) == []
    (finding,) = preflight(mixed)
    assert (finding.severity, finding.factor) == ("error", "T")
    assert "changes within vessel a" in finding.sentence


@pytest.mark.requirement("DOE-8")
def test_blocks_are_looked_at():
    days = FactorSpace((*SPACE.factors, BlockFactor("day"), BlockFactor("vessel", nested_in="day")))
    blocks = {"day": ("1", "1", "2", "2"), "vessel": ("a", "b", "a", "c")}

    findings = preflight(planned(CORNERS, days, blocks=blocks))
    sentences = " ".join(finding.sentence for finding in findings)

    assert "vessel a lies in day 1 and 2, but 'vessel' is nested in 'day'" in sentences
    assert "vessel b has one run" in sentences
    assert "'T' changes only from one day to the next" in sentences
    assert findings[0].severity == "error"


def test_blocks_that_the_space_does_not_know_are_an_error_and_missing_ones_a_note():
    days = FactorSpace((*SPACE.factors, BlockFactor("day")))

    (unknown,) = preflight(planned(CORNERS, blocks={"day": ("1", "2", "2", "1")}))
    (missing,) = preflight(planned(CORNERS, days))

    assert (unknown.severity, unknown.factor) == ("error", "day")
    assert (missing.severity, missing.factor) == ("note", "day")


def test_runs_in_standard_order_are_a_warning():
    (finding,) = preflight(full_factorial(SPACE))

    assert finding.severity == "warning"
    assert "Design.randomised" in finding.sentence


def test_two_columns_of_one_name_on_the_run_sheet_are_an_error():
    space = FactorSpace((ContinuousFactor("run order", 0, 1), ContinuousFactor("B", 0, 1)))
    table = [[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]

    (finding,) = preflight(planned(table, space))

    assert finding.severity == "error"
    assert "two columns 'run order'" in finding.sentence


@pytest.mark.requirement("DOE-11")
@pytest.mark.parametrize(
    ("terms", "severity", "words"),
    [
        ("pH + T", None, ""),
        ("pH*T", "warning", "leave no degree of freedom"),
        ("pH*T + I(T**2)", "error", "4 runs cannot estimate 5 terms"),
        ("pH + T + I(T**2)", "error", r"cannot tell"),
    ],
)
def test_the_model_must_be_estimable(terms, severity, words):
    findings = preflight(planned(CORNERS), terms=terms)

    assert severities(findings) == ([severity] if severity else [])
    assert all(words in finding.sentence for finding in findings)


def test_fixed_blocks_take_degrees_of_freedom_and_random_ones_do_not():
    blocks = {"day": ("1", "2", "2", "1")}
    for random, expected in ((False, ["warning"]), (True, [])):
        space = FactorSpace((*SPACE.factors, BlockFactor("day", random=random)))
        design = planned(CORNERS, space, blocks=blocks)

        assert severities(preflight(design, terms="pH + T")) == expected


def test_a_formula_that_cannot_be_read_is_refused():
    with pytest.raises(ExpressionError, match="names 'feed'"):
        preflight(planned(CORNERS), terms="pH + feed")


def test_levels_of_categorical_factors_are_checked():
    space = FactorSpace((CategoricalFactor("resin", ("P", "Q")), SPACE.factors[0]))

    (finding,) = preflight(planned([["P", 6.6], ["Q", 7.4], ["Z", 7.0]], space))

    assert finding.sentence.startswith("Run 3: resin is 'Z', expected one of P, Q")
    runs = planned([["P", 6.6], ["Q", 7.4], ["Z", 7.0]], space)
    assert preflight(runs, terms="linear") == [finding]


def test_a_factor_that_further_runs_hold_is_not_warned_of_when_others_vary_it():
    centre = planned([[7.0, 34.0], [7.0, 34.0]], point_types=("centre", "centre"))

    assert [finding.factor for finding in preflight(centre)] == ["pH", "T"]
    assert preflight(centre, adds_to_others=True) == []


def test_a_range_that_its_steps_do_not_reach_is_pointed_out():
    space = FactorSpace((ContinuousFactor("a", 0, 1, step=0.3), ContinuousFactor("b", 0, 1)))
    design = planned([[0.0, 0.0], [0.9, 1.0]], space)

    (finding,) = preflight(design)
    assert finding.severity == "note"
    assert "its highest setting is 0.9" in finding.sentence

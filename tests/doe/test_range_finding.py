import pytest
from hypothesis import given
from hypothesis import strategies as st

from doe.errors import InvalidValueError, UnknownNameError
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    ControlCapability,
    DiscreteFactor,
    MixtureComponent,
)
from doe.range_finding import NormalRange, check_study_ranges, study_range_table
from doe.space import FactorSpace

PH = FactorSpace((ContinuousFactor("pH", 6.8, 7.4),))


@pytest.mark.requirement("DOE-14")
def test_a_study_range_of_twice_the_normal_range_is_wide_enough():
    assert check_study_ranges(PH, {"pH": NormalRange(6.95, 7.25)}) == []


@pytest.mark.requirement("DOE-14")
def test_a_study_range_below_one_and_a_half_times_the_normal_range_is_too_narrow():
    (finding,) = check_study_ranges(PH, {"pH": NormalRange(6.85, 7.35)})

    assert (finding.severity, finding.factor) == ("warning", "pH")
    assert finding.sentence == (
        "'pH' is studied over 6.8 to 7.4, 1.2 times its normal operating range of 6.85 to 7.35; "
        "at least 1.5 times is expected: widen the study range to 6.6 to 7.6."
    )


@pytest.mark.requirement("DOE-14")
def test_a_normal_half_width_above_half_the_study_half_width_is_a_warning():
    """0.375 wide in 0.6: 1.6 times is more than 1.5, but half-widths are 0.1875 and 0.3."""
    (finding,) = check_study_ranges(PH, {"pH": NormalRange(6.9125, 7.2875)})

    assert finding.severity == "warning"
    assert "is 0.625 of half its study range" in finding.sentence


@pytest.mark.requirement("DOE-14")
def test_the_expected_ratio_can_be_set_for_each_factor():
    space = FactorSpace((*PH.factors, ContinuousFactor("T", 30.0, 40.0, "degC")))
    normal = {"pH": NormalRange(6.95, 7.25), "T": NormalRange(33.0, 37.0)}

    assert check_study_ranges(space, normal) == []
    assert [f.factor for f in check_study_ranges(space, normal, ratio=2.2)] == ["pH"]
    assert [f.factor for f in check_study_ranges(space, normal, ratio={"T": 3.0})] == ["T"]


def test_a_factor_is_normally_held_as_its_control_capability_says():
    """Three SDs on each side of the middle."""
    by_sd = ControlCapability(sd=0.08)
    by_width = ControlCapability(half_width=0.24)

    for capability in (by_sd, by_width):
        space = FactorSpace((ContinuousFactor("pH", 6.8, 7.4, capability=capability),))
        (finding,) = check_study_ranges(space)
        assert "normal operating range of 6.86 to 7.34" in finding.sentence


def test_normal_operation_outside_the_study_range_is_a_warning():
    (finding,) = check_study_ranges(PH, {"pH": NormalRange(6.7, 6.9)})

    assert finding.sentence.startswith(
        "Normal operation of 'pH' (6.7 to 6.9) leaves its study range"
    )


def test_a_factor_without_a_normal_range_is_noted_and_a_categorical_one_is_not():
    space = FactorSpace((*PH.factors, CategoricalFactor("resin", ("P", "Q"))))

    (finding,) = check_study_ranges(space)

    assert (finding.severity, finding.factor) == ("note", "pH")


def test_ranges_on_a_log_scale_are_compared_as_ratios():
    """1 to 100 is two decades; a normal range of one decade is half of it."""
    space = FactorSpace((ContinuousFactor("feed", 1.0, 100.0, scale="log"),))

    assert check_study_ranges(space, {"feed": NormalRange(10**0.5, 10**1.5)}) == []
    (finding,) = check_study_ranges(space, {"feed": NormalRange(10**0.4, 10**1.6)})
    assert "widen the study range to 0.631 to 158.5" in finding.sentence
    with pytest.raises(InvalidValueError, match="'feed' starts at -1"):
        check_study_ranges(space, {"feed": NormalRange(-1.0, 10.0)})


@pytest.mark.requirement("DOE-14")
@given(
    low=st.floats(-100, 100),
    width=st.floats(0.1, 100),
    share=st.floats(0.05, 0.95),
    unit=st.sampled_from([1e-6, 1.0, 1e4]),
)
def test_the_ratio_is_that_of_the_widths_in_any_unit(low, width, share, unit):
    space = FactorSpace((ContinuousFactor("x", low * unit, (low + width) * unit),))
    normal = NormalRange(low * unit, (low + share * width) * unit)

    table = study_range_table(space, {"x": normal})

    assert table["ratio"].iloc[0] == pytest.approx(1 / share, rel=1e-6)
    findings = check_study_ranges(space, {"x": normal}, ratio=3.0)
    assert bool(findings) == (1 / share < 3.0)


def test_levels_and_shares_have_ranges_too():
    space = FactorSpace(
        (
            DiscreteFactor("n", (1, 2, 4)),
            MixtureComponent("a", 0.2, 0.6),
            MixtureComponent("b", 0.4, 0.8),
        )
    )
    normal = {"n": NormalRange(1, 3), "a": NormalRange(0.3, 0.5), "b": NormalRange(0.5, 0.7)}

    assert study_range_table(space, normal)["ratio"].tolist() == pytest.approx([1.5, 2.0, 2.0])


@pytest.mark.parametrize(
    ("normal", "options", "error", "complaint"),
    [
        ({"x": NormalRange(1, 2)}, {}, UnknownNameError, r"normal_ranges names \['x'\]"),
        ({}, {"ratio": {"x": 2.0}}, UnknownNameError, r"ratio names \['x'\]"),
        ({}, {"ratio": 0.0}, InvalidValueError, "'pH' ratio must be positive, got 0"),
        ({"resin": NormalRange(1, 2)}, {}, InvalidValueError, "'resin' is categorical"),
    ],
)
def test_ranges_that_do_not_fit_the_factors_are_refused(normal, options, error, complaint):
    space = FactorSpace((*PH.factors, CategoricalFactor("resin", ("P", "Q"))))

    with pytest.raises(error, match=complaint):
        check_study_ranges(space, normal, **options)


def test_an_empty_normal_range_is_refused():
    with pytest.raises(InvalidValueError, match="low 7 must be below high 6"):
        NormalRange(7.0, 6.0)

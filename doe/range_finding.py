"""Whether the ranges of a study are wide enough to tell about normal operation."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.coding import coded_number
from doe.errors import InvalidValueError, UnknownNameError
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
    SearchedFactor,
    check_number,
    check_range,
)
from doe.findings import Finding, most_serious_first
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

# Natural limits of a process are three standard deviations on each side (Shewhart, 1931).
N_SDS = 3.0
# Differences of ratios below this are rounding error: 0.3 / 0.2 is not 1.5.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class NormalRange:
    """The range in which a factor is held in normal operation, in its natural unit.

    Attributes:
        low: Lowest setting of normal operation.
        high: Highest setting of normal operation.

    Raises:
        InvalidValueError: If the range is empty.
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        object.__setattr__(self, "low", check_number(self.low, "Normal operating range low"))
        object.__setattr__(self, "high", check_number(self.high, "Normal operating range high"))
        check_range(self.low, self.high, "Normal operating range")


@dataclass(frozen=True, slots=True)
class _Compared:
    """A factor's two ranges; widths as a design sees them (on the logarithm of a log factor)."""

    factor: ContinuousFactor | DiscreteFactor | MixtureComponent
    normal: NormalRange
    ratio: float
    expected: float


def check_study_ranges(
    space: FactorSpace,
    normal_ranges: Mapping[str, NormalRange] | None = None,
    *,
    ratio: float | Mapping[str, float] = 1.5,
) -> list[Finding]:
    """Return what is wrong with the width of the factors' ranges beside normal operation.

    A range is a finding when it is narrower than ``ratio`` times the normal operating range, when
    the normal half-width is more than half of the study half-width (then the effect of the factor
    is hard to tell from its ordinary variation), and when normal operation leaves the study range.
    Factors on a log scale are compared on the logarithm. An empty list means that every numeric
    factor has a normal operating range and is studied widely enough.

    Args:
        space: The factors with the ranges of the study.
        normal_ranges: Normal operating range per factor. A factor that is left out and has a
            ``capability`` is taken as held at the middle of its range, give or take the half-width
            or three standard deviations.
        ratio: Least width of a study range in widths of the normal range, for all factors, or per
            factor (1.5 for those left out).

    Raises:
        UnknownNameError: If a name is not that of a factor that is varied.
        InvalidValueError: If a ratio is not positive, a categorical factor has a range, or a normal
            range reaches zero on a log scale.

    Source:
        Study ranges of 1.5 to 2 times the normal operating range are practice in process
        characterisation rather than a published rule; hence ``ratio`` is the user's to set.
    """
    compared = {c.factor.name: c for c in _all_compared(space, normal_ranges or {}, ratio)}
    findings: list[Finding] = []
    for factor in space.searched:
        if factor.name in compared:
            findings += _findings(compared[factor.name])
        elif not isinstance(factor, CategoricalFactor):
            findings.append(
                Finding(
                    "note",
                    f"'{factor.name}' has no normal operating range: give one, or a control "
                    "capability, so that the width of its study range can be judged.",
                    factor=factor.name,
                )
            )
    return most_serious_first(findings)


def study_range_table(
    space: FactorSpace,
    normal_ranges: Mapping[str, NormalRange] | None = None,
    *,
    ratio: float | Mapping[str, float] = 1.5,
) -> "pd.DataFrame":
    """Return study and normal ranges side by side, one row per factor that has both.

    Columns ``factor``, ``unit``, ``study low``, ``study high``, ``normal low``, ``normal high``,
    ``ratio`` (of the widths) and ``expected ratio``. Arguments and errors as for
    ``check_study_ranges``.
    """
    import pandas as pd

    rows = [
        {
            "factor": c.factor.name,
            "unit": c.factor.unit,
            "study low": c.factor.low,
            "study high": c.factor.high,
            "normal low": c.normal.low,
            "normal high": c.normal.high,
            "ratio": c.ratio,
            "expected ratio": c.expected,
        }
        for c in _all_compared(space, normal_ranges or {}, ratio)
    ]
    columns = ["factor", "unit", "study low", "study high", "normal low", "normal high"]
    return pd.DataFrame(rows, columns=[*columns, "ratio", "expected ratio"])


def _all_compared(
    space: FactorSpace,
    normal_ranges: Mapping[str, NormalRange],
    ratio: float | Mapping[str, float],
) -> list[_Compared]:
    per_factor = ratio if isinstance(ratio, Mapping) else {}
    overall = 1.5 if isinstance(ratio, Mapping) else ratio
    for what, names in (("normal_ranges", normal_ranges), ("ratio", per_factor)):
        unknown = [name for name in names if name not in space.names]
        if unknown:
            raise UnknownNameError(
                f"{what} names {unknown}, which are not factors that are varied; those are "
                f"{list(space.names)}: correct the names."
            )
    compared = []
    for factor in space.searched:
        normal = normal_ranges.get(factor.name)
        if isinstance(factor, CategoricalFactor):
            if normal is not None:
                raise InvalidValueError(
                    f"'{factor.name}' is categorical and has no range: leave it out of "
                    "normal_ranges."
                )
            continue
        normal = normal or _capable_range(factor)
        expected = check_number(per_factor.get(factor.name, overall), f"'{factor.name}' ratio")
        if expected <= 0:
            raise InvalidValueError(
                f"'{factor.name}' ratio must be positive, got {expected:g}; 1.5 to 2 is usual."
            )
        if normal is not None:
            compared.append(_Compared(factor, normal, _ratio(factor, normal), expected))
    return compared


def _capable_range(factor: SearchedFactor) -> NormalRange | None:
    if not isinstance(factor, ContinuousFactor) or factor.capability is None:
        return None
    capability = factor.capability
    half = capability.half_width
    if half is None:
        assert capability.sd is not None
        half = N_SDS * capability.sd
    is_log = factor.scale == "log"
    middle = float(np.sqrt(factor.low * factor.high)) if is_log else (factor.low + factor.high) / 2
    return NormalRange(middle - half, middle + half)


def _ratio(
    factor: ContinuousFactor | DiscreteFactor | MixtureComponent, normal: NormalRange
) -> float:
    """Return the width of the study range in widths of the normal one."""
    if isinstance(factor, MixtureComponent):
        return (factor.high - factor.low) / (normal.high - normal.low)
    if factor.scale == "log" and normal.low <= 0:
        raise InvalidValueError(
            f"The normal operating range of '{factor.name}' starts at {normal.low:g} "
            f"{factor.unit}, but its scale is 'log': it must be above zero; correct it, or the "
            "capability."
        )
    # Coded, the study range is 2 wide.
    width = coded_number(factor, normal.high, 1.0) - coded_number(factor, normal.low, 1.0)
    return 2.0 / width


def _findings(compared: _Compared) -> list[Finding]:
    factor, normal, ratio = compared.factor, compared.normal, compared.ratio
    name = factor.name
    study_text = f"{factor.low:g} to {factor.high:g} {factor.unit}".rstrip()
    normal_text = f"{normal.low:g} to {normal.high:g} {factor.unit}".rstrip()
    findings = []
    wider = max(compared.expected, 2.0)
    if ratio < compared.expected * (1 - _ROUNDING):
        findings.append(
            f"'{name}' is studied over {study_text}, {ratio:.3g} times its normal operating range "
            f"of {normal_text}; at least {compared.expected:g} times is expected: widen the study "
            f"range to {_wider_text(compared, wider)}."
        )
    elif ratio < 2.0 * (1 - _ROUNDING):
        findings.append(
            f"Half the normal operating range of '{name}' ({normal_text}) is {1 / ratio:.3g} of "
            f"half its study range ({study_text}), and more than a half makes its effect hard to "
            f"tell from ordinary variation: widen the study range to {_wider_text(compared, 2.0)}."
        )
    size = max(abs(factor.low), abs(factor.high)) * _ROUNDING
    if normal.low < factor.low - size or normal.high > factor.high + size:
        findings.append(
            f"Normal operation of '{name}' ({normal_text}) leaves its study range ({study_text}): "
            "move or widen the study range so that it covers normal operation."
        )
    return [Finding("warning", sentence, factor=name) for sentence in findings]


def _wider_text(compared: _Compared, ratio: float) -> str:
    """Return the range with the same middle as normal operation, and ratio times its width."""
    factor, low, high = compared.factor, compared.normal.low, compared.normal.high
    if not isinstance(factor, MixtureComponent) and factor.scale == "log":
        middle, half = float(np.sqrt(low * high)), float((high / low) ** (ratio / 2))
        low, high = middle / half, middle * half
    else:
        middle, half = (low + high) / 2, ratio * (high - low) / 2
        low, high = middle - half, middle + half
    return f"{low:.4g} to {high:.4g} {factor.unit}".rstrip()

"""The coefficients of a linear model, with errors and tests, in the units that are asked for."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from scipy import special

from doe.arrays import FloatArray
from doe.coding import is_log
from doe.errors import InvalidValueError
from doe.factors import CategoricalFactor
from doe.plots import Axis, Bars, Line, Plot
from doe.terms import INTERCEPT
from surrogates.linear.prediction import critical_t
from surrogates.linear.reports.expansion import (
    Expansion,
    expand,
    natural_units,
    scaled_units,
    unexpanded,
)
from surrogates.linear.reports.statistics import modelled_unit

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.model import LinearModel

Units = Literal["coded", "natural", "scaled"]


@dataclass(frozen=True, slots=True)
class Coefficient:
    """One coefficient; None where there are no degrees of freedom to judge it by.

    Attributes:
        name: Its column.
        estimate: In the modelled unit, per unit of the column.
        standard_error: Of the estimate.
        t: Estimate over standard error.
        p: Probability of a t at least as far from zero without such an effect, two-sided.
        lower: Lower end of the interval.
        upper: Upper end of the interval.
        vif: How many times the variance exceeds that of an orthogonal column; None for the
            intercept, and where it is not defined.
        is_block: Whether it is the difference of a block from the average.
    """

    name: str
    estimate: float
    standard_error: float | None
    t: float | None
    p: float | None
    lower: float | None
    upper: float | None
    vif: float | None
    is_block: bool


@dataclass(frozen=True, eq=False)
class CoefficientTable:
    """The coefficients of one model in one kind of units.

    Attributes:
        response: What is modelled.
        unit: Its unit on the modelled scale.
        units: ``coded``: factors from -1 at low to +1 at high, mixture components as shares.
            ``natural``: factors in their units. ``scaled``: about the mean of the runs, over half
            their range.
        coverage: Of the intervals.
        degrees: Degrees of freedom behind the tests.
        coefficients: One per column, those of blocks last.
        notes: What has to be known to read it, each a sentence.
    """

    response: str
    unit: str
    units: Units
    coverage: float
    degrees: int
    coefficients: tuple[Coefficient, ...]
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> Coefficient:
        """Return the coefficient of a column.

        Raises:
            InvalidValueError: If there is none.
        """
        for coefficient in self.coefficients:
            if coefficient.name == name:
                return coefficient
        raise InvalidValueError(
            f"There is no coefficient '{name}'; there are "
            f"{', '.join(coefficient.name for coefficient in self.coefficients)}."
        )

    def table(self) -> "pd.DataFrame":
        """Return a row per coefficient, index ``term``; missing where not available."""
        import pandas as pd

        names = ("estimate", "standard_error", "t", "p", "lower", "upper", "vif")
        heads = ("estimate", "standard error", "t", "p", "lower", "upper", "VIF")
        columns = {
            head: [_number(getattr(c, name)) for c in self.coefficients]
            for name, head in zip(names, heads, strict=True)
        }
        index = pd.Index([c.name for c in self.coefficients], name="term")
        found = pd.DataFrame(columns, index=index)
        found.insert(5 - 1, "degrees of freedom", self.degrees)
        return found

    def equation(self) -> str:
        """Return the fitted polynomial as text, without blocks, six digits each."""
        parts = []
        for coefficient in self.coefficients:
            if coefficient.is_block:
                continue
            sign = "-" if coefficient.estimate < 0 else "+"
            column = "" if coefficient.name == INTERCEPT else f" {coefficient.name}"
            parts.append(f"{sign} {abs(coefficient.estimate):.6g}{column}")
        return f"{self.response} = {' '.join(parts).removeprefix('+ ')}"

    def plot(self) -> Plot:
        """Return the coefficients but the intercept as bars with their intervals."""
        shown = [c for c in self.coefficients if c.name != INTERCEPT and not c.is_block]
        places = np.arange(len(shown), dtype=np.float64)[::-1]
        value = np.array([c.estimate for c in shown])
        low = np.array([c.estimate if c.lower is None else c.lower for c in shown])
        high = np.array([c.estimate if c.upper is None else c.upper for c in shown])
        ends = [0.0, *low.tolist(), *high.tolist()]
        margin = 0.05 * (max(ends) - min(ends)) or 1.0
        categories = tuple(c.name for c in reversed(shown)) or ("no term",)
        return Plot(
            title=f"Coefficients of {self.response}, {self.units} units",
            sentence=self.sentence(),
            x=Axis("Coefficient", self.unit, min(ends) - margin, max(ends) + margin),
            y=Axis("Term", "", -0.5, len(categories) - 0.5, "category", categories),
            layers=(
                Bars(f"Estimate, {100 * self.coverage:g} % interval", places, value, low, high),
                Line(
                    "no effect", np.zeros(2), np.array([-0.5, len(categories) - 0.5]), "reference"
                ),
            ),
        )

    def sentence(self) -> str:
        """Return which terms stand out from the noise."""
        shown = [c for c in self.coefficients if c.name != INTERCEPT and not c.is_block]
        if self.degrees < 1:
            return "No degrees of freedom are left to judge the coefficients by."
        limit = 1 - self.coverage
        clear = [c.name for c in shown if c.p is not None and c.p < limit]
        if not clear:
            return f"No term stands out from the noise (p below {limit:.2g})."
        return (
            f"{len(clear)} of {len(shown)} terms stand out from the noise (p below {limit:.2g}): "
            f"{', '.join(clear)}."
        )


def coefficient_table(
    model: "LinearModel", *, units: Units = "coded", coverage: float = 0.95
) -> CoefficientTable:
    """Return the coefficients of a linear model with errors, tests, intervals and VIF.

    In natural units the polynomial is multiplied out, exactly; the errors follow from the joint
    covariance. There VIF are large because powers of a setting far from zero resemble each other:
    judge collinearity by the coded ones.

    Args:
        model: The model.
        units: Coded, natural or scaled (centred on the runs' mean, over half their range).
        coverage: Of the intervals.

    Raises:
        InvalidValueError: If there are no such units, or coverage is no share.

    Source:
        VIF, [(X'WX)^-1]_jj times the sum of squares of the column about its mean (about zero in a
        model without intercept): Marquardt (1970), Technometrics 12, 591-612.
    """
    if units not in get_args(Units):
        raise InvalidValueError(
            f"units is {units!r}; expected one of {', '.join(get_args(Units))}."
        )
    reach = critical_t(coverage, model.degrees)
    names, estimates, errors, inflations = _columns(model, units)
    own = [
        _coefficient(name, estimate, error, vif, degrees=model.degrees, reach=reach)
        for name, estimate, error, vif in zip(names, estimates, errors, inflations, strict=True)
    ]
    return CoefficientTable(
        response=model.response,
        unit=modelled_unit(model),
        units=units,
        coverage=coverage,
        degrees=model.degrees,
        coefficients=(*own, *_block_coefficients(model, reach)),
        notes=_notes(model, units),
    )


def _columns(
    model: "LinearModel", units: Units
) -> tuple[tuple[str, ...], FloatArray, FloatArray, list[float | None]]:
    """Return names, estimates, standard errors and VIF in these units."""
    half = model.solution.half_inverse[: len(model.columns)]
    if units == "coded":
        names, change = model.columns, np.eye(len(model.columns))
        values = model.matrix.to_numpy(dtype=np.float64)
    else:
        chosen = natural_units(model.space) if units == "natural" else scaled_units(model)
        expansion: Expansion = expand(model, chosen)
        names, change = expansion.names, expansion.change
        values = expansion.columns(model.rows.settings, model.space)
    relative = np.square(change @ half).sum(axis=1)
    inflations: list[float | None] = [None] * len(names)
    # Written out, a model without all lower orders has more columns than coefficients.
    if len(names) == len(model.columns):
        spreads = _spreads(model, values)
        inflations = [
            None if name == INTERCEPT else float(variance * spread)
            for name, variance, spread in zip(names, relative, spreads, strict=True)
        ]
    return (
        names,
        np.asarray(change @ model.coefficients),
        np.asarray(model.residual_std * np.sqrt(relative)),
        inflations,
    )


def _spreads(model: "LinearModel", values: FloatArray) -> FloatArray:
    weights = model.weights
    if model.terms.has_intercept:
        values = values - weights @ values / weights.sum()
    return np.asarray(weights @ np.square(values))


def _block_coefficients(model: "LinearModel", reach: float) -> list[Coefficient]:
    start = len(model.columns)
    estimates = model.solution.coefficients[start:]
    variances = np.diag(model.solution.inverse)[start:]
    return [
        _coefficient(
            name,
            estimate,
            model.residual_std * np.sqrt(variance),
            None,
            degrees=model.degrees,
            reach=reach,
            is_block=True,
        )
        for name, estimate, variance in zip(
            model.block_contrasts.columns, estimates, variances, strict=True
        )
    ]


def _coefficient(
    name: str,
    estimate: float,
    error: float,
    vif: float | None,
    *,
    degrees: int,
    reach: float,
    is_block: bool = False,
) -> Coefficient:
    if not error > 0:
        missing = None if np.isnan(error) else float(error)
        return Coefficient(name, float(estimate), missing, None, None, None, None, vif, is_block)
    t = float(estimate / error)
    return Coefficient(
        name,
        float(estimate),
        float(error),
        t,
        float(2 * special.stdtr(float(degrees), -abs(t))),
        float(estimate - reach * error),
        float(estimate + reach * error),
        vif,
        is_block,
    )


def _notes(model: "LinearModel", units: Units) -> tuple[str, ...]:
    found = [column.sentence() for column in model.aliased]
    if model.recommended:
        found.append(
            "Not from a randomised design: an optimizer recommended runs; t and p are descriptive."
        )
    used = {name for term in model.terms.terms for name in term.factors}
    for factor in model.space.searched:
        if factor.name not in used:
            continue
        if isinstance(factor, CategoricalFactor):
            found.append(
                f"{factor.name}[level] is the difference of that level from the average of all "
                f"levels; that of {factor.levels[-1]} is minus the sum of the others."
            )
        elif is_log(factor) and units == "natural":
            unit = f" in {factor.unit}" if factor.unit else ""
            found.append(f"ln({factor.name}) is the natural logarithm of {factor.name}{unit}.")
        elif is_log(factor):
            found.append(f"{factor.name} is coded on its logarithm.")
    expressions = unexpanded(model)
    if expressions and units != "coded":
        found.append(f"Computed columns stay in coded units: {', '.join(expressions)}.")
    if model.transform.kind != "none":
        found.append(f"Coefficients are on the {model.transform.kind} scale of the response.")
    return tuple(found)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value

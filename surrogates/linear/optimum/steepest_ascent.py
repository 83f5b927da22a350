"""Steepest ascent: the straight path along which a fitted surface rises or falls fastest."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.coding import NumericFactor, coded_number, coded_values, is_log, numbers_of
from doe.errors import InvalidValueError, UnknownNameError
from doe.factors import DiscreteFactor, Value, check_number
from doe.plots import Axis, Band, Line, Plot, Points
from doe.rounding import nearest_numbers
from surrogates.linear.optimum.canonical import setting_text
from surrogates.linear.optimum.direction_cone import fraction_excluded
from surrogates.linear.optimum.ridge import Aim, check_aim
from surrogates.linear.optimum.second_order import SecondOrderSurface, second_order_surface
from surrogates.linear.prediction import critical_t
from surrogates.linear.reports.decomposition import EXACT_FIT

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.model import LinearModel

N_STEPS = 10
STEP = 0.5
# Significant digits of a setting that has no step.
N_DIGITS = 11
# A gradient below this share of the largest coefficient is rounding error.
LEVEL = 1e-10


@dataclass(frozen=True, eq=False)
class SteepestAscent:
    """Settings along the path of steepest ascent or descent, and how sure its direction is.

    Attributes:
        surface: The surface in coded units.
        aim: Whether the path climbs or descends.
        direction: Unit vector in coded units, shape ``(k,)``.
        direction_errors: Standard errors of the gradient, over its length, shape ``(k,)``.
        fraction_excluded: Share of all directions that the runs rule out as the steepest one; 0
            when they tell nothing of the direction, ``nan`` where there is no error to judge by.
        settings: Complete settings in natural units, on the steps of the equipment, start first.
        distance: Coded distance of each from the start, after rounding, shape ``(n,)``.
        estimate: Expected response, in its unit.
        mean_lower: Lower end of its confidence interval.
        mean_upper: Upper end.
        run_lower: Lower end of the interval of one new run.
        run_upper: Upper end.
        extrapolates: Where the model was not learned.
        allowed: Where the setting lies within the factor space.
        coverage: Of the cone and the intervals.

    Source:
        Box and Wilson (1951), J. Royal Statistical Society B 13, 1-45; the cone: Box and Draper
        (2007), Response Surfaces, Mixtures, and Ridge Analyses, 2nd ed., section 6.4.
    """

    surface: SecondOrderSurface
    aim: Aim
    direction: FloatArray
    direction_errors: FloatArray
    fraction_excluded: float
    settings: "pd.DataFrame"
    distance: FloatArray
    estimate: FloatArray
    mean_lower: FloatArray
    mean_upper: FloatArray
    run_lower: FloatArray
    run_upper: FloatArray
    extrapolates: BoolArray
    allowed: BoolArray
    coverage: float

    def table(self) -> "pd.DataFrame":
        """Return the path, a row per step: settings, distance, response with its intervals."""
        import pandas as pd

        columns = {
            "distance": self.distance,
            "estimate": self.estimate,
            "mean_lower": self.mean_lower,
            "mean_upper": self.mean_upper,
            "run_lower": self.run_lower,
            "run_upper": self.run_upper,
            "extrapolates": self.extrapolates,
            "allowed": self.allowed,
        }
        return pd.concat([self.settings, pd.DataFrame(columns)], axis=1).rename_axis("step")

    def sentence(self) -> str:
        """Return in words where the path leads, how sure it is, and where trust ends."""
        model = self.surface.model
        pairs = zip(self.direction, self.surface.names, strict=True)
        parts = ", ".join(f"{weight:+.2f} {name}" for weight, name in pairs)
        verb = "rises" if self.aim == "maximise" else "falls"
        found = [f"{model.response} {verb} fastest along {parts} (coded units)."]
        found += [self._sureness(), self._best()]
        if self.extrapolates.any():
            first = int(np.argmax(self.extrapolates))
            found.append(
                f"From step {first} on ({setting_text(self.surface, self.settings, first)}) the "
                "model extrapolates: its numbers there are a guess, to be tested by runs."
            )
        if not self.allowed.all():
            first = int(np.argmin(self.allowed))
            found.append(
                f"From step {first} on settings leave the factor space: check that they are safe "
                "and possible, and widen the ranges before running them."
            )
        return " ".join(part for part in found if part)

    def plot(self) -> Plot:
        """Return the expected response along the path, with both intervals."""
        model = self.surface.model
        edges = (self.mean_lower, self.mean_upper, self.run_lower, self.run_upper)
        is_known = all(np.isfinite(edge).all() for edge in edges)
        every = np.concatenate([self.estimate, *(edges if is_known else ())])
        margin = 0.05 * float(np.ptp(every)) or 1.0
        layers: list[Band | Line | Points] = []
        if is_known:
            layers = [
                Band(f"{self.coverage:.0%} of new runs", self.distance, edges[2], edges[3]),
                Band(f"{self.coverage:.0%} interval of the mean", self.distance, *edges[:2]),
            ]
        layers.append(Line("Expected", self.distance, self.estimate))
        beyond = self.extrapolates
        if beyond.any():
            layers.append(
                Points("Extrapolates", self.distance[beyond], self.estimate[beyond], "excluded")
            )
        what = "ascent" if self.aim == "maximise" else "descent"
        unit = model.rows.response.unit
        low, high = float(every.min()) - margin, float(every.max()) + margin
        return Plot(
            f"Path of steepest {what} of {model.response}",
            self.sentence(),
            Axis("Distance from the start", "coded", 0.0, float(self.distance.max()) * 1.02 or 1.0),
            Axis(model.response, unit, low, high),
            tuple(layers),
        )

    def _best(self) -> str:
        """Return where a curved surface is best along the path; empty for a plane."""
        if not np.abs(self.surface.curvature).max() > 0:
            return ""
        signed = self.estimate if self.aim == "maximise" else -self.estimate
        best = int(signed.argmax())
        where = setting_text(self.surface, self.settings, best)
        return f"Along this straight line the fitted surface is best at step {best} ({where})."

    def _sureness(self) -> str:
        if self.surface.model.is_exact:
            return EXACT_FIT
        if np.isnan(self.fraction_excluded):
            return ""
        if self.fraction_excluded < 1e-9:
            return (
                f"At {self.coverage:.0%} confidence the runs rule out no direction at all: do not "
                "follow this one before the effects are clearer."
            )
        return (
            f"At {self.coverage:.0%} confidence the runs rule out {self.fraction_excluded:.1%} of "
            "all directions as the steepest."
        )


def steepest_ascent(
    model: "LinearModel",
    *,
    aim: Aim = "maximise",
    start: Mapping[str, float] | None = None,
    step: float | Mapping[str, float] = STEP,
    n_steps: int = N_STEPS,
    at: Mapping[str, Value] | None = None,
    coverage: float = 0.95,
) -> SteepestAscent:
    """Return settings along the direction in which the fitted surface rises or falls fastest.

    The direction is that of the gradient at the start in coded units, and depends on the ranges
    that these were chosen from. Settings are rounded to steps, and reported beyond the studied
    region and the factor space, for that is where such a path leads.

    Args:
        model: A linear model of first or second order.
        aim: Whether to climb or to descend.
        start: Where the path begins, natural units; factors not named start in the middle.
        step: Distance between settings in coded units, or the change of one factor per step in its
            unit, such as ``{"time": 5.0}`` (on a log scale the first change).
        n_steps: How many settings after the start.
        at: Settings of factors that stay; a level for every categorical factor of the model.
        coverage: Of the confidence cone and the intervals.

    Raises:
        InvalidValueError: If the model is above second order, has mixture components that move, a
            categorical factor has no level, the surface is level at the start, or an argument is
            out of range.
        UnknownNameError: If a name is not that of a factor that moves.
    """
    _check(aim, n_steps)
    reach = critical_t(coverage, model.degrees)
    surface = second_order_surface(model, at)
    origin = _origin(surface, start or {})
    gradient = surface.gradient(origin)
    direction = _direction(surface, gradient, aim)
    length = _step(surface, origin, direction, step)
    asked = origin + np.arange(n_steps + 1)[:, None] * length * direction
    settings = _rounded(surface, surface.settings(asked))
    coded = _coded(surface, settings)
    means = surface.means(coded, coverage)
    run_lower, run_upper = _run_interval(surface, coded, reach)
    covariance = _covariance(surface, origin)
    return SteepestAscent(
        surface=surface,
        aim=aim,
        direction=direction,
        direction_errors=np.sqrt(np.diag(covariance)) / np.linalg.norm(gradient),
        fraction_excluded=fraction_excluded(gradient, covariance, model.degrees, coverage=coverage),
        settings=settings,
        distance=np.linalg.norm(coded - coded[0], axis=1),
        estimate=means.estimate,
        mean_lower=means.lower,
        mean_upper=means.upper,
        run_lower=run_lower,
        run_upper=run_upper,
        extrapolates=means.extrapolates,
        allowed=model.space.contains(settings),
        coverage=coverage,
    )


def _check(aim: Aim, n_steps: int) -> None:
    check_aim(aim)
    if isinstance(n_steps, bool) or not isinstance(n_steps, int) or n_steps < 1:
        raise InvalidValueError(f"n_steps must be a whole number of at least 1, got {n_steps!r}.")


def _direction(surface: SecondOrderSurface, gradient: FloatArray, aim: Aim) -> FloatArray:
    """Return the unit vector along which the response, in its own unit, gets better fastest."""
    model, length = surface.model, float(np.linalg.norm(gradient))
    if length <= LEVEL * float(np.abs(model.solution.coefficients).max()):
        raise InvalidValueError(
            f"The surface of '{model.response}' is level at the start, so no direction is the "
            "steepest: start elsewhere, or use canonical and ridge analysis."
        )
    is_up = (aim == "maximise") == model.transform.increasing
    return gradient / length if is_up else -gradient / length


def _covariance(surface: SecondOrderSurface, place: FloatArray) -> FloatArray:
    """Return the covariance of the gradient at a place, shape ``(k, k)``."""
    model = surface.model
    root = surface.gradient_rows(place) @ model.solution.half_inverse * model.residual_std
    return np.asarray(root @ root.T)


def _origin(surface: SecondOrderSurface, start: Mapping[str, float]) -> FloatArray:
    origin = np.zeros(len(surface.factors))
    for name, value in start.items():
        place = _place(surface, name)
        number = check_number(value, f"Start of '{name}'")
        total = surface.model.space.mixture_total
        origin[place] = coded_number(surface.factors[place], number, total)
    if not np.isfinite(origin).all():
        name = surface.names[int(np.argmin(np.isfinite(origin)))]
        raise InvalidValueError(f"Start of '{name}' must be above zero on its log scale.")
    return origin


def _place(surface: SecondOrderSurface, name: str) -> int:
    if name not in surface.names:
        raise UnknownNameError(
            f"'{name}' is not a factor that moves; those are {', '.join(surface.names)}."
        )
    return surface.names.index(name)


def _step(
    surface: SecondOrderSurface,
    origin: FloatArray,
    direction: FloatArray,
    step: float | Mapping[str, float],
) -> float:
    """Return the coded distance of one step."""
    if not isinstance(step, Mapping):
        distance = check_number(step, "step")
        if distance <= 0:
            raise InvalidValueError(f"step must be a coded distance above 0, got {distance:g}.")
        return distance
    if len(step) != 1:
        raise InvalidValueError(f"step names {list(step)}; expected the change of one factor.")
    name, change = next(iter(step.items()))
    place, amount = _place(surface, name), check_number(change, f"Step of '{name}'")
    factor, total = surface.factors[place], surface.model.space.mixture_total
    start = numbers_of(surface.settings(origin[None, :])[name])[0]
    moved = abs(coded_number(factor, start + abs(amount), total) - origin[place])
    if not moved > 0 or abs(direction[place]) <= LEVEL:
        raise InvalidValueError(
            f"A step of {amount:g} {factor.unit} in '{name}' gives no step along the path"
            f"{'' if moved > 0 else ', because it is zero'}: name a factor with an effect and a "
            "change other than 0.".replace("  ", " ")
        )
    return float(moved / abs(direction[place]))


def _rounded(surface: SecondOrderSurface, settings: "pd.DataFrame") -> "pd.DataFrame":
    rounded = settings.copy()
    for factor in surface.factors:
        rounded[factor.name] = _on_steps(factor, numbers_of(settings[factor.name]))
    return rounded


def _on_steps(factor: NumericFactor, values: FloatArray) -> FloatArray:
    """Return values on the factor's steps, continued beyond its range."""
    if isinstance(factor, DiscreteFactor):
        return nearest_numbers(factor, values)
    if factor.step is None:
        if is_log(factor):
            return np.array([float(f"{value:.{N_DIGITS}g}") for value in values])
        size = max(abs(factor.low), abs(factor.high))
        digits = N_DIGITS - int(np.ceil(np.log10(size)))
        return np.asarray(np.round(values, digits) + 0.0, dtype=np.float64)
    low, width = Decimal(repr(factor.low)), Decimal(repr(factor.step))
    counts = np.round((values - factor.low) / factor.step)
    return np.array([float(low + int(count) * width) for count in counts], dtype=np.float64)


def _coded(surface: SecondOrderSurface, settings: "pd.DataFrame") -> FloatArray:
    total = surface.model.space.mixture_total
    return np.column_stack(
        [coded_values(f, numbers_of(settings[f.name]), total) for f in surface.factors]
    )


def _run_interval(
    surface: SecondOrderSurface, coded: FloatArray, reach: float
) -> tuple[FloatArray, FloatArray]:
    model = surface.model
    rows = surface.rows(coded)
    centre = np.asarray(rows @ model.solution.coefficients)
    error = reach * model.residual_std * np.sqrt(1 + model.solution.leverage_of(rows))
    ends = model.transform.backward(centre - error), model.transform.backward(centre + error)
    return ends if model.transform.increasing else ends[::-1]

"""On which scale a response is best modelled: the likelihood of Box and Cox's powers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, stats

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, TooFewDataError
from doe.responses import Transform
from surrogates.linear.reports.decomposition import can_express_mean
from surrogates.transforms import POWERS, ResponseTransform

if TYPE_CHECKING:
    import pandas as pd

    from doe.plots import Plot
    from surrogates.linear.model import LinearModel
    from surrogates.linear.solution import Solution

# Powers that people can name, nearest to no transformation first where two are as near.
NAMED_POWERS = (1.0, 0.5, 0.0, -0.5, -1.0, 2.0, -2.0)
# Powers are sought between minus and plus this; beyond it the values vary too little to tell.
FARTHEST = 20.0
N_GRID = 161
# Sums of squares below this share of the values' own are rounding.
ROUNDING = 1e-24
# Values whose largest is less than this many times the smallest are bent little by any power.
LITTLE_RATIO = 3.0


@dataclass(frozen=True, eq=False)
class BoxCox:
    """The log likelihood of a response over the power that it is raised to before modelling.

    Power 1 is no transformation, 0.5 the square root, 0 the logarithm, -1 the inverse.

    Attributes:
        response: The response.
        unit: Its unit.
        power: The most likely power.
        lower: Lower end of its interval; None where that is below -20.
        upper: Upper end of its interval; None where that is above 20.
        coverage: Of the interval.
        powers: Where the profile is given, shape ``(n_powers,)``.
        log_likelihood: There, of the values in their own unit, shape ``(n_powers,)``.
        highest: The log likelihood at ``power``.
        scales: The log likelihood of each scale that a response can be modelled on.
        current: The scale of the model that was given.
        rounded: The power with a name that is nearest to ``power``, of those in the interval; 1
            when 1 is in the interval. ``power`` itself to one digit where none with a name is.
        recommended: The scale to model on.
        ratio: Largest over smallest value.

    Source:
        Box and Cox (1964), J. R. Stat. Soc. B 26, 211-252, sections 2 and 3.
    """

    response: str
    unit: str
    power: float
    lower: float | None
    upper: float | None
    coverage: float
    powers: FloatArray
    log_likelihood: FloatArray
    highest: float
    scales: dict[Transform, float]
    current: Transform
    rounded: float
    recommended: Transform
    ratio: float

    @property
    def limit(self) -> float:
        """The log likelihood that bounds the interval."""
        return self.highest - float(stats.chi2.ppf(self.coverage, 1)) / 2

    def contains(self, power: float) -> bool:
        """Return whether the interval holds a power."""
        above = self.lower is None or self.lower <= power
        return above and (self.upper is None or power <= self.upper)

    def table(self) -> "pd.DataFrame":
        """Return a row per scale: its power, its log likelihood, and whether the data allow it.

        ``allowed`` says whether its likelihood is within the bound of the interval.
        """
        import pandas as pd

        rows = [
            (kind, POWERS[kind], value, value >= self.limit) for kind, value in self.scales.items()
        ]
        table = pd.DataFrame(rows, columns=["scale", "power", "log likelihood", "allowed"])
        return table.set_index("scale").astype({"power": float})

    def sentence(self) -> str:
        """Return in words the power, its interval, and the scale to model on."""
        low = f"below -{FARTHEST:g}" if self.lower is None else f"{self.lower:.3g}"
        high = f"above {FARTHEST:g}" if self.upper is None else f"{self.upper:.3g}"
        beyond = " or beyond" if abs(self.power) > FARTHEST - 1e-6 else ""
        found = (
            f"The most likely power of '{self.response}' is {self.power:.3g}{beyond} "
            f"({100 * self.coverage:g} % interval {low} to {high})."
        )
        return f"{found} {self._advice()}"

    def _advice(self) -> str:
        if self.recommended == "none" and self.contains(1.0):
            return "1 is in the interval: model it as it is."
        if self.recommended == "logit":
            first = (
                "1 is in the interval, but the logit, made for percentages, is far likelier"
                if self.contains(1.0)
                else "1 is not in the interval, and the logit, made for percentages, is as likely "
                "as the best power"
            )
            return f"{first}: model it on the logit scale."
        place = POWERS[self.recommended]
        if place is not None and self.contains(place):
            advice = f"1 is not in the interval: model it on the {self.recommended} scale."
        else:
            advice = (
                f"1 is not in the interval, and power {self.rounded:g} is not among the scales; "
                f"the likeliest of those is {self.recommended}."
            )
        if self.ratio < LITTLE_RATIO:
            advice += (
                f" The largest value is only {self.ratio:.2g} times the smallest, so that scales "
                "differ little: look for outliers before changing it."
            )
        return advice

    def plot(self) -> "Plot":
        """Return the profile with its interval and the present scale."""
        from surrogates.linear.diagnosing.box_cox_plot import box_cox_plot

        return box_cox_plot(self)


def box_cox(model: "LinearModel", *, coverage: float = 0.95) -> BoxCox:
    """Return the profile likelihood of the power for the terms, blocks and weights of a model.

    The slope of each transformation (the Jacobian) is counted, so that likelihoods of different
    powers compare. Weights are taken to hold on every scale.

    Args:
        model: Its terms are refitted to the values in their natural unit; its own scale does not
            matter.
        coverage: Of the interval: powers whose log likelihood is within half a quantile of
            chi-square with one degree of freedom of the highest.

    Raises:
        InvalidValueError: If a value is not above zero, the model has no constant, or ``coverage``
            is not between 0 and 1.
        TooFewDataError: If no degrees of freedom are left, or all values are the same.

    Source:
        Box and Cox (1964), J. R. Stat. Soc. B 26, 211-252, equations 8 to 10; division by the
        geometric mean, so that the unit does not matter: Schlesselman (1971), J. R. Stat. Soc. B
        33, 307-311.
    """
    if not 0 < coverage < 1:
        raise InvalidValueError(
            f"coverage is {coverage}; expected a share between 0 and 1, such as 0.95."
        )
    values = model.rows.measured
    _check(model, values)
    profile = _profile(model.solution, values)
    power, highest = _maximum(profile)
    allowance = float(stats.chi2.ppf(coverage, 1)) / 2
    lower = _end(profile, power, -FARTHEST, highest - allowance)
    upper = _end(profile, power, FARTHEST, highest - allowance)
    scales = _scales(model, profile, values)
    rounded, recommended = _recommended(power, (lower, upper), (highest, allowance), scales)
    powers = _grid(power, lower, upper)
    return BoxCox(
        response=model.response,
        unit=model.rows.response.unit,
        power=power,
        lower=lower,
        upper=upper,
        coverage=coverage,
        powers=powers,
        log_likelihood=np.array([profile(float(each)) for each in powers]),
        highest=highest,
        scales=scales,
        current=model.transform.kind,
        rounded=rounded,
        recommended=recommended,
        ratio=float(values.max() / values.min()),
    )


def _check(model: "LinearModel", values: FloatArray) -> None:
    wrong = np.flatnonzero(~(values > 0))
    if len(wrong):
        amount = f"{values[wrong[0]]:g} {model.rows.response.unit}".rstrip()
        raise InvalidValueError(
            f"Box and Cox's powers need values above zero; run '{model.rows.runs[wrong[0]]}' has "
            f"{amount} of '{model.response}'. Record a value below the detection limit as such, "
            "or compare the scales that allow it by their fit, such as transform='sqrt'."
        )
    if model.degrees < 1:
        raise TooFewDataError(
            f"{model.n_runs} runs and {model.n_coefficients} coefficients leave no degrees of "
            "freedom, so that every power fits exactly: add runs or drop terms."
        )
    if not can_express_mean(model.solution.matrix):
        raise InvalidValueError(
            f"Box and Cox's powers need a model with a constant; '{model.terms.formula}' has none, "
            "and the power would depend on where the scale begins: add the intercept."
        )


def _profile(solution: "Solution", values: FloatArray) -> Callable[[float], float]:
    """Return the function that gives the log likelihood of a power, all else at its best."""
    logs = np.log(values)
    centre = float(logs.mean())
    relative = logs - centre
    root, basis = np.sqrt(solution.weights), solution.orthogonal
    n_runs = len(values)
    # Of the values, not of their ratio to the geometric mean; and the weights' normalisation.
    constant = float(np.log(root).sum()) - n_runs * centre

    def log_likelihood(power: float) -> float:
        # Steep powers of far-out values would overflow; their likelihood is nil long before.
        exponents = np.clip(power * relative, -300.0, 300.0)
        changed = np.expm1(exponents) / power if power else relative
        weighted = root * changed
        rest = weighted - basis @ (basis.T @ weighted)
        rest = rest - basis @ (basis.T @ rest)
        squares = max(float(rest @ rest), ROUNDING * float(weighted @ weighted))
        # The slopes of (u^power - 1)/power multiply to 1 when u has geometric mean 1.
        return constant - 0.5 * n_runs * (float(np.log(2 * np.pi * squares / n_runs)) + 1)

    return log_likelihood


def _maximum(profile: Callable[[float], float]) -> tuple[float, float]:
    grid = np.linspace(-FARTHEST, FARTHEST, 4 * int(FARTHEST) + 1)
    heights = np.array([profile(float(power)) for power in grid])
    best = int(heights.argmax())
    ends = grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)]
    found = optimize.minimize_scalar(
        lambda power: -profile(float(power)),
        bounds=ends,
        method="bounded",
        options={"xatol": 1e-9},
    )
    power = float(found.x)
    # A maximum at a point of the grid, such as exactly 0, is kept when the search is no better.
    if heights[best] >= -found.fun:
        power = float(grid[best])
    return power, profile(power)


def _end(profile: Callable[[float], float], power: float, far: float, limit: float) -> float | None:
    """Return where the profile first falls to the limit on the way to ``far``; None if nowhere."""
    inner, step = power, float(np.sign(far)) * 0.05
    while abs(inner) < abs(far) or np.sign(inner) != np.sign(far):
        outer = inner + step
        if profile(outer) < limit:
            found = optimize.brentq(
                lambda each: profile(float(each)) - limit, inner, outer, xtol=1e-12
            )
            return float(found)
        inner, step = outer, 1.5 * step
    return None


def _scales(
    model: "LinearModel", profile: Callable[[float], float], values: FloatArray
) -> dict[Transform, float]:
    """Return the log likelihood of each scale on which these values can be modelled."""
    found = {kind: profile(power) for kind, power in POWERS.items() if power is not None}
    if model.rows.response.unit.strip() in ("%", "percent"):
        logit = ResponseTransform("logit", 100.0)
        if logit.accepts(values).all():
            solution = model.solution
            changed = np.sqrt(solution.weights) * logit.forward(values)
            rest = changed - solution.orthogonal @ (solution.orthogonal.T @ changed)
            squares = max(float(rest @ rest), ROUNDING * float(changed @ changed)) / len(values)
            found["logit"] = float(
                0.5 * np.log(solution.weights).sum()
                + np.log(logit.slope(values)).sum()
                - 0.5 * len(values) * (np.log(2 * np.pi * squares) + 1)
            )
    return found


def _recommended(
    power: float,
    interval: tuple[float | None, float | None],
    likelihood: tuple[float, float],
    scales: dict[Transform, float],
) -> tuple[float, Transform]:
    """Return the power with a name, and the scale to model on.

    Args:
        power: The most likely power.
        interval: Its ends.
        likelihood: The highest log likelihood, and by how much others may lie below it.
        scales: The log likelihood of each scale.
    """
    highest, allowance = likelihood
    low = -np.inf if interval[0] is None else interval[0]
    high = np.inf if interval[1] is None else interval[1]
    logit = scales.get("logit", -np.inf)
    if low <= 1 <= high:
        # The logit is no power: it may be far likelier than all of them.
        return 1.0, "logit" if logit - allowance > scales["none"] else "none"
    inside = [each for each in NAMED_POWERS if low <= each <= high]
    rounded = min(inside, key=lambda each: abs(each - power), default=round(power, 1))
    if logit >= highest - allowance:
        return rounded, "logit"
    allowed = [kind for kind, at in POWERS.items() if at is not None and low <= at <= high]
    return rounded, max(allowed or scales, key=lambda kind: scales[kind])


def _grid(power: float, lower: float | None, upper: float | None) -> FloatArray:
    """Return the powers to show: the interval, the named scales, and some room about them."""
    low = -FARTHEST if lower is None else lower
    high = FARTHEST if upper is None else upper
    room = 0.25 * max(high - low, 1.0)
    wide = np.linspace(min(-2.0, low - room), max(2.0, high + room), N_GRID)
    # An interval may be far narrower than the steps of the wide grid.
    near = np.linspace(2 * low - power, 2 * high - power, N_GRID)
    inside = near[(near > wide[0]) & (near < wide[-1])]
    return np.unique(np.concatenate([wide, inside, [power]]))

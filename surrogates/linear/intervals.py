"""Intervals of a linear model at any setting: for the mean, future runs, or a share of them."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import special

from doe.arrays import BoolArray, FloatArray
from doe.errors import InvalidValueError, TooFewDataError
from doe.plots import Axis, Plot, Points
from surrogates.linear.reports.decomposition import can_express_mean
from surrogates.linear.tolerance import Side, check_share, tolerance_factor
from surrogates.surrogate import NEW_BLOCK, Block

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.model import LinearModel

Together = Literal["one by one", "bonferroni", "scheffe"]
Future = Literal["each", "mean"]


@dataclass(frozen=True, eq=False)
class Intervals:
    """An interval at each setting, in the response's unit.

    Attributes:
        response: What it is about.
        unit: Its unit.
        name: What the interval is, such as ``95 % confidence interval for the mean``.
        settings: The settings in natural units, one row each.
        estimate: The centre on the modelled scale, mapped back, shape ``(n_settings,)``.
        lower: Lower ends; minus infinity where there is only an upper bound.
        upper: Upper ends; infinity where there is only a lower bound.
        factor: How many residual SDs of the modelled scale the ends lie from the centre.
        extrapolates: Where the setting lies outside the applicability domain.
        notes: What it holds and what was assumed, each a sentence.
    """

    response: str
    unit: str
    name: str
    settings: "pd.DataFrame"
    estimate: FloatArray
    lower: FloatArray
    upper: FloatArray
    factor: FloatArray
    extrapolates: BoolArray
    notes: tuple[str, ...]

    def table(self) -> "pd.DataFrame":
        """Return the settings with ``estimate``, ``lower``, ``upper`` and ``extrapolates``."""
        import pandas as pd

        columns = {
            "estimate": self.estimate,
            "lower": self.lower,
            "upper": self.upper,
            "extrapolates": self.extrapolates,
        }
        numbers = pd.DataFrame(columns, index=self.settings.index)
        return pd.concat([self.settings, numbers], axis=1)

    def sentence(self) -> str:
        """Return what the intervals are, with the numbers of the first setting."""
        unit = f" {self.unit}" if self.unit else ""
        ends = [f"{end[0]:.5g}" for end in (self.lower, self.upper) if np.isfinite(end[0])]
        where = "At the setting" if len(self.settings) == 1 else "At the first setting"
        first = f"{where} the {self.name} of {self.response} is {' to '.join(ends)}{unit}."
        return " ".join([first, *self.notes])

    def plot(self) -> Plot:
        """Return the interval of each setting, in the order of the settings."""
        ends = [np.where(np.isfinite(end), end, self.estimate) for end in (self.lower, self.upper)]
        values = np.concatenate([self.estimate, *ends])
        margin = 0.05 * float(np.ptp(values)) or 1.0
        names = tuple(str(number) for number in range(1, len(self.settings) + 1))
        return Plot(
            title=f"{self.response}: {self.name}",
            sentence=self.sentence(),
            x=Axis("setting", "", -0.5, len(names) - 0.5, "category", names),
            y=Axis(
                self.response,
                self.unit,
                float(values.min()) - margin,
                float(values.max()) + margin,
            ),
            layers=(
                Points(
                    self.name,
                    np.arange(float(len(names))),
                    self.estimate,
                    "estimate",
                    error_low=ends[0],
                    error_high=ends[1],
                ),
            ),
        )


def mean_interval(
    model: "LinearModel",
    settings: "pd.DataFrame",
    *,
    coverage: float = 0.95,
    side: Side = "both",
    together: Together = "one by one",
    block: Block = NEW_BLOCK,
) -> Intervals:
    """Return confidence intervals of the expected value at each setting.

    Args:
        model: The linear model.
        settings: Settings in natural units.
        coverage: Share of studies whose interval holds the truth.
        side: Two ends, or one bound.
        together: Whether the coverage is that of each interval alone, of all the settings given
            together (``bonferroni``), or of every setting there is together (``scheffe``; for one
            factor and a straight line that is Working and Hotelling's band).
        block: The block predicted for.

    Raises:
        InvalidValueError: If the coverage or a choice is not allowed, or a setting cannot be read.
        TooFewDataError: If no degrees of freedom are left for the noise.
        UnknownNameError: If a block has no such level.

    Source:
        Draper and Smith (1998), Applied Regression Analysis, 3rd ed., sections 3.1 and 5.3;
        Scheffe (1953), Biometrika 40, 87-104; Working and Hotelling (1929), Journal of the
        American Statistical Association 24 (supplement), 73-85.
    """
    check_share(coverage, "coverage")
    _check_side(side)
    leverage = _leverage(model, settings, block)
    critical, note = _critical(
        model, len(settings), coverage, together=together, side=side, block=block
    )
    notes = [note, _of_scale(model, "It holds the median of future runs, which is the mean of the")]
    name = f"{_share(coverage)} {_kind('confidence', side)} {_for_mean(model)}"
    return _intervals(
        model,
        settings,
        critical * np.sqrt(leverage),
        name=name,
        notes=notes,
        side=side,
        block=block,
    )


def prediction_interval(
    model: "LinearModel",
    settings: "pd.DataFrame",
    *,
    n_future: int = 1,
    of: Future = "each",
    coverage: float = 0.95,
    side: Side = "both",
    block: Block = NEW_BLOCK,
) -> Intervals:
    """Return prediction intervals for future runs at each setting.

    Args:
        model: The linear model.
        settings: Settings in natural units.
        n_future: How many future runs at the setting.
        of: Whether the interval is to hold every one of them (``each``, by Bonferroni's
            inequality, so at least at the coverage) or their mean.
        coverage: Share of studies whose interval holds them.
        side: Two ends, or one bound.
        block: The block predicted for.

    Raises:
        InvalidValueError: If the coverage, a choice or the number of runs is not allowed, or a
            setting cannot be read.
        TooFewDataError: If no degrees of freedom are left for the noise.
        UnknownNameError: If a block has no such level.

    Source:
        Draper and Smith (1998), Applied Regression Analysis, 3rd ed., section 3.1; Hahn and
        Meeker (1991), Statistical Intervals, chapter 4.
    """
    check_share(coverage, "coverage")
    if isinstance(n_future, bool) or not isinstance(n_future, int) or n_future < 1:
        raise InvalidValueError(f"n_future is {n_future}; expected a whole number from 1 on.")
    if of not in ("each", "mean"):
        raise InvalidValueError(f"of is {of!r}; expected 'each' or 'mean'.")
    leverage = _leverage(model, settings, block)
    count, runs = (1, n_future) if of == "mean" else (n_future, 1)
    critical = _critical_t(coverage, model.degrees, side=side, count=count)
    what = {"each": f"for each of {n_future} new runs", "mean": f"for the mean of {n_future} runs"}
    name = f"{_share(coverage)} {_kind('prediction', side)} " + (
        "for a new run" if n_future == 1 else what[of]
    )
    notes = [_of_scale(model, "The mean is that of the")] if of == "mean" and n_future > 1 else []
    return _intervals(
        model,
        settings,
        critical * np.sqrt(1 / runs + leverage),
        name=name,
        notes=notes,
        side=side,
        block=block,
    )


def tolerance_interval(
    model: "LinearModel",
    settings: "pd.DataFrame",
    *,
    content: float = 0.95,
    confidence: float = 0.95,
    side: Side = "both",
    block: Block = NEW_BLOCK,
) -> Intervals:
    """Return tolerance intervals: each holds a share of all future runs at its setting.

    Exact for normal errors, with one side or two; the effective number of runs at a setting is
    the reciprocal of its leverage, and the degrees of freedom are n - p.

    Args:
        model: The linear model.
        settings: Settings in natural units.
        content: Share of future runs to be held.
        confidence: Share of studies whose interval holds them.
        side: Two ends, or one bound.
        block: The block predicted for.

    Raises:
        InvalidValueError: If a share or the side is not allowed, or a setting cannot be read.
        TooFewDataError: If no degrees of freedom are left for the noise.
        UnknownNameError: If a block has no such level.

    Source:
        As for ``tolerance_factor``.
    """
    leverage = _leverage(model, settings, block)
    _check_side(side)
    factor = tolerance_factor(
        content, confidence, leverage=leverage, degrees=model.degrees, side=side
    )
    name = f"{_share(content)}/{_share(confidence)} {_kind('tolerance', side)}"
    note = (
        f"It holds at least {_share(content)} of future runs at the setting with "
        f"{_share(confidence)} confidence, at each setting by itself."
    )
    return _intervals(model, settings, factor, name=name, notes=[note], side=side, block=block)


def _leverage(model: "LinearModel", settings: "pd.DataFrame", block: Block) -> FloatArray:
    if model.degrees < 1:
        raise TooFewDataError(
            f"{model.n_runs} runs and {model.n_coefficients} coefficients of '{model.response}' "
            "leave no degrees of freedom for the noise, so no interval can be given: choose a "
            "smaller model or add runs."
        )
    if not len(settings):
        raise InvalidValueError("There are no settings; give at least one row.")
    return model.solution.leverage_of(model.rows_at(settings, block=block))


def _critical(
    model: "LinearModel",
    n_settings: int,
    coverage: float,
    *,
    together: Together,
    side: Side,
    block: Block,
) -> tuple[float, str]:
    """Return how many standard errors an interval of the mean reaches, and what it covers."""
    match together:
        case "one by one":
            return _critical_t(coverage, model.degrees, side=side, count=1), ""
        case "bonferroni":
            return (
                _critical_t(coverage, model.degrees, side=side, count=n_settings),
                f"The coverage is at least that of these {n_settings} settings together.",
            )
        case "scheffe":
            if side != "both":
                raise InvalidValueError(
                    f"side is {side!r} with together='scheffe', whose bands have two sides: use "
                    "side='both', or together='bonferroni'."
                )
            dimension = _dimension(model, block)
            quantile = float(special.fdtri(dimension, model.degrees, coverage))
            note = "The coverage is that of all settings there are, together (Scheffe)."
            return float(np.sqrt(dimension * quantile)), note
        case _:
            raise InvalidValueError(
                f"together is {together!r}; expected 'one by one', 'bonferroni' or 'scheffe'."
            )


def _intervals(
    model: "LinearModel",
    settings: "pd.DataFrame",
    factor: FloatArray,
    *,
    name: str,
    notes: list[str],
    side: Side,
    block: Block,
) -> Intervals:
    _check_side(side)
    centre = model.rows_at(settings, block=block) @ model.solution.coefficients
    back, increasing = model.transform.backward, model.transform.increasing
    ends = {"lower": np.full(len(centre), -np.inf), "upper": np.full(len(centre), np.inf)}
    for natural, sign in (("lower", -1.0), ("upper", 1.0)):
        if side in ("both", natural):
            # On a falling scale the lower end of the response is the upper end of the scale.
            ends[natural] = back(
                centre + (sign if increasing else -sign) * factor * model.residual_std
            )
    new = model.solution.leverage_of(model.rows_at(settings))
    return Intervals(
        response=model.response,
        unit=model.rows.response.unit,
        name=name,
        settings=settings[list(model.space.names)].copy(),
        estimate=back(centre),
        lower=ends["lower"],
        upper=ends["upper"],
        factor=np.asarray(factor),
        extrapolates=model.domain.outside(settings, new),
        notes=tuple(note for note in [*notes, *_assumptions(model)] if note),
    )


def _assumptions(model: "LinearModel") -> list[str]:
    found = []
    if model.transform.kind != "none":
        found.append(
            f"Computed on the {model.transform.kind} scale and mapped back end by end, which keeps "
            "the coverage because the scale is monotone; the estimate is a median."
        )
    if np.ptp(model.weights) > 0:
        found.append("A new run counts as one of weight 1.")
    if model.block_contrasts.columns:
        found.append(
            "It is for the blocks studied: how far a new block may differ is not in its width."
        )
    return found


def _of_scale(model: "LinearModel", start: str) -> str:
    return "" if model.transform.kind == "none" else f"{start} {model.transform.kind} scale."


def _for_mean(model: "LinearModel") -> str:
    return "for the mean" if model.transform.kind == "none" else "for the median"


def _dimension(model: "LinearModel", block: Block) -> int:
    """Return how many directions the rows of all settings in a block span."""
    in_a_block = bool(np.any(model.block_contrasts.row(block)))
    matrix = model.matrix.to_numpy(dtype=np.float64)
    # A block's constant adds no direction to a model that already has a constant.
    return len(model.columns) + int(in_a_block and not can_express_mean(matrix))


def _critical_t(coverage: float, degrees: int, *, side: Side, count: int) -> float:
    _check_side(side)
    tail = (1 - coverage) / count / (2 if side == "both" else 1)
    return -float(special.stdtrit(float(degrees), tail))


def _check_side(side: Side) -> None:
    if side not in ("both", "lower", "upper"):
        raise InvalidValueError(f"side is {side!r}; expected 'both', 'lower' or 'upper'.")


def _share(share: float) -> str:
    return f"{100 * share:.6g} %"


def _kind(what: str, side: Side) -> str:
    return f"{what} interval" if side == "both" else f"{side} {what} bound"

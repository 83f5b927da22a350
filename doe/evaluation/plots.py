"""The figures of an evaluation: power, fraction of design space, correlations, leverage."""

from typing import TYPE_CHECKING

import numpy as np

from doe.errors import DesignError
from doe.evaluation.readings import GOOD_POWER
from doe.plots import Axis, Bars, Line, Plot, Points, Surface
from doe.terms import Terms

if TYPE_CHECKING:
    from doe.evaluation.evaluation import DesignEvaluation

MAX_CELLS = 40
"""Columns that a correlation map shows without being asked; more cannot be read."""

_MARK = 0.8
_STEPS = 201


def power_plot(evaluation: "DesignEvaluation") -> Plot:
    """Return the power of each term that is an effect, and the power customarily asked for.

    Raises:
        DesignError: If no term has a power.
    """
    terms = [term for term in evaluation.tested_terms if term.power is not None][::-1]
    if not terms:
        raise DesignError(
            f"No term of '{evaluation.terms.formula}' has a power with these {evaluation.n_runs} "
            "runs: add runs, or drop terms that cannot be estimated."
        )
    power = np.array([term.power for term in terms], dtype=np.float64)
    places = np.arange(float(len(terms)))
    weakest = int(np.round(power, 9)[::-1].argmin())
    effects = {f"{term.effect * evaluation.sd:.3g}" for term in terms}
    size = effects.pop() if len(effects) == 1 else "the stated size"
    n_good = int((power >= GOOD_POWER).sum())
    ends = (-0.5, len(terms) - 0.5)
    return Plot(
        "Power of each term",
        f"An effect of {size} (run-to-run SD {evaluation.sd:.3g}) is found at the "
        f"{evaluation.alpha:.3g} level with a probability of at least {GOOD_POWER:g} for {n_good} "
        f"of {len(terms)} terms; the least is {power.min():.2f}, for {terms[::-1][weakest].name}.",
        Axis("power", "", 0.0, 1.0),
        Axis("term", "", *ends, "category", tuple(term.name for term in terms)),
        (
            Bars("power", places, power, power, power),
            Line(f"power {GOOD_POWER:g}", np.full(2, GOOD_POWER), np.array(ends), "limit"),
        ),
    )


def fraction_plot(evaluation: "DesignEvaluation", *, half_width: float | None = None) -> Plot:
    """Return the fraction-of-design-space curve: how much of the region is predicted how surely.

    Args:
        evaluation: Of a design with a known region.
        half_width: Acceptable half-width of the confidence interval, in the unit of the response;
            the curve then says in how much of the region it is held.

    Raises:
        DesignError: If the variance over the region is not known.
        InvalidValueError: If the half-width is not positive.

    Source:
        Zahran, Anderson-Cook and Myers (2003), J. Quality Technology 35, 377-386.
    """
    fractions = np.linspace(0.0, 1.0, _STEPS)
    deviations = np.array([evaluation.prediction_sd(float(each)) for each in fractions])
    marked = evaluation.prediction_sd(_MARK)
    sentence = (
        f"In 80 % of the allowed region the mean is predicted with an SD of at most {marked:.3g} "
        f"(run-to-run SD {evaluation.sd:.3g})."
    )
    layers: list[Line | Points] = [
        Line("SD of the predicted mean", 100.0 * fractions, deviations),
        Points(
            "80 % of the region",
            np.array([100.0 * _MARK]),
            np.array([marked]),
            "recommended",
            (f"{marked:.3g}",),
        ),
    ]
    highest = float(deviations.max())
    if half_width is not None:
        share = evaluation.fraction_within(half_width)
        bound = half_width / evaluation.interval_quantile
        highest = max(highest, bound)
        layers.append(
            Line(f"half-width {half_width:.3g}", np.array([0.0, 100.0]), np.full(2, bound), "limit")
        )
        sentence += (
            f" In {100 * share:.0f} % of it the half-width of the "
            f"{100 * (1 - evaluation.alpha):.3g} % confidence interval is at most {half_width:.3g}."
        )
    return Plot(
        "Fraction of design space",
        sentence,
        Axis("share of the allowed region", "%", 0.0, 100.0),
        Axis("SD of the predicted mean", _unit(evaluation), 0.0, 1.05 * highest),
        tuple(layers),
    )


def correlation_plot(evaluation: "DesignEvaluation", *, further: Terms | None = None) -> Plot:
    """Return the map of absolute correlations between the columns, those of the model first.

    Args:
        evaluation: Of any design.
        further: Terms to show beside those of the model; by default those of the next order where
            there is room for them.

    Raises:
        DesignError: If fewer than two columns vary in the runs.
    """
    shown = further
    if further is None:
        shown = evaluation.left_out()
        if shown is not None and evaluation.n_columns + len(shown.terms) > MAX_CELLS:
            shown = None
    table = evaluation.correlations(shown)
    numbers = table.to_numpy(dtype=np.float64)
    known = np.flatnonzero(np.isfinite(np.diag(numbers))).tolist()
    varies = [str(table.columns[place]) for place in known]
    if len(varies) < 2:
        raise DesignError(
            "A map of correlations needs at least two columns that vary in the runs, found "
            f"{varies}: vary more factors."
        )
    values = numbers[np.ix_(known, known)]
    apart = values - np.eye(len(values))
    row, place = np.unravel_index(int(apart.argmax()), apart.shape)
    n_left = len(evaluation.correlations()) if shown is not None else 0
    beside = f" (the first {n_left} are the model's)" if n_left else ""
    most = float(apart[row, place])
    finding = (
        f"the largest correlation is {most:.2f}, between {varies[row]} and {varies[place]}."
        if most > 0
        else "none is correlated with another: the largest correlation is 0."
    )
    x = Axis("column", "", -0.5, len(varies) - 0.5, "category", tuple(varies))
    y = Axis("column", "", -0.5, len(varies) - 0.5, "category", tuple(varies[::-1]))
    places = np.arange(float(len(varies)))
    return Plot(
        "Correlations of the model's columns",
        f"Among {len(varies)} columns{beside} {finding}",
        x,
        y,
        (Surface("|correlation|", "", places, places, values[::-1], 0.0, 1.0, cells=True),),
    )


def leverage_plot(evaluation: "DesignEvaluation") -> Plot:
    """Return the leverage of each run, with its mean and with one, where a run fits itself."""
    leverage = evaluation.leverage
    names = tuple(str(run) for run in range(1, len(leverage) + 1))
    mean = float(leverage.mean())
    largest = int(np.round(leverage, 9).argmax())
    ends = np.array([-0.5, len(leverage) - 0.5])
    return Plot(
        "Leverage of each run",
        f"The largest leverage is {leverage.max():.2f}, of run {largest + 1}; the mean is "
        f"{mean:.2f}. A run of leverage 1 is fitted exactly, whatever its result.",
        Axis("run", "", float(ends[0]), float(ends[1]), "category", names),
        Axis("leverage", "", 0.0, 1.05),
        (
            Line("one", ends, np.ones(2), "limit"),
            Line("mean", ends, np.full(2, mean), "reference"),
            Points("leverage", np.arange(float(len(leverage))), leverage, "estimate"),
        ),
    )


def _unit(evaluation: "DesignEvaluation") -> str:
    """Return the unit of an SD: that of the response, which only ``sd`` tells."""
    return "run-to-run SDs" if evaluation.sd == 1.0 else f"run-to-run SD = {evaluation.sd:.3g}"

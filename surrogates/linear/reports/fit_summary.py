"""Which order of polynomial the runs support, one after another, and which to start from."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.errors import UnknownNameError
from doe.mixture_terms import scheffe_terms
from doe.space import FactorSpace
from doe.terms import (
    Term,
    Terms,
    cubic_terms,
    interaction_terms,
    linear_terms,
    model_matrix,
    parse_terms,
    quadratic_terms,
)
from surrogates.linear.aliases import estimable_columns
from surrogates.linear.reports.decomposition import (
    EXACT_FIT,
    Source,
    decomposition,
    f_test,
    pure_error,
)
from surrogates.linear.reports.statistics import press_of, r_squared
from surrogates.linear.solution import solve

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.model import LinearModel

LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class OrderFit:
    """One order of polynomial; None where a number is not available.

    Attributes:
        name: ``mean``, ``blocks``, ``linear``, ``two-factor interactions``, ``quadratic``,
            ``cubic``; for mixtures the orders of blending.
        terms: The terms of the model.
        added_degrees: Columns that it adds to the order before and that can be estimated.
        added_squares: What they explain together.
        f: Their F against the residual of this order.
        p: Its p value, sequential.
        lack_of_fit_p: p of the lack of fit that is left.
        residual_std: Root of the residual mean square.
        r2: Share of the variation explained.
        adjusted_r2: R2 per degree of freedom.
        q2: 1 - PRESS / total, the predicted R2.
        aliased: Columns of this order that the runs cannot estimate.
    """

    name: str
    terms: Terms
    added_degrees: int
    added_squares: float
    f: float | None
    p: float | None
    lack_of_fit_p: float | None
    residual_std: float | None
    r2: float | None
    adjusted_r2: float | None
    q2: float | None
    aliased: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class FitSummary:
    """The orders one after another, and the suggested one.

    Attributes:
        orders: Lowest first.
        suggested: Name of the order to start from.
        reason: Why.
        notes: What has to be known to read it, each a sentence.
    """

    orders: tuple[OrderFit, ...]
    suggested: str
    reason: str
    notes: tuple[str, ...] = ()

    def order(self, name: str) -> OrderFit:
        """Return an order by name.

        Raises:
            UnknownNameError: If there is none.
        """
        for order in self.orders:
            if order.name == name:
                return order
        raise UnknownNameError(
            f"The fit summary has no order '{name}'; it has "
            f"{', '.join(order.name for order in self.orders)}."
        )

    @property
    def terms(self) -> Terms:
        """The terms of the suggested order."""
        return self.order(self.suggested).terms

    def table(self) -> "pd.DataFrame":
        """Return a row per order; ``suggested`` marks one."""
        import pandas as pd

        heads = {
            "added terms df": "added_degrees",
            "sequential sum of squares": "added_squares",
            "F": "f",
            "sequential p": "p",
            "lack-of-fit p": "lack_of_fit_p",
            "residual SD": "residual_std",
            "R2": "r2",
            "adjusted R2": "adjusted_r2",
            "Q2": "q2",
        }
        columns: dict[str, list[object]] = {
            head: [_number(getattr(order, name)) for order in self.orders]
            for head, name in heads.items()
        }
        columns["aliased"] = [bool(order.aliased) for order in self.orders]
        columns["suggested"] = [order.name == self.suggested for order in self.orders]
        index = pd.Index([order.name for order in self.orders], name="order")
        return pd.DataFrame(columns, index=index)

    def sentence(self) -> str:
        """Return what is suggested and why."""
        return f"Suggested: {self.suggested}. {self.reason}"


def fit_summary(model: "LinearModel") -> FitSummary:
    """Return how each order of polynomial fits the runs of a model, blocks and weights as in it.

    Each order is compared with the one before (sequential sum of squares). Suggested is the highest
    order whose added terms are significant at 5 %, that is not aliased and shows no lack of fit; if
    every such order shows lack of fit, the highest of them. It is where to start, not where to end.

    Args:
        model: A fit to the runs in question, of any terms.

    Source:
        Myers, Montgomery and Anderson-Cook (2016), Response Surface Methodology, 4th ed., section
        6.6; for mixtures Cornell (2002), Experiments with Mixtures, 3rd ed., section 5.3.
    """
    error = pure_error(
        model.rows, model.values, model.weights, within_blocks=model.blocks != "ignore"
    )
    fits: list[OrderFit] = []
    before: Source | None = None
    for step in _steps(model):
        fit, left = _fitted(model, step, before, error)
        fits.append(fit)
        before = left
        if left.degrees < 1:
            break  # every run has a coefficient of its own: a higher order adds nothing
    suggested, reason = _suggested(fits)
    return FitSummary(tuple(fits), suggested, reason, _notes(model, fits))


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    name: str
    terms: Terms
    columns: "pd.DataFrame"
    block_matrix: FloatArray


def _steps(model: "LinearModel") -> Iterator[_Step]:
    settings, space = model.rows.settings, model.space
    mean = parse_terms("1", space)
    ones = model_matrix(mean, settings, space)
    yield _Step("mean", mean, ones, np.empty((len(ones), 0)))
    if model.block_contrasts.columns:
        yield _Step("blocks", mean, ones, model.block_matrix)
    seen: set[Term] = set()
    for name, terms in _orders(space):
        if not set(terms.terms) <= seen:
            yield _Step(name, terms, model_matrix(terms, settings, space), model.block_matrix)
        seen = set(terms.terms)


def _orders(space: FactorSpace) -> Iterator[tuple[str, Terms]]:
    if space.mixture and len(space.mixture) == len(space.searched):
        yield "linear blending", scheffe_terms(space, "linear")
        yield "quadratic blending", scheffe_terms(space, "quadratic")
        yield "special cubic blending", scheffe_terms(space, "special cubic")
        yield "full cubic blending", scheffe_terms(space, "full cubic")
        return
    yield "linear", linear_terms(space)
    yield "two-factor interactions", interaction_terms(space)
    yield "quadratic", quadratic_terms(space)
    if not space.mixture:
        yield "cubic", cubic_terms(space)


def _fitted(
    model: "LinearModel", step: _Step, before: Source | None, error: Source
) -> tuple[OrderFit, Source]:
    """Return the fit of one order, and the residual that it leaves."""
    n_blocks = step.block_matrix.shape[1]
    values = step.columns.to_numpy(dtype=np.float64)
    names = [f"block {i}" for i in range(n_blocks)] + list(step.columns.columns)
    kept, aliased = estimable_columns(np.hstack([step.block_matrix, values]), names)
    own = values[:, [place - n_blocks for place in kept if place >= n_blocks]]
    solution = solve(np.hstack([own, step.block_matrix]), model.values, model.weights)
    parts = decomposition(solution, own, step.block_matrix, error)
    left = parts.residual
    added = Source(0.0, 0)
    if before is not None:
        added = Source(max(before.squares - left.squares, 0.0), before.degrees - left.degrees)
    f, p = f_test(added, left)
    r2, adjusted = r_squared(parts)
    press = press_of(solution)
    whole = parts.explainable.squares
    fit = OrderFit(
        name=step.name,
        terms=step.terms,
        added_degrees=added.degrees,
        added_squares=added.squares,
        # The differences of blocks are not tested: runs are not randomised between them.
        f=None if step.name == "blocks" else _known(f),
        p=None if step.name == "blocks" else _known(p),
        lack_of_fit_p=_known(parts.lack_of_fit_test[1]),
        residual_std=_known(float(np.sqrt(left.mean_square))),
        r2=r2,
        adjusted_r2=adjusted,
        q2=None if press is None or whole <= 0 else 1 - press / whole,
        aliased=tuple(column.name for column in aliased),
    )
    return fit, left


def _suggested(fits: Sequence[OrderFit]) -> tuple[str, str]:
    """Return the order to start from, and why."""
    clear = [fit for fit in fits if not fit.aliased]
    allowed = [fit for fit in clear if fit.p is not None and fit.p < LEVEL]
    if not allowed:
        untested = [fit.name for fit in fits if fit.added_degrees and fit.residual_std is None]
        if untested and len(fits) == 2:
            return fits[0].name, (
                f"{untested[0].capitalize()} takes every degree of freedom, so no order can be "
                "tested: judge the effects against each other (half-normal plot), or repeat runs."
            )
        return fits[0].name, _nothing_seen(fits, clear)
    fitting = [fit for fit in allowed if fit.lack_of_fit_p is None or fit.lack_of_fit_p >= LEVEL]
    chosen = (fitting or allowed)[-1]
    if chosen.residual_std == 0:
        return chosen.name, EXACT_FIT
    reason = [
        f"It is the highest order that is not aliased and whose added terms are significant "
        f"(sequential p {chosen.p:.3g})."
    ]
    reason.append(_lack_of_fit_reason(chosen))
    if chosen.adjusted_r2 is not None and chosen.q2 is not None:
        reason.append(f"Adjusted R2 is {chosen.adjusted_r2:.3f}, Q2 {chosen.q2:.3f}.")
    best = max(fits, key=lambda fit: -np.inf if fit.q2 is None or fit.aliased else fit.q2)
    if best is not chosen and best.q2 is not None and best.q2 > (chosen.q2 or -np.inf):
        reason.append(f"Note that {best.name} has the highest Q2, {best.q2:.3f}: compare both.")
    return chosen.name, " ".join(reason)


def _nothing_seen(fits: Sequence[OrderFit], clear: Sequence[OrderFit]) -> str:
    """Return that no order stands out, as far as the runs can tell the terms of one apart."""
    aliased = [fit for fit in fits if fit.aliased]
    if not aliased:
        return "No order explains more than chance would (sequential p)."
    tested = [fit for fit in clear if fit.p is not None]
    found = (
        f"No order up to {tested[-1].name} explains more than chance would (sequential p)."
        if tested
        else "No order can be tested."
    )
    first = aliased[0]
    names = f"{', '.join(first.aliased[:4])}{', ...' if len(first.aliased) > 4 else ''}"
    return (
        f"{found} {first.name.capitalize()} is not judged, as the runs cannot tell {names} apart "
        "from others: name the terms, or add runs."
    )


def _lack_of_fit_reason(chosen: OrderFit) -> str:
    p = chosen.lack_of_fit_p
    if p is None:
        return "Lack of fit is not available."
    if p < LEVEL:
        return f"Every such order shows lack of fit (p {p:.3g}): the model misses something."
    return f"It shows no lack of fit (p {p:.3g})."


def _notes(model: "LinearModel", fits: Sequence[OrderFit]) -> tuple[str, ...]:
    found = []
    if model.recommended:
        found.append(
            "Not from a randomised design: an optimizer recommended runs; p values are descriptive."
        )
    found += [
        f"{fit.name.capitalize()} is aliased: {', '.join(fit.aliased[:6])}"
        f"{', ...' if len(fit.aliased) > 6 else ''} cannot be estimated."
        for fit in fits
        if fit.aliased
    ]
    return tuple(found)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value

"""Analysis of variance of a linear model: which terms explain what, and whether they are enough."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from scipy import linalg

from doe.arrays import FloatArray
from doe.errors import InvalidValueError
from doe.factors import MixtureComponent
from surrogates.linear.reports.decomposition import (
    EXACT_FIT,
    IDENTICAL,
    Decomposition,
    Source,
    decompose,
    f_test,
)

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.model import LinearModel

AnovaKind = Literal["III", "I"]
Role = Literal["blocks", "model", "term", "residual", "lack of fit", "pure error", "total"]
LINEAR_BLENDING = "linear blending"
DIVIDED = ("lack of fit", "pure error")
NOT_RANDOMISED = "not from a randomised design"


@dataclass(frozen=True, slots=True)
class AnovaRow:
    """One source of variation.

    Attributes:
        source: Its name.
        role: What it is.
        degrees: Degrees of freedom.
        sum_of_squares: In the square of the modelled response's unit.
        mean_square: Per degree of freedom; None without any.
        f: Ratio to the residual, for lack of fit to the pure error; None where not tested.
        p: Probability of an F at least as large without such an effect; None where not tested.
    """

    source: str
    role: Role
    degrees: int
    sum_of_squares: float
    mean_square: float | None
    f: float | None
    p: float | None


@dataclass(frozen=True, eq=False)
class Anova:
    """An analysis of variance.

    Attributes:
        kind: ``III``: each term after all others. ``I``: each term after those before it.
        rows: Blocks, model, its terms, residual, lack of fit, pure error, total.
        notes: What has to be known to read it, each a sentence.
        label: ``not from a randomised design`` when an optimizer recommended runs, else empty.
        is_exact: Whether the model reproduces every run, so that nothing is tested.
    """

    kind: AnovaKind
    rows: tuple[AnovaRow, ...]
    notes: tuple[str, ...]
    label: str = ""
    is_exact: bool = False

    def row(self, source: str) -> AnovaRow:
        """Return the row of a source, such as ``Model``, ``pH:temperature`` or ``Lack of fit``.

        Raises:
            InvalidValueError: If there is none.
        """
        for row in self.rows:
            if row.source == source:
                return row
        raise InvalidValueError(
            f"The analysis of variance has no source '{source}'; it has "
            f"{', '.join(row.source for row in self.rows)}."
        )

    @property
    def terms(self) -> tuple[AnovaRow, ...]:
        """The rows of the terms."""
        return tuple(row for row in self.rows if row.role == "term")

    def table(self) -> "pd.DataFrame":
        """Return a row per source: degrees of freedom, sum of squares, mean square, F, p.

        Without replicates lack of fit and pure error are blank: nothing divides the residual.
        """
        import pandas as pd

        blank = [row.role in DIVIDED and not self.row("Pure error").degrees for row in self.rows]
        pairs = list(zip(self.rows, blank, strict=True))
        degrees = [pd.NA if empty else row.degrees for row, empty in pairs]
        return pd.DataFrame(
            {
                "source": [row.source for row in self.rows],
                "degrees of freedom": pd.array(degrees, dtype="Int64"),
                "sum of squares": [np.nan if empty else row.sum_of_squares for row, empty in pairs],
                "mean square": [
                    np.nan if empty else _number(row.mean_square) for row, empty in pairs
                ],
                "F": [_number(row.f) for row in self.rows],
                "p": [_number(row.p) for row in self.rows],
            }
        ).set_index("source")

    def sentence(self) -> str:
        """Return what it says in short."""
        model, lack = self.row("Model"), self.row("Lack of fit")
        if self.is_exact:
            return EXACT_FIT
        if model.degrees < 1:
            first = "The model has no terms."
        elif model.p is None:
            first = "Nothing is left to judge the model by: the residual has no degrees of freedom."
        else:
            verdict = "explains more than chance would" if model.p < 0.05 else "may be chance"
            first = f"The model {verdict} (F {model.f:.4g}, p {model.p:.3g})."
        if self.label:
            first = f"{self.label.capitalize()}: F and p are descriptive. {first}"
        if lack.p is None:
            return f"{first} Lack of fit is not available."
        enough = "the model misses something" if lack.p < 0.05 else "no lack of fit is seen"
        return f"{first} Lack of fit: p {lack.p:.3g}, {enough}."


def anova(model: "LinearModel", *, kind: AnovaKind = "III") -> Anova:
    """Return the analysis of variance of a linear model.

    A term with several columns (a categorical factor) is tested as one. Blocks are taken out
    before the model and not tested, as runs are not randomised between them. Without an intercept
    but with mixture components the total is about the mean all the same, since these add up to a
    constant; the pure components are then compared with each other in one row, ``linear blending``.

    Args:
        model: The model.
        kind: ``III`` for each term after all others, ``I`` for each after those before it.

    Raises:
        InvalidValueError: If there is no such kind.

    Source:
        Montgomery (2013), Design and Analysis of Experiments, 8th ed., sections 10.4 and 11.2;
        mixtures: Cornell (2002), Experiments with Mixtures, 3rd ed., section 5.2.
    """
    if kind not in get_args(AnovaKind):
        raise InvalidValueError(f"kind is {kind!r}; expected 'III' (partial) or 'I' (sequential).")
    parts = decompose(model)
    groups = _groups(model, is_corrected=parts.is_corrected)
    squares = _partial(model, groups) if kind == "III" else _sequential(model, groups, parts)
    terms = [
        _tested(name, "term", Source(square, len(contrasts)), parts.residual)
        for (name, contrasts), square in zip(groups, squares, strict=True)
    ]
    blocks = [_untested("Blocks", "blocks", parts.blocks)] if parts.blocks.degrees else []
    rows = (
        *blocks,
        _tested("Model", "model", parts.model, parts.residual),
        *terms,
        _untested("Residual", "residual", parts.residual),
        _tested("Lack of fit", "lack of fit", parts.lack_of_fit, parts.pure_error),
        _untested("Pure error", "pure error", parts.pure_error),
        _untested("Total", "total", parts.total),
    )
    label = NOT_RANDOMISED if model.recommended else ""
    return Anova(kind, rows, _notes(model, parts, kind), label, parts.is_exact)


def _groups(model: "LinearModel", *, is_corrected: bool) -> list[tuple[str, FloatArray]]:
    """Return for each term the contrasts of the coefficients that are zero without it."""
    identity = np.eye(model.n_coefficients)
    places = model.term_places()
    if not is_corrected or model.terms.has_intercept:
        return [(name, identity[list(own)]) for name, own in places.items()]
    pure = [c.name for c in model.space.mixture if c.name in places]
    found = []
    if len(pure) > 1:
        rows = [identity[places[name][0]] for name in pure]
        found.append((LINEAR_BLENDING, np.array([row - rows[-1] for row in rows[:-1]])))
    return found + [(n, identity[list(own)]) for n, own in places.items() if n not in pure]


def _partial(model: "LinearModel", groups: list[tuple[str, FloatArray]]) -> list[float]:
    return [model.solution.explained_by_contrasts(contrasts) for _, contrasts in groups]


def _sequential(
    model: "LinearModel", groups: list[tuple[str, FloatArray]], parts: Decomposition
) -> list[float]:
    """Return what each term explains after mean, blocks and the terms before it."""
    matrix = model.matrix.to_numpy(dtype=np.float64)
    base = np.hstack([np.ones((model.n_runs, int(parts.is_corrected))), model.block_matrix])
    columns = [matrix @ contrasts[:, : matrix.shape[1]].T for _, contrasts in groups]
    root = np.sqrt(model.weights)
    whole = np.hstack([base, *columns]) * root[:, None]
    scales = np.linalg.norm(whole, axis=0)
    orthogonal = linalg.qr(whole / scales, mode="economic")[0]
    scores = orthogonal.T @ np.multiply(root, model.values)
    ends = np.cumsum([base.shape[1], *(len(contrasts) for _, contrasts in groups)])
    squares = [float(np.square(scores[start:end]).sum()) for start, end in pairwise(ends)]
    if parts.is_corrected and not model.terms.has_intercept and squares:
        # Shares are rounded where they are written down: the mean is not quite among the columns.
        squares[0] = parts.model.squares - sum(squares[1:])
    return squares


def _tested(name: str, role: Role, source: Source, error: Source) -> AnovaRow:
    # Beside an error of exactly zero every source would be infinitely large.
    f, p = f_test(source, error) if error.squares > 0 else (np.nan, np.nan)
    return AnovaRow(
        name, role, source.degrees, source.squares, _known(source.mean_square), _known(f), _known(p)
    )


def _untested(name: str, role: Role, source: Source) -> AnovaRow:
    mean_square = _known(source.mean_square)
    return AnovaRow(name, role, source.degrees, source.squares, mean_square, None, None)


def _notes(model: "LinearModel", parts: Decomposition, kind: AnovaKind) -> tuple[str, ...]:
    found = []
    if model.recommended:
        found.append(
            f"Not from a randomised design: {len(model.recommended)} of {model.n_runs} runs were "
            "recommended by an optimizer in the light of earlier results. F and p are descriptive."
        )
    found += [column.sentence() for column in model.aliased]
    if not parts.is_corrected:
        found.append("The model has no constant: the total is about zero, not about the mean.")
    elif not model.terms.has_intercept:
        pure = any(isinstance(f, MixtureComponent) for f in model.space.searched)
        found.append(
            "The components add up to a constant, so the total is about the mean; linear blending "
            "compares the pure components with each other."
            if pure
            else "The terms add up to a constant: the total is about the mean."
        )
    if parts.blocks.degrees:
        found.append("Blocks are taken out first; they are not tested, since runs are not drawn.")
    if kind == "I":
        found.append("Sums of squares are sequential: they depend on the order of the terms.")
    if parts.residual.degrees < 1:
        found.append("No degrees of freedom are left for the residual: nothing can be tested.")
    elif parts.is_exact:
        found.append(EXACT_FIT)
    elif parts.pure_error.degrees < 1:
        found.append("No run was repeated: pure error and lack of fit are not available.")
    elif parts.lack_of_fit.degrees < 1:
        found.append("Every degree of freedom is pure error: lack of fit is not available.")
    elif parts.has_identical_replicates:
        found.append(IDENTICAL)
    elif parts.lack_of_fit.squares < 0:
        found.append(
            "Replicates differ more than the residual allows, as their achieved settings are not "
            "quite the same: lack of fit is not available."
        )
    return tuple(found)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _number(value: float | None) -> float:
    return float("nan") if value is None else value

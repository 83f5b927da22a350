"""Whether a linear model can be believed: every run's influence, the residuals, what stands out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.errors import InvalidValueError, UnknownNameError
from surrogates.linear.diagnosing.influence import Influence, influence
from surrogates.linear.diagnosing.residual_tests import (
    Drift,
    ResidualTest,
    autocorrelation,
    constant_variance,
    drift,
    normality,
)
from surrogates.linear.reports.decomposition import EXACT_FIT
from surrogates.linear.reports.statistics import modelled_unit

if TYPE_CHECKING:
    import pandas as pd

    from doe.plots import Plot
    from surrogates.linear.diagnosing.findings import Finding, Thresholds
    from surrogates.linear.diagnosing.residual_plots import ResidualKind
    from surrogates.linear.model import LinearModel

RunOrder = Mapping[str, float] | Sequence[str]


@dataclass(frozen=True, eq=False)
class Diagnostics:
    """What the residuals of a linear model say. Nothing is left out on account of it.

    Residuals and tests are on the modelled scale, in ``unit``.

    Attributes:
        model: The model.
        order: Places of the runs in the order of doing, first first.
        order_is_given: Whether that order was stated; else it is the order of the rows.
        influence: Leverage, studentised and PRESS residuals, Cook's distance, DFFITS, DFBETAS.
        significance: The level at which outliers and tests are flagged.
    """

    model: "LinearModel"
    order: IntArray
    order_is_given: bool
    influence: Influence
    significance: float

    @property
    def runs(self) -> tuple[str, ...]:
        """The identifiers of the runs, in the order of all arrays here."""
        return self.model.rows.runs

    @property
    def unit(self) -> str:
        """Unit of the modelled values, such as ``g/L`` or ``log(g/L)``."""
        return modelled_unit(self.model)

    @property
    def run_number(self) -> IntArray:
        """The place of each run in the order of doing, from 1."""
        numbers = np.empty(len(self.order), dtype=np.int64)
        numbers[self.order] = np.arange(1, len(self.order) + 1)
        return numbers

    @property
    def predicted(self) -> FloatArray:
        """The fitted value of each run in its block, in the response's unit: a median."""
        return self.model.transform.backward(self.model.fitted)

    @property
    def predicted_without(self) -> FloatArray:
        """Each run predicted from the others only, as ``predicted``; ``nan`` where they cannot."""
        left_out = self.model.fitted + self.model.residuals - self.influence.press
        known = np.isfinite(left_out)
        natural = self.model.transform.backward(np.where(known, left_out, self.model.fitted))
        return np.where(known, natural, np.nan)

    @cached_property
    def normality(self) -> ResidualTest:
        """The Shapiro-Wilk test."""
        return normality(self.influence, self.significance)

    @cached_property
    def constant_variance(self) -> ResidualTest:
        """The Breusch-Pagan test against the fitted values."""
        return constant_variance(self.model, self.influence, significance=self.significance)

    @cached_property
    def autocorrelation(self) -> ResidualTest:
        """The Durbin-Watson test over the order of doing."""
        return autocorrelation(self.model.solution, self.influence, self.order, self.significance)

    @cached_property
    def drift(self) -> Drift:
        """The slope over the order of doing."""
        return drift(
            self.model.solution,
            self.influence,
            self.order,
            unit=self.unit,
            significance=self.significance,
        )

    @cached_property
    def thresholds(self) -> "Thresholds":
        """The limits beyond which a run is flagged, each with its source."""
        from surrogates.linear.diagnosing.findings import thresholds

        return thresholds(self.model.n_runs, self.model.n_coefficients, self.significance)

    @cached_property
    def findings(self) -> tuple["Finding", ...]:
        """What stands out: runs and tests, each with value, threshold and what to do."""
        from surrogates.linear.diagnosing.findings import findings

        return findings(self)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What is not available and why, and what was assumed, each a sentence."""
        from surrogates.linear.diagnosing.findings import notes

        return notes(self)

    def of(self, run: str) -> dict[str, float | None]:
        """Return the case statistics of one run, plain JSON; None where one does not exist.

        Raises:
            UnknownNameError: If the model was not fitted to such a run.
        """
        if run not in self.runs:
            raise UnknownNameError(
                f"Run '{run}' is not among those fitted ({', '.join(self.runs[:8])}"
                f"{', ...' if len(self.runs) > 8 else ''}): give one of them."
            )
        place = self.runs.index(run)
        values = ((name, float(column[place])) for name, column in self._columns().items())
        return {name: value if np.isfinite(value) else None for name, value in values}

    def table(self) -> "pd.DataFrame":
        """Return a row per run: the case statistics, and in ``findings`` what stands out.

        ``measured`` and the predictions are in the response's unit, residuals on the modelled
        scale. Cells are missing where a number does not exist; ``notes`` says why.
        """
        import pandas as pd

        flagged = [
            "; ".join(finding.kind for finding in self.findings if finding.run == run)
            for run in self.runs
        ]
        table = pd.DataFrame(self._columns(), index=pd.Index(self.runs, name="run"))
        return table.assign(findings=flagged)

    def dfbetas(self) -> "pd.DataFrame":
        """Return the change of each coefficient without each run, in standard errors.

        A row per run, a column per coefficient, those of fixed blocks last.
        """
        import pandas as pd

        names = [*self.model.columns, *self.model.block_contrasts.columns]
        index = pd.Index(self.runs, name="run")
        return pd.DataFrame(self.influence.dfbetas, index=index, columns=names)

    def tests(self) -> "pd.DataFrame":
        """Return a row per test: ``statistic``, ``p`` (missing where not done), ``reading``."""
        import pandas as pd

        done = (self.normality, self.constant_variance, self.autocorrelation)
        rows = [(test.name, test.statistic, test.p, test.reading) for test in done]
        rows.append(
            ("drift over the run order (t)", self.drift.t, self.drift.p, self.drift.reading)
        )
        table = pd.DataFrame(rows, columns=["test", "statistic", "p", "reading"])
        return table.set_index("test").astype({"statistic": float, "p": float})

    def sentence(self) -> str:
        """Return in a sentence whether anything stands out."""
        if self.model.is_exact:
            return EXACT_FIT
        if not self.findings:
            return (
                f"Nothing stands out among the residuals of the {self.model.n_runs} runs of "
                f"'{self.model.response}'."
            )
        first = self.findings[0].sentence
        more = len(self.findings) - 1
        return f"{first} {more} more finding{'s' * (more > 1)}." if more else first

    def plots(self, kind: "ResidualKind" = "external") -> tuple["Plot", ...]:
        """Return all plots: normal, predicted, order, each factor and block, actual, Cook's.

        Args:
            kind: What the residual plots show: ``residual`` in its unit, or studentised
                ``internal`` or ``external``.
        """
        from surrogates.linear.diagnosing.residual_plots import residual_panel

        return residual_panel(self, kind=kind)

    def _columns(self) -> dict[str, FloatArray]:
        found = self.influence
        return {
            "run order": self.run_number.astype(np.float64),
            "measured": self.model.rows.measured,
            "predicted": self.predicted,
            "predicted without it": self.predicted_without,
            "residual": self.model.residuals,
            "PRESS residual": found.press,
            "leverage": found.leverage,
            "internally studentised": found.internal,
            "externally studentised": found.external,
            "Cook's distance": found.cook,
            "DFFITS": found.dffits,
        }


def diagnostics(
    model: "LinearModel", *, run_order: RunOrder | None = None, significance: float = 0.05
) -> Diagnostics:
    """Return the diagnostics of a linear model.

    Args:
        model: The fit.
        run_order: The runs in the order of doing, or each run's place in it; the order of the rows
            when absent. Runs that were not fitted may be among them.
        significance: The level at which outliers (over all runs together) and tests are flagged.

    Raises:
        InvalidValueError: If the significance is not between 0 and 1, or two runs have one place.
        UnknownNameError: If a run has no place.
    """
    if not 0 < significance < 1:
        raise InvalidValueError(
            f"significance is {significance}; expected a share between 0 and 1, such as 0.05."
        )
    return Diagnostics(
        model=model,
        order=_order(model.rows.runs, run_order),
        order_is_given=run_order is not None,
        influence=influence(model.solution),
        significance=significance,
    )


def _order(runs: tuple[str, ...], run_order: RunOrder | None) -> IntArray:
    if run_order is None:
        return np.arange(len(runs))
    if isinstance(run_order, Mapping):
        places = {str(run): float(place) for run, place in run_order.items()}
    else:
        places = {}
        for place, run in enumerate(run_order):
            if str(run) in places:
                raise InvalidValueError(
                    f"Run '{run}' stands twice in the run order: give each run once."
                )
            places[str(run)] = float(place)
    missing = [run for run in runs if run not in places]
    if missing:
        raise UnknownNameError(
            f"Run '{missing[0]}' has no place in the run order: give every fitted run one."
        )
    found = np.array([places[run] for run in runs])
    if not np.isfinite(found).all() or len(set(found)) < len(found):
        raise InvalidValueError(
            "Two runs have the same place in the run order, or one has none that is a number: give "
            "each run a place of its own."
        )
    return np.argsort(found)

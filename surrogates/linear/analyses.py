"""What can be asked of a linear model: each answer is computed in a file of its own."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, cast

from surrogates.surrogate import NEW_BLOCK, Block

if TYPE_CHECKING:
    import pandas as pd

    from doe.factors import Value
    from surrogates.linear.diagnosing.back_transform import BackTransformed
    from surrogates.linear.diagnosing.box_cox import BoxCox
    from surrogates.linear.diagnosing.diagnostics import Diagnostics, RunOrder
    from surrogates.linear.intervals import Future, Intervals, Together
    from surrogates.linear.model import LinearModel
    from surrogates.linear.optimum.canonical import CanonicalAnalysis
    from surrogates.linear.optimum.ridge import Aim, RidgePath
    from surrogates.linear.optimum.steepest_ascent import SteepestAscent
    from surrogates.linear.reports.anova import Anova, AnovaKind
    from surrogates.linear.reports.coefficients import CoefficientTable, Units
    from surrogates.linear.reports.fit_summary import FitSummary
    from surrogates.linear.reports.statistics import FitStatistics
    from surrogates.linear.screening.effects import Effects
    from surrogates.linear.tolerance import Side


class Analyses:
    """The analyses of a ``LinearModel``, as its methods; arguments as of the functions named."""

    __slots__ = ()

    def anova(self, *, kind: "AnovaKind" = "III") -> "Anova":
        """Return the analysis of variance; see ``reports.anova``."""
        from surrogates.linear.reports.anova import anova

        return anova(_model(self), kind=kind)

    def statistics(self) -> "FitStatistics":
        """Return how well it fits and predicts; see ``reports.statistics``."""
        from surrogates.linear.reports.statistics import fit_statistics

        return fit_statistics(_model(self))

    def fit_summary(self) -> "FitSummary":
        """Return which order of polynomial its runs support; see ``fit_summary``."""
        from surrogates.linear.reports.fit_summary import fit_summary

        return fit_summary(_model(self))

    def coefficient_table(
        self, *, units: "Units" = "coded", coverage: float = 0.95
    ) -> "CoefficientTable":
        """Return coefficients, errors and tests; see ``reports.coefficients``."""
        from surrogates.linear.reports.coefficients import coefficient_table

        return coefficient_table(_model(self), units=units, coverage=coverage)

    def effects(self, *, level: float = 0.95) -> "Effects":
        """Return the effects and which stand out; see ``screening.effects``."""
        from surrogates.linear.screening.effects import effects

        return effects(_model(self), level=level)

    def diagnostics(
        self, *, run_order: "RunOrder | None" = None, significance: float = 0.05
    ) -> "Diagnostics":
        """Return residuals, influence and their tests; see ``diagnosing.diagnostics``."""
        from surrogates.linear.diagnosing.diagnostics import diagnostics

        return diagnostics(_model(self), run_order=run_order, significance=significance)

    def box_cox(self, *, coverage: float = 0.95) -> "BoxCox":
        """Return which power of the response fits best; see ``diagnosing.box_cox``."""
        from surrogates.linear.diagnosing.box_cox import box_cox

        return box_cox(_model(self), coverage=coverage)

    def back_transformed(
        self, settings: "pd.DataFrame", *, block: Block = NEW_BLOCK
    ) -> "BackTransformed":
        """Return median, mean and the bias between them; see ``diagnosing.back_transform``."""
        from surrogates.linear.diagnosing.back_transform import back_transformed

        return back_transformed(_model(self), settings, block=block)

    def canonical(
        self, *, at: "Mapping[str, Value] | None" = None, coverage: float = 0.95
    ) -> "CanonicalAnalysis":
        """Return the stationary point and its nature; see ``optimum.canonical``."""
        from surrogates.linear.optimum.canonical import canonical_analysis

        return canonical_analysis(_model(self), at=at, coverage=coverage)

    def ridge(
        self,
        *,
        aim: "Aim" = "maximise",
        radii: Sequence[float] | None = None,
        at: "Mapping[str, Value] | None" = None,
        coverage: float = 0.95,
    ) -> "RidgePath":
        """Return the best settings at each distance; see ``optimum.ridge``."""
        from surrogates.linear.optimum.ridge import ridge_analysis

        return ridge_analysis(_model(self), aim=aim, radii=radii, at=at, coverage=coverage)

    def steepest_ascent(
        self,
        *,
        aim: "Aim" = "maximise",
        start: Mapping[str, float] | None = None,
        at: "Mapping[str, Value] | None" = None,
        coverage: float = 0.95,
    ) -> "SteepestAscent":
        """Return the path of fastest change; see ``optimum.steepest_ascent``."""
        from surrogates.linear.optimum.steepest_ascent import steepest_ascent

        return steepest_ascent(_model(self), aim=aim, start=start, at=at, coverage=coverage)

    def mean_interval(
        self,
        settings: "pd.DataFrame",
        *,
        coverage: float = 0.95,
        side: "Side" = "both",
        together: "Together" = "one by one",
        block: Block = NEW_BLOCK,
    ) -> "Intervals":
        """Return confidence intervals of the mean; see ``surrogates.linear.intervals``."""
        from surrogates.linear.intervals import mean_interval

        return mean_interval(
            _model(self), settings, coverage=coverage, side=side, together=together, block=block
        )

    def prediction_interval(
        self,
        settings: "pd.DataFrame",
        *,
        n_future: int = 1,
        of: "Future" = "each",
        coverage: float = 0.95,
        side: "Side" = "both",
        block: Block = NEW_BLOCK,
    ) -> "Intervals":
        """Return intervals of future runs; see ``surrogates.linear.intervals``."""
        from surrogates.linear.intervals import prediction_interval

        return prediction_interval(
            _model(self),
            settings,
            n_future=n_future,
            of=of,
            coverage=coverage,
            side=side,
            block=block,
        )

    def tolerance_interval(
        self,
        settings: "pd.DataFrame",
        *,
        content: float = 0.95,
        confidence: float = 0.95,
        side: "Side" = "both",
        block: Block = NEW_BLOCK,
    ) -> "Intervals":
        """Return intervals that hold a share of all runs; see ``surrogates.linear.intervals``."""
        from surrogates.linear.intervals import tolerance_interval

        return tolerance_interval(
            _model(self),
            settings,
            content=content,
            confidence=confidence,
            side=side,
            block=block,
        )


def _model(analyses: Analyses) -> "LinearModel":
    # Only LinearModel has these methods; they stand here to keep its own file short.
    return cast("LinearModel", analyses)

"""How good runs are for a model, all at once: what can be estimated, found and predicted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.errors import DesignError, InvalidValueError, TooFewRunsError
from doe.evaluation.aliases import alias_matrix, further_terms, term_correlations
from doe.evaluation.blocking import Blocking, Blocks, blockings, known_levels
from doe.evaluation.degrees_of_freedom import (
    DegreesOfFreedom,
    count_centre_points,
    degrees_of_freedom,
)
from doe.evaluation.efficiencies import Efficiencies, efficiencies
from doe.evaluation.information import Information
from doe.evaluation.power import check_alpha, effects_to_find, t_quantile
from doe.evaluation.region import MAX_DRAWS, N_DRAWS, RegionVariance
from doe.evaluation.region_variance import region_variance
from doe.evaluation.term_evaluation import (
    CoefficientEvaluation,
    TermEvaluation,
    evaluated_coefficients,
    evaluated_terms,
)
from doe.factors import check_number
from doe.named_models import model_terms
from doe.random_draws import check_rng
from doe.runs import JSON
from doe.space import FactorSpace
from doe.terms import Terms, model_matrix

if TYPE_CHECKING:
    import pandas as pd

    from doe.runs import Design


@dataclass(frozen=True, eq=False)
class DesignEvaluation:
    """What runs can do for a model, known before any of them is done.

    Variances and standard errors are in multiples of the run-to-run variance and SD, unless a name
    or docstring says otherwise.

    Attributes:
        space: The factor space that codes the runs.
        runs: Settings in natural units, one row per run.
        terms: The effects of the model.
        information: What the runs tell about the columns of the model matrix.
        degrees_of_freedom: How the runs are spent.
        n_centre_points: Runs with every numeric process factor in the middle.
        coefficients: One entry per column of the model matrix.
        tested_terms: One entry per term; those with several columns are tested jointly.
        efficiencies: The D, A and G efficiencies and what lies behind them.
        region: Variance of predictions over the allowed region; None where it is not known, and
            ``sentences`` says why.
        sd: Run-to-run standard deviation, in the unit of the response.
        alpha: Level of the tests; intervals hold ``1 - alpha``.
        unknown_blocks: Blocks left out, because the level of some runs is not known yet, with the
            number of runs that have one.
    """

    space: FactorSpace
    runs: "pd.DataFrame"
    terms: Terms
    information: Information
    degrees_of_freedom: DegreesOfFreedom
    n_centre_points: int
    coefficients: tuple[CoefficientEvaluation, ...]
    tested_terms: tuple[TermEvaluation, ...]
    efficiencies: Efficiencies
    region: RegionVariance | None
    sd: float
    alpha: float
    unknown_blocks: Mapping[str, int] = field(default_factory=dict)

    @property
    def n_runs(self) -> int:
        """How many runs there are."""
        return len(self.runs)

    @property
    def n_columns(self) -> int:
        """How many columns the model matrix has."""
        return len(self.coefficients)

    @property
    def blocks(self) -> tuple[Blocking, ...]:
        """The blocks that the runs are in, outermost first."""
        return self.information.blockings

    @property
    def leverage(self) -> FloatArray:
        """The share of each run in its own fitted value, shape ``(n_runs,)``."""
        return self.information.leverage

    @property
    def condition_number(self) -> float:
        """Largest over smallest singular value of the coded model matrix; infinite if singular."""
        return self.information.condition_number

    @property
    def not_estimable(self) -> tuple[str, ...]:
        """The terms that the runs cannot tell apart from others."""
        return tuple(term.name for term in self.tested_terms if not term.is_estimable)

    @property
    def largest_vif(self) -> float | None:
        """The largest variance inflation of a term; None when some term cannot be estimated."""
        if self.not_estimable:
            return None
        return max((term.vif for term in self.tested_terms if term.vif is not None), default=1.0)

    @property
    def least_power(self) -> float | None:
        """The least power among the terms that have one; None when none has."""
        found = [term.power for term in self.tested_terms if term.power is not None]
        return min(found) if found else None

    @cached_property
    def interval_df(self) -> int:
        """Degrees of freedom behind intervals for predictions: the fewest that any term has.

        Whole plots make them few; taking the fewest makes the interval wide rather than narrow.
        """
        return min((term.df_error for term in self.tested_terms), default=0)

    @property
    def interval_quantile(self) -> float:
        """Half-width of a confidence interval over the SD of the mean; infinite without df."""
        if self.interval_df < 1:
            return float("inf")
        return t_quantile(1.0 - self.alpha / 2.0, self.interval_df)

    def prediction_variance(self, settings: "pd.DataFrame") -> FloatArray:
        """Return the variance of the fitted mean, in multiples of the variance of one run.

        Shape ``(n_settings,)``; infinite where the runs leave the mean open.

        Args:
            settings: Where to predict, in natural units.
        """
        rows = model_matrix(self.terms, settings, self.space).to_numpy()
        return self.information.variance_at(rows)

    def prediction_sd(self, fraction: float = 0.8) -> float:
        """Return the SD of the fitted mean that a fraction of the region does not exceed.

        In the unit of the response, as ``sd`` is.

        Raises:
            DesignError: If the variance over the region is not known.
        """
        return self.sd * float(np.sqrt(self._known_region().quantile(fraction)))

    def fraction_within(self, half_width: float) -> float:
        """Return the fraction of the region where the mean is predicted to ``+- half_width``.

        The half-width of the ``1 - alpha`` confidence interval is ``t * sd * sqrt(v)``.

        Args:
            half_width: Acceptable half-width, in the unit of the response.

        Raises:
            DesignError: If the variance over the region is not known, or no run is left to
                estimate the error.
            InvalidValueError: If the half-width is not positive.

        Source:
            Zahran, Anderson-Cook and Myers (2003), J. Quality Technology 35, 377-386.
        """
        if check_number(half_width, "half_width") <= 0:
            raise InvalidValueError(f"half_width must be positive, got {half_width:g}.")
        region = self._known_region()
        if self.interval_df < 1:
            raise DesignError(
                f"{self.n_runs} runs leave no degree of freedom for the error (of whole plots, "
                "where there are any), so that predictions have no confidence interval: add runs "
                "or drop terms."
            )
        return region.fraction_below((half_width / (self.interval_quantile * self.sd)) ** 2)

    def correlations(self, further: Terms | None = None) -> "pd.DataFrame":
        """Return the absolute correlations of the columns, those of further terms beside them.

        Args:
            further: Terms that are not in the model; none when absent.
        """
        return term_correlations(self.terms, further, self.runs, self.space)

    def alias_matrix(self, alias_terms: Terms | str | None = None) -> "pd.DataFrame":
        """Return how much of each effect left out lands on each coefficient of the model.

        Args:
            alias_terms: The effects left out; by default those of the next order, see
                ``further_terms``.

        Raises:
            DesignError: If the model leaves nothing out by default.
        """
        left_out = self.left_out() if alias_terms is None else alias_terms
        if isinstance(left_out, str):
            left_out = model_terms(left_out, self.space)
        if left_out is None:
            raise DesignError(
                f"'{self.terms.formula}' holds every effect up to the third order: name others in "
                "alias_terms."
            )
        return alias_matrix(self.information, self.terms, left_out, self.runs, self.space)

    def left_out(self) -> Terms | None:
        """Return the effects of the next order that the model has not; None if it has them all."""
        return further_terms(self.terms, self.space)

    def terms_table(self) -> "pd.DataFrame":
        """Return a row per term: estimable or not, standard error, VIF, effect, power."""
        from doe.evaluation.reports import terms_table

        return terms_table(self)

    def coefficients_table(self) -> "pd.DataFrame":
        """Return a row per column of the model matrix."""
        from doe.evaluation.reports import coefficients_table

        return coefficients_table(self)

    def summary(self) -> "pd.DataFrame":
        """Return the numbers of the whole design: ``measure``, ``value`` and what it ``means``."""
        from doe.evaluation.reports import summary

        return summary(self)

    def sentences(self) -> tuple[str, ...]:
        """Return what to make of the numbers, in plain words."""
        from doe.evaluation.reports import sentences

        return sentences(self)

    def to_record(self) -> dict[str, JSON]:
        """Return the evaluation as plain JSON for documents and exports."""
        from doe.evaluation.reports import to_record

        return to_record(self)

    def _known_region(self) -> RegionVariance:
        if self.region is None:
            raise DesignError(
                "The variance over the allowed region is not known: "
                + (
                    f"the runs cannot estimate {', '.join(self.not_estimable)}; drop them or add "
                    "runs."
                    if self.not_estimable
                    else "settings of a constrained space are drawn; call evaluate with rng=."
                )
            )
        return self.region


def evaluate(
    design: "Design | pd.DataFrame",
    terms: Terms | str,
    *,
    space: FactorSpace | None = None,
    effect: float | Mapping[str, float] | None = None,
    sd: float = 1.0,
    alpha: float = 0.05,
    blocks: Blocks | None = None,
    variance_ratio: float | Mapping[str, float] | None = None,
    n_draws: int = N_DRAWS,
    rng: np.random.Generator | None = None,
) -> DesignEvaluation:
    """Return what planned or achieved runs can do for a model, before a response is measured.

    It works for any table of runs. Terms that cannot be told apart are named, and everything that
    is defined without them is still given.

    Args:
        design: A design, or runs in natural units with a column per factor.
        terms: The effects of the model: terms, a formula, or ``linear``, ``interaction``,
            ``quadratic``.
        space: The factor space; needed with a table, taken from a design otherwise.
        effect: The largest difference that a term makes to the response between two settings within
            the ranges, all else being equal: the one that should be found. In the unit of the
            response, ``2 * sd`` unless given, one for all terms or by term. Of a factor it is the
            change from low to high, twice its coefficient; of a square, the change from the middle
            to an end; of a factor with several levels, the change between two of them.
        sd: Run-to-run standard deviation, in the same unit.
        alpha: Level of the two-sided tests.
        blocks: Names of the blocks that count (columns of a table), or the level of each run by
            name. By default all of a design's, and the block factors of the space that a table has.
            A block is left out, with a sentence, while the level of some run is not known.
        variance_ratio: Variance between random blocks or whole plots over the variance between
            runs; 1 unless given, one for all or by name. Blocks named here are random.
        n_draws: How many settings stand for the allowed region; at most 1,000,000.
        rng: Source of random draws. Without it a region without constraints, or of a mixture with
            no other constraints, is covered by Sobol points; other regions are left out.

    Raises:
        DesignError: If a table comes without a space, or blocks do not fit the runs.
        TooFewRunsError: If there is no run.
        UnknownNameError: If a block, or a term of ``effect``, is not there.
        InvalidValueError: If a number is out of its range, or a run has no setting.
    """
    runs, home = _checked_runs(design, space)
    model = model_terms(terms, home)
    effects = effects_to_find(effect, sd, model)
    check_alpha(alpha)
    _check_draws(n_draws, rng)
    levels, unknown = known_levels(design, home, blocks)
    if isinstance(variance_ratio, Mapping):
        variance_ratio = {name: r for name, r in variance_ratio.items() if name not in unknown}
    groups = blockings(design, home, found=levels, variance_ratio=variance_ratio)
    information = Information(model_matrix(model, runs, home).to_numpy(), groups)
    region = region_variance(information, model, runs, home, n_draws=int(n_draws), rng=rng)
    tested = evaluated_terms(information, model, home, effects=effects, alpha=alpha)
    return DesignEvaluation(
        space=home,
        runs=runs,
        terms=model,
        information=information,
        degrees_of_freedom=degrees_of_freedom(information, runs, home),
        n_centre_points=count_centre_points(runs, home),
        coefficients=evaluated_coefficients(information, model, home, tested, alpha=alpha),
        tested_terms=tested,
        efficiencies=efficiencies(information, region),
        region=region,
        sd=float(sd),
        alpha=float(alpha),
        unknown_blocks=unknown,
    )


def _check_draws(n_draws: int, rng: np.random.Generator | None) -> None:
    if rng is not None:
        check_rng(rng)
    if (
        isinstance(n_draws, bool)
        or not isinstance(n_draws, int | np.integer)
        or not 2 <= n_draws <= MAX_DRAWS
    ):
        raise InvalidValueError(
            f"n_draws must be a whole number from 2 to {MAX_DRAWS:,}, got {n_draws!r}: {N_DRAWS:,} "
            "are enough for most regions."
        )


def _checked_runs(
    design: "Design | pd.DataFrame", space: FactorSpace | None
) -> "tuple[pd.DataFrame, FactorSpace]":
    import pandas as pd

    from doe.runs import Design

    home = space
    if isinstance(design, pd.DataFrame):
        if home is None:
            raise DesignError("A table of runs needs its factor space: call evaluate with space=.")
        runs = design
    elif not isinstance(design, Design):
        raise InvalidValueError(
            f"The runs are {design!r:.60}; expected a design, or a table of runs (a data frame "
            "with a column per factor) with space=."
        )
    else:
        runs, home = design.runs, home or design.space
    home.check_columns(runs)
    if not len(runs):
        raise TooFewRunsError("There is no run to evaluate: give at least one row.")
    return runs[list(home.names)].reset_index(drop=True), home

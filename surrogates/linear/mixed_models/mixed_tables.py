"""The tables of a mixed model: variance components, tests of terms, coefficients, block effects."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

from doe.arrays import BoolArray, FloatArray
from doe.plots import Axis, Bars, Plot
from surrogates.linear.mixed_models.kenward_roger import DegreesMethod, FixedTest
from surrogates.linear.mixed_models.variance_intervals import (
    profile_intervals,
    satterthwaite_degrees,
    satterthwaite_intervals,
)
from surrogates.linear.prediction import critical_t
from surrogates.linear.reports.anova import LINEAR_BLENDING
from surrogates.linear.reports.decomposition import can_express_mean

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.mixed_models.mixed import MixedModel

RESIDUAL = "residual"


@dataclass(frozen=True, eq=False)
class VarianceComponents:
    """How the variance of a run divides over whole plots, blocks, lots and the residual.

    Attributes:
        names: The random block factors, and ``residual`` last.
        n_levels: How many levels each has; runs for the residual.
        variances: Estimates, squared unit of the modelled scale, shape ``(n_components,)``.
        lower: Lower ends by profile likelihood.
        upper: Upper ends by profile likelihood; infinite where the likelihood never falls enough.
        degrees: Degrees of freedom by Satterthwaite; ``nan`` for a component at zero.
        approximate_lower: Lower ends by Satterthwaite, ``nan`` for a component at zero.
        approximate_upper: Upper ends by Satterthwaite, ``nan`` for a component at zero.
        at_zero: Which are estimated as zero.
        coverage: Of the intervals.
        unit: Of an SD.
    """

    names: tuple[str, ...]
    n_levels: tuple[int, ...]
    variances: FloatArray
    lower: FloatArray
    upper: FloatArray
    degrees: FloatArray
    approximate_lower: FloatArray
    approximate_upper: FloatArray
    at_zero: BoolArray
    coverage: float
    unit: str

    @property
    def shares(self) -> FloatArray:
        """The share of each in the variance of one run of weight 1, shape ``(n_components,)``."""
        return np.asarray(self.variances / self.variances.sum())

    def table(self) -> "pd.DataFrame":
        """Return a row per component: variance, SD, share and intervals."""
        import pandas as pd

        return pd.DataFrame(
            {
                "component": self.names,
                "levels": self.n_levels,
                "variance": self.variances,
                "sd": np.sqrt(self.variances),
                "share": self.shares,
                "variance lower": self.lower,
                "variance upper": self.upper,
                "sd lower": np.sqrt(self.lower),
                "sd upper": np.sqrt(self.upper),
                "degrees of freedom": self.degrees,
                "variance lower (Satterthwaite)": self.approximate_lower,
                "variance upper (Satterthwaite)": self.approximate_upper,
            }
        )

    def plot(self) -> Plot:
        """Return the SD of each component as a bar with its interval; infinite ends are cut."""
        deviations, lower, upper = map(np.sqrt, (self.variances, self.lower, self.upper))
        finite = upper[np.isfinite(upper)]
        right = 1.05 * float(max(deviations.max(), finite.max(initial=0.0)))
        places = np.arange(len(self.names), dtype=np.float64)
        return Plot(
            "Variance components",
            self.sentence(),
            Axis("SD", self.unit, 0.0, right),
            Axis("Component", "", -0.5, len(places) - 0.5, "category", self.names),
            (Bars("SD", places, deviations, lower, np.minimum(upper, right)),),
        )

    def sentence(self) -> str:
        """Return what the table says, in words."""
        parts = []
        for place, name in enumerate(self.names):
            deviation = np.sqrt(self.variances[place])
            ends = f"{np.sqrt(self.lower[place]):.3g} to {np.sqrt(self.upper[place]):.3g}"
            zero = ", estimated as zero, which does not mean that there is none"
            parts.append(
                f"{name}: SD {deviation:.3g} {self.unit}".rstrip()
                + f" ({self.coverage:.0%} interval {ends}), {self.shares[place]:.0%} of the "
                f"variance of a run{zero if self.at_zero[place] else ''}"
            )
        return "; ".join(parts) + "."


@dataclass(frozen=True, eq=False)
class MixedAnova:
    """A test of each term of a mixed model with the error that belongs to it.

    Attributes:
        tests: The test of each term, all its columns together, in the presence of all others.
        method: How the denominator degrees of freedom were found.
        note: A caution that applies to the whole table; empty when there is none.
    """

    tests: Mapping[str, FixedTest]
    method: DegreesMethod
    note: str = ""

    def table(self) -> "pd.DataFrame":
        """Return a row per term: degrees of freedom, F and p."""
        import pandas as pd

        return pd.DataFrame(
            {
                "term": list(self.tests),
                "numerator df": [test.numerator for test in self.tests.values()],
                "denominator df": [test.denominator for test in self.tests.values()],
                "F": [test.statistic for test in self.tests.values()],
                "p": [test.p_value for test in self.tests.values()],
            }
        )


def variance_components(model: "MixedModel", coverage: float) -> VarianceComponents:
    """Return the variance components with intervals.

    Raises:
        InvalidValueError: If ``coverage`` is not between 0 and 1.
    """
    lower, upper = profile_intervals(model.fit, coverage)
    rough = satterthwaite_intervals(model.fit, coverage)
    is_plain = model.fixed.transform.kind == "none"
    return VarianceComponents(
        names=(*model.random, RESIDUAL),
        n_levels=(*(len(model.levels.levels[name]) for name in model.random), model.n_runs),
        variances=model.fit.variances,
        lower=lower,
        upper=upper,
        degrees=satterthwaite_degrees(model.fit),
        approximate_lower=rough[0],
        approximate_upper=rough[1],
        at_zero=model.fit.at_zero,
        coverage=coverage,
        unit=model.fixed.rows.response.unit if is_plain else f"{model.fixed.transform.kind} scale",
    )


def anova(model: "MixedModel") -> MixedAnova:
    """Return the test of each term, and of each fixed block factor.

    The components of a mixture add up to a constant; what is tested of their linear terms is that
    all are equal, in one row, ``linear blending``.
    """
    tests = {name: model.inference.test(rows) for name, rows in _contrasts(model).items()}
    notes = []
    if model.fixed.recommended:
        notes.append(
            "Not from a randomised design: an optimizer recommended runs; p is descriptive."
        )
    lost = [name for name, test in tests.items() if not np.isfinite(test.denominator)]
    if lost:
        notes.append(
            f"Kenward and Roger's approximation has no solution for {', '.join(lost)}, whose error "
            "is too poorly known: use degrees_method='satterthwaite', or fewer columns per term."
        )
    return MixedAnova(tests, model.inference.method, " ".join(notes))


def _contrasts(model: "MixedModel") -> dict[str, FloatArray]:
    """Return for each term and fixed block factor the contrasts that are zero without it."""
    identity = np.eye(model.n_coefficients)
    places = dict(model.fixed.term_places())
    n_columns = len(model.fixed.columns)
    for name, own in model.fixed.block_contrasts.factor_places().items():
        if own:
            places[name] = tuple(n_columns + place for place in own)
    pure: list[str] = []
    is_mean = can_express_mean(model.fixed.matrix.to_numpy(dtype=np.float64))
    if is_mean and not model.terms.has_intercept:
        pure = [component.name for component in model.space.mixture if component.name in places]
    found = {}
    if len(pure) > 1:
        rows = np.array([identity[places[name][0]] for name in pure])
        found[LINEAR_BLENDING] = rows[:-1] - rows[-1]
    found |= {name: identity[list(own)] for name, own in places.items() if name not in pure}
    return found


def coefficient_table(model: "MixedModel", coverage: float) -> "pd.DataFrame":
    """Return a row per coefficient in coded units: estimate, SE, df, t, p and interval.

    Raises:
        InvalidValueError: If ``coverage`` is not between 0 and 1.
    """
    import pandas as pd

    critical_t(coverage, 1)  # refuses a coverage that is none
    estimates, errors = model.coefficients, model.standard_errors
    degrees = model.inference.degrees_of(np.eye(len(estimates)))
    t_values = estimates / errors
    reach = special.stdtrit(degrees, 0.5 + coverage / 2) * errors
    return pd.DataFrame(
        {
            "coefficient": model.coefficient_names,
            "estimate": estimates,
            "standard error": errors,
            "df": degrees,
            "t": t_values,
            "p": 2 * stats.t.sf(np.abs(t_values), degrees),
            "low": estimates - reach,
            "high": estimates + reach,
        }
    )


def block_effects(model: "MixedModel") -> "pd.DataFrame":
    """Return a row per level of each random block factor: its predicted effect and SE.

    Effects are best linear unbiased predictions, shrunken towards zero, on the modelled scale; the
    standard error is that of effect minus prediction.

    Source:
        Robinson (1991), Statistical Science 6, 15-51.
    """
    import pandas as pd

    state = model.fit.state
    rows = []
    for j, name in enumerate(model.random):
        variance = float(model.fit.variances[j])
        covariances = variance * model.fit.problem.roots[j]
        pulled, effects = state.solve(covariances), state.unexplained(covariances)
        away = pulled.T @ model.fit.problem.matrix
        left = variance - np.einsum("nl,nl->l", covariances, pulled)
        left = left + np.einsum("li,ij,lj->l", away, model.inference.covariance, away)
        for place, level in enumerate(model.levels.levels[name]):
            deviation = float(np.sqrt(max(left[place], 0.0)))
            rows.append((name, "/".join(level), float(effects[place]), deviation))
    return pd.DataFrame(rows, columns=["block factor", "level", "effect", "standard error"])

"""The effects of a linear model, and which of them stand out from the noise."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, UnknownNameError
from doe.factors import CategoricalFactor, MixtureComponent
from doe.terms import Column, model_columns
from surrogates.linear.prediction import critical_t
from surrogates.linear.reports.decomposition import EXACT_FIT, Source, f_test, is_rounding
from surrogates.linear.reports.statistics import modelled_unit
from surrogates.linear.screening.curvature import Curvature
from surrogates.linear.screening.lenth import MIN_EFFECTS, Lenth, lenth, simulated_lenth
from surrogates.linear.wording import counted

if TYPE_CHECKING:
    import pandas as pd

    from doe.plots import Plot
    from surrogates.linear.model import LinearModel

# Correlations of estimates below this are rounding.
UNCORRELATED = 1e-9


@dataclass(frozen=True, slots=True)
class Effect:
    """How much the modelled response changes with a term.

    Attributes:
        name: The term.
        value: Change of the modelled response from the low to the high end of the coded range
            (for a square: from the middle to the ends); for a categorical factor from its first
            to its last level.
        contrast: The same, on the scale on which all effects have the variance of the best
            estimated one; equal to ``value`` in orthogonal two-level designs.
        standard_error: Of ``value``; None without degrees of freedom for the noise.
        t: Value over standard error; None without degrees of freedom.
        p: Probability of a t at least as large without such an effect; None likewise.
        share: Sum of squares of the term, as a share of all of them.
        squares: Sum of squares of the term after all others.
        aliases: Other effects that are part of it, with their sign.
    """

    name: str
    value: float
    contrast: float
    standard_error: float | None
    t: float | None
    p: float | None
    share: float
    squares: float
    aliases: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class Effects:
    """The effects of a model, with two yardsticks: the residual SD, and Lenth's method.

    Attributes:
        response: What is modelled.
        unit: Unit of the effects.
        effects: One per term with a single column, in the order of the model.
        degrees: Degrees of freedom of the noise that t is against; 0 when there is none.
        lenth: Lenth's margins on the scale of ``contrast``; None with fewer than three effects.
        level: Confidence of all limits.
        joint: Terms with several columns: the t value that has the p value of their joint test;
            None without degrees of freedom.
        notes: What has to be known to read them, each a sentence.
        noise: What t is against, in words.
        curvature: Of a two-level design with centre runs; None elsewhere.
        is_exact: Whether the terms reproduce every value, so that no noise is left to judge by.
    """

    response: str
    unit: str
    effects: tuple[Effect, ...]
    degrees: int
    lenth: Lenth | None
    level: float
    joint: Mapping[str, float | None] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    noise: str = "the residual"
    curvature: Curvature | None = None
    is_exact: bool = False

    def __getitem__(self, name: str) -> Effect:
        """Return the effect of a term.

        Raises:
            UnknownNameError: If there is none.
        """
        for effect in self.effects:
            if effect.name == name:
                return effect
        raise UnknownNameError(
            f"There is no effect '{name}'; there are {[effect.name for effect in self.effects]}."
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The terms, in the order of the model."""
        return tuple(effect.name for effect in self.effects)

    @property
    def contrasts(self) -> FloatArray:
        """The effects on a scale of equal variance, shape ``(n_effects,)``."""
        return np.array([effect.contrast for effect in self.effects], dtype=np.float64)

    @property
    def t_limit(self) -> float | None:
        """The |t| beyond which one effect by itself is no chance; None when saturated."""
        return critical_t(self.level, self.degrees) if self.has_noise else None

    @property
    def has_noise(self) -> bool:
        """Whether anything measures the noise, so that there are t values."""
        return self.degrees > 0 and not self.is_exact

    @property
    def bonferroni_limit(self) -> float | None:
        """The |t| beyond which none of all these effects would be by chance; None when saturated.

        Source:
            Bonferroni's inequality: each of m effects at (1 - level) / m.
        """
        if not self.has_noise:
            return None
        n_tests = len(self.effects) + len(self.joint)
        return critical_t(1 - (1 - self.level) / n_tests, self.degrees)

    @property
    def possible(self) -> tuple[str, ...]:
        """The effects beyond Lenth's margin of error, largest first."""
        return self._beyond(self.lenth.margin) if self.lenth else ()

    @property
    def active(self) -> tuple[str, ...]:
        """The effects beyond Lenth's simultaneous margin of error, largest first."""
        return self._beyond(self.lenth.simultaneous) if self.lenth else ()

    def _beyond(self, limit: float) -> tuple[str, ...]:
        found = [effect for effect in self.effects if abs(effect.contrast) > limit]
        return tuple(e.name for e in sorted(found, key=lambda e: (-abs(e.contrast), e.name)))

    def _beyond_t(self, limit: float) -> tuple[str, ...]:
        sizes = {e.name: abs(e.t) for e in self.effects if e.t is not None}
        sizes |= {name: t for name, t in self.joint.items() if t is not None}
        found = [name for name, size in sizes.items() if size > limit]
        return tuple(sorted(found, key=lambda name: (-sizes[name], name)))

    def simulated(self, *, n_draws: int = 40_000, rng: np.random.Generator) -> "Effects":
        """Return the same effects with Lenth's limits from simulation instead of from t.

        Args:
            n_draws: How many sets of inactive effects are drawn.
            rng: Source of the draws.

        Raises:
            TooFewDataError: If there are fewer than three effects.
        """
        limits = simulated_lenth(self.contrasts, level=self.level, n_draws=n_draws, rng=rng)
        return replace(self, lenth=limits)

    def table(self) -> "pd.DataFrame":
        """Return a row per effect, largest first, with SE, t, F, p, verdict; curvature last."""
        import pandas as pd

        ordered = sorted(self.effects, key=lambda e: (-abs(e.contrast), e.name))
        table = pd.DataFrame(
            {
                "term": [e.name for e in ordered],
                "effect": [e.value for e in ordered],
                "contrast": [e.contrast for e in ordered],
                "standard error": [_number(e.standard_error) for e in ordered],
                "t": [_number(e.t) for e in ordered],
                "sum of squares": [e.squares for e in ordered],
                "F": [_number(None if e.t is None else e.t**2) for e in ordered],
                "p": [_number(e.p) for e in ordered],
                "share of squares": [e.share for e in ordered],
                "Lenth": [self.verdict(e.name) for e in ordered],
                "aliases": [", ".join(e.aliases) for e in ordered],
            }
        ).set_index("term")
        if self.curvature is None:
            return table
        last = pd.DataFrame([self.curvature.row()], pd.Index(["curvature"], name="term"))
        return pd.concat([table, last])

    def verdict(self, name: str) -> str:
        """Return what Lenth's method says of an effect: active, possible, or not seen.

        Raises:
            UnknownNameError: If there is no such effect.
        """
        size = abs(self[name].contrast)
        if self.lenth is None:
            return "not available"
        if size > self.lenth.simultaneous:
            return "active"
        return "possible" if size > self.lenth.margin else "not seen"

    def sentence(self) -> str:
        """Return which effects stand out, and by what measure."""
        parts = []
        if self.t_limit is not None and self.bonferroni_limit is not None:
            surely = _listed(self._beyond_t(self.bonferroni_limit))
            parts.append(
                f"By t against {self.noise} with "
                f"{counted(self.degrees, 'degree of freedom')} beyond "
                f"{self.bonferroni_limit:.4g} (Bonferroni): {surely}; beyond "
                f"{self.t_limit:.4g} (one effect): {_listed(self._beyond_t(self.t_limit))}."
            )
        if self.is_exact:
            parts.append(EXACT_FIT)
        if self.lenth is None:
            parts.append(f"Lenth's method needs at least {MIN_EFFECTS} effects.")
        else:
            parts.append(self.lenth.sentence(self.unit))
            parts.append(f"Beyond the simultaneous one: {_listed(self.active)}.")
            only = [name for name in self.possible if name not in self.active]
            if only:
                parts.append(f"Between the two, so possibly active: {_listed(only)}.")
        if not self.degrees:
            parts.append(
                "The model leaves no degrees of freedom, so there are no t values: only Lenth's "
                "method judges, on the assumption that most effects are inactive."
            )
        if self.curvature is not None:
            parts.append(self.curvature.sentence(self.unit))
        return " ".join(parts)

    def half_normal_plot(self) -> "Plot":
        """Return the half-normal plot with Lenth's margins."""
        from surrogates.linear.screening.effect_plots import half_normal_plot

        return half_normal_plot(self)

    def normal_plot(self) -> "Plot":
        """Return the normal plot with Lenth's margins."""
        from surrogates.linear.screening.effect_plots import normal_plot

        return normal_plot(self)

    def pareto_plot(self) -> "Plot":
        """Return the Pareto chart: t values with their limits, or effects when saturated."""
        from surrogates.linear.screening.effect_plots import pareto_plot

        return pareto_plot(self)


def effects(model: "LinearModel", *, level: float = 0.95, noise: Source | None = None) -> Effects:
    """Return the effects of a model and which of them stand out.

    Args:
        model: The model; saturated ones too.
        level: Confidence of all limits.
        noise: What t is against; the residual when absent.

    Raises:
        InvalidValueError: If ``level`` is not between 0 and 1, the model has no term but the
            intercept, or it is a mixture model, whose coefficients are no contrasts.

    Source:
        Box, Hunter and Hunter (2005), Statistics for Experimenters, 2nd ed., chapter 5; Daniel
        (1959), Technometrics 1, 311-341; Lenth (1989), Technometrics 31, 469-473.
    """
    if not 0 < level < 1:
        raise InvalidValueError(
            f"level is {level}; expected a confidence between 0 and 1, such as 0.95."
        )
    _refuse_mixtures(model)
    places = model.term_places()
    if not places:
        raise InvalidValueError(
            "The model has no term but the intercept, so there is no effect to look at: fit one "
            "with terms='linear' or more."
        )
    single = {name: own[0] for name, own in places.items() if len(own) == 1}
    columns = {column.name: column for column in model_columns(model.terms, model.space)}
    error = Source(model.solution.rss, model.degrees) if noise is None else noise
    is_exact = error.degrees > 0 and is_rounding(error.squares, model.values, model.weights)
    judged = Source(0.0, 0) if is_exact else error
    found = _effects_of(model, single, columns, judged)
    contrasts = np.array([effect.contrast for effect in found])
    joint = {name: _joint_t(model, own, judged) for name, own in places.items() if len(own) > 1}
    return Effects(
        response=model.response,
        unit=modelled_unit(model),
        effects=found,
        degrees=error.degrees,
        lenth=lenth(contrasts, level=level) if len(found) >= MIN_EFFECTS else None,
        level=level,
        joint=joint,
        notes=_notes(model, list(single.values()), tuple(joint)),
        is_exact=is_exact,
    )


def _refuse_mixtures(model: "LinearModel") -> None:
    components = [f.name for f in model.space.searched if isinstance(f, MixtureComponent)]
    used = [c for c in components if any(c in term.factors for term in model.terms.terms)]
    if used:
        raise InvalidValueError(
            f"Components {', '.join(used)} add up to a constant, so their coefficients are "
            "predictions of blends and not effects: look at the coefficients, or at a trace plot."
        )


def _effects_of(
    model: "LinearModel", single: Mapping[str, int], columns: Mapping[str, Column], noise: Source
) -> tuple[Effect, ...]:
    if not single:
        return ()
    places = list(single.values())
    variances = np.diag(model.solution.inverse)[places]
    ranges = np.array([_range(model, columns[model.columns[place]], place) for place in places])
    values = ranges * model.coefficients[places]
    # All on the scale of a two-level effect that is estimated as well as the best one here.
    scores = np.sign(ranges) * model.coefficients[places] / np.sqrt(variances)
    contrasts = 2 * np.sqrt(variances.min()) * scores
    squares = scores**2
    total = squares.sum() or 1.0
    found = []
    for i, name in enumerate(single):
        error = t = p = None
        if noise.degrees:
            error = float(abs(ranges[i]) * np.sqrt(variances[i] * noise.mean_square))
            t, p = _t_test(float(values[i]), error, noise.degrees)
        share, own = float(squares[i] / total), float(squares[i])
        found.append(Effect(name, float(values[i]), float(contrasts[i]), error, t, p, share, own))
    return tuple(found)


def _t_test(value: float, error: float, degrees: int) -> tuple[float | None, float | None]:
    if error == 0:
        return None, None
    return value / error, float(2 * special.stdtr(degrees, -abs(value / error)))


def _range(model: "LinearModel", column: Column, place: int) -> float:
    """Return what the column changes by from low to high, negative when low is its larger end."""
    if column.term.expressions:
        return float(np.ptp(model.matrix.to_numpy()[:, place]))
    sign = 1.0
    for name, _ in column.term.powers:
        # The sum-to-zero column of a two-level factor is +1 at its first level, the low one.
        sign *= -1.0 if isinstance(model.space.factor(name), CategoricalFactor) else 1.0
    is_even = all(exponent % 2 == 0 for _, exponent in column.term.powers)
    return 1.0 if is_even else 2.0 * sign


def _joint_t(model: "LinearModel", places: tuple[int, ...], noise: Source) -> float | None:
    if not noise.degrees or noise.squares == 0:
        return None
    f, p = f_test(Source(model.solution.explained_by(places), len(places)), noise)
    return float(-special.stdtrit(float(noise.degrees), p / 2)) if p > 0 else float(np.sqrt(f))


def _notes(model: "LinearModel", places: list[int], joint: tuple[str, ...]) -> tuple[str, ...]:
    notes = []
    covariance = model.solution.inverse[np.ix_(places, places)]
    roots = np.sqrt(np.diag(covariance))
    correlation = covariance / np.outer(roots, roots) - np.eye(len(places))
    largest = float(np.abs(correlation).max(initial=0.0))
    if largest > UNCORRELATED:
        notes.append(
            f"The estimates are correlated (up to {largest:.2g}) in these runs, while Lenth's "
            "method takes effects as independent: its margins are approximate here."
        )
    if model.degrees:
        notes.append(
            "Lenth's method takes most of the effects as inactive: in a model from which inactive "
            "terms were removed it says little, and the t values count."
        )
    if joint:
        notes.append(
            f"{', '.join(joint)} has several columns and is no single contrast: it is judged by "
            "its joint test and left out of Lenth's method."
        )
    if model.recommended:
        notes.append(
            f"{len(model.recommended)} of {model.n_runs} runs were recommended by an optimizer, "
            "not drawn at random: t and p values are descriptive."
        )
    return tuple(notes)


def _listed(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names) if names else "none"


def _number(value: float | None) -> float:
    return float("nan") if value is None else value

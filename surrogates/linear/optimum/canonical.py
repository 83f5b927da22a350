"""Canonical analysis: where a second-order surface is level, and which way it bends from there."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import linalg, special

from doe.arrays import BoolArray, FloatArray
from doe.coding import coded_values, numbers_of
from doe.errors import InvalidValueError, TooFewDataError
from doe.factors import Value
from doe.plots import Axis, Bars, Plot
from surrogates.linear.optimum.second_order import SecondOrderSurface, second_order_surface
from surrogates.linear.prediction import critical_t

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.model import LinearModel

Nature = Literal[
    "maximum", "minimum", "saddle", "stationary ridge", "rising ridge", "falling ridge"
]
# An eigenvalue below this share of the largest counts as no curvature (Lenth 2009, section 4).
FLAT = 0.1
# Below this share the system B x = -b/2 has no solution that the machine's numbers support.
SINGULAR = 1e-10


@dataclass(frozen=True, eq=False)
class CanonicalAnalysis:
    """The stationary point of a second-order surface, and its curvature along its own axes.

    Attributes:
        surface: The surface in coded units.
        coded: The stationary point, shape ``(k,)``; absent when the surface is level nowhere.
        settings: The same as one row of complete settings in natural units.
        predicted: The expected response there, in its unit.
        standard_error: Of it, on the modelled scale, the place taken as given.
        lower: Lower end of its confidence interval.
        upper: Upper end.
        eigenvalues: Curvature along each axis on the modelled scale, ascending, shape ``(k,)``.
        eigenvectors: The axes as columns, shape ``(k, k)``; the largest entry of each is positive.
        eigenvalue_errors: Standard errors of the eigenvalues, shape ``(k,)``.
        eigenvalue_lower: Lower ends of their intervals.
        eigenvalue_upper: Upper ends.
        nature: What the surface is like about the stationary point.
        inside: Whether the stationary point lies within the studied range of every factor.
        reasons: Why a prediction there extrapolates, each in words; empty where it does not.
        coverage: Of the intervals.
        notes: What was assumed and what to mind, each a sentence.

    Source:
        Box and Wilson (1951), J. Royal Statistical Society B 13, 1-45; Box and Draper (2007),
        Response Surfaces, Mixtures, and Ridge Analyses, 2nd ed., chapters 10 and 11. Errors of
        eigenvalues: Carter, Chinchilli and Campbell (1990), Technometrics 32, 425-435, equal to
        those of Bisgaard and Ankenman (1996), Technometrics 38, 238-246.
    """

    surface: SecondOrderSurface
    coded: FloatArray | None
    settings: "pd.DataFrame | None"
    predicted: float
    standard_error: float
    lower: float
    upper: float
    eigenvalues: FloatArray
    eigenvectors: FloatArray
    eigenvalue_errors: FloatArray
    eigenvalue_lower: FloatArray
    eigenvalue_upper: FloatArray
    nature: Nature
    inside: bool
    reasons: tuple[str, ...]
    coverage: float
    notes: tuple[str, ...]

    def table(self) -> "pd.DataFrame":
        """Return the stationary point, a row per factor: coded, natural, unit, studied range."""
        import pandas as pd

        studied = self.surface.model.domain.studied
        rows = {
            factor.name: {
                "coded": np.nan if self.coded is None else self.coded[place],
                "natural": np.nan if self.settings is None else self.settings[factor.name].iloc[0],
                "unit": factor.unit,
                "studied_low": studied[factor.name][0],
                "studied_high": studied[factor.name][1],
            }
            for place, factor in enumerate(self.surface.factors)
        }
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("factor")

    def axes(self) -> "pd.DataFrame":
        """Return the canonical axes, a row each: eigenvalue, SE, interval, a column per factor."""
        import pandas as pd

        table = pd.DataFrame(
            {
                "eigenvalue": self.eigenvalues,
                "standard_error": self.eigenvalue_errors,
                "lower": self.eigenvalue_lower,
                "upper": self.eigenvalue_upper,
            },
            index=pd.Index([f"w{i + 1}" for i in range(len(self.eigenvalues))], name="axis"),
        )
        for place, name in enumerate(self.surface.names):
            table[name] = self.eigenvectors[place]
        return table

    def could_be_stationary(self, settings: "pd.DataFrame") -> BoolArray:
        """Return which settings the runs do not rule out as the stationary point.

        The set of all such settings is a confidence region of the stationary point with the
        analysis' coverage. It is exact, and may be unbounded or in pieces.

        Args:
            settings: Natural units; a column per factor that moves.

        Raises:
            TooFewDataError: If no degrees of freedom are left for the noise.

        Source:
            Box and Hunter (1954), Biometrika 41, 190-199.
        """
        model = self.surface.model
        if model.degrees < 1:
            raise TooFewDataError(
                f"{model.n_runs} runs and {model.n_coefficients} coefficients leave no degrees of "
                "freedom for the noise, so nothing can be ruled out: add runs or drop terms."
            )
        total = model.space.mixture_total
        places = np.column_stack(
            [coded_values(f, numbers_of(settings[f.name]), total) for f in self.surface.factors]
        )
        k = len(self.surface.factors)
        limit = float(special.fdtri(k, model.degrees, self.coverage))
        lost = []
        for place in places:
            forms = self.surface.gradient_rows(place)
            lost.append(model.solution.explained_by_contrasts(forms))
        return np.asarray(np.array(lost) / (k * model.residual_std**2) <= limit, dtype=np.bool_)

    def sentence(self) -> str:
        """Return in words where the stationary point is, what it is, and whether to trust it."""
        response, unit = self.surface.model.response, self.surface.model.rows.response.unit
        values = ", ".join(f"{value:.4g}" for value in self.eigenvalues)
        if self.settings is None or self.coded is None:
            first = (
                f"The surface of {response} is level nowhere: it is a {self.nature} "
                f"(eigenvalues {values})."
            )
        else:
            first = (
                f"The stationary point of {response} is a {self.nature} at "
                f"{setting_text(self.surface, self.settings, 0)}, predicted "
                f"{self.predicted:.5g}{f' {unit}' if unit else ''} (eigenvalues {values})."
            )
        where = "It lies within the studied ranges."
        if self.reasons:
            start = "Within the studied ranges, but" if self.inside else "Outside what was studied:"
            where = f"{start} {'; '.join(self.reasons)}."
        return " ".join((first, where, *self.notes))

    def plot(self) -> Plot:
        """Return the eigenvalues with their intervals."""
        values = self.eigenvalues
        shown = [values, self.eigenvalue_lower, self.eigenvalue_upper, np.zeros(1)]
        every = np.concatenate(shown)
        every = every[np.isfinite(every)]
        margin = 0.05 * float(np.ptp(every)) or 1.0
        low, high = float(every.min()) - margin, float(every.max()) + margin
        is_known = np.isfinite(self.eigenvalue_errors)
        return Plot(
            f"Curvature of {self.surface.model.response} along its canonical axes",
            self.sentence(),
            Axis("Eigenvalue, per squared coded unit", self._unit(), low, high),
            Axis(
                "Axis",
                "",
                -0.5,
                len(values) - 0.5,
                "category",
                tuple(self._axis_name(place) for place in range(len(values))),
            ),
            (
                Bars(
                    f"Eigenvalue with {self.coverage:.0%} interval",
                    np.arange(len(values), dtype=np.float64),
                    values,
                    np.where(is_known, self.eigenvalue_lower, values),
                    np.where(is_known, self.eigenvalue_upper, values),
                ),
            ),
        )

    def _unit(self) -> str:
        model = self.surface.model
        return model.rows.response.unit if model.transform.kind == "none" else ""

    def _axis_name(self, place: int) -> str:
        weights = self.eigenvectors[:, place]
        pairs = zip(weights, self.surface.names, strict=True)
        return " ".join(f"{weight:+.2f} {name}" for weight, name in pairs).removeprefix("+")


def canonical_analysis(
    model: "LinearModel", *, at: Mapping[str, Value] | None = None, coverage: float = 0.95
) -> CanonicalAnalysis:
    """Return the stationary point of a second-order model, coded and natural, and its nature.

    An eigenvalue below a tenth of the largest counts as no curvature: the surface is then a ridge,
    ``stationary`` when its stationary point is no farther from the centre than the farthest run,
    else ``rising`` (``falling`` where the surface bends upwards).

    Args:
        model: A linear model with second-order terms.
        at: Settings of factors that stay; a level for every categorical factor of the model.
        coverage: Of the intervals.

    Raises:
        InvalidValueError: If the model is not of second order, has mixture components that move, a
            categorical factor has no level, or ``coverage`` is not between 0 and 1.
        UnknownNameError: If ``at`` names no factor.
    """
    reach = critical_t(coverage, model.degrees)
    surface = second_order_surface(model, at)
    values, vectors = _axes(surface)
    errors = _eigenvalue_errors(surface, vectors)
    point = _stationary(surface, values, vectors)
    nature = _nature(surface, values, point)
    place = {"predicted": np.nan, "standard_error": np.nan, "lower": np.nan, "upper": np.nan}
    settings: pd.DataFrame | None = None
    reasons: tuple[str, ...] = ("there is no stationary point",)
    if point is not None:
        settings = surface.settings(point[None, :])
        means = surface.means(point[None, :], coverage)
        leverage = model.solution.leverage_of(surface.rows(point[None, :]))
        reasons = model.domain.reasons(settings, leverage)[0]
        place = {
            "predicted": float(means.estimate[0]),
            "standard_error": float(means.standard_error[0]),
            "lower": float(means.lower[0]),
            "upper": float(means.upper[0]),
        }
    return CanonicalAnalysis(
        surface=surface,
        coded=point,
        settings=settings,
        **place,
        eigenvalues=values,
        eigenvectors=vectors,
        eigenvalue_errors=errors,
        eigenvalue_lower=values - reach * errors,
        eigenvalue_upper=values + reach * errors,
        nature=nature,
        inside=settings is not None and _is_studied(surface, settings),
        reasons=reasons,
        coverage=coverage,
        notes=_notes(surface, values, errors, reach),
    )


def setting_text(surface: SecondOrderSurface, settings: "pd.DataFrame", row: int) -> str:
    """Return the moving factors of one row in words, such as ``time 86.95 min``."""
    parts = [
        f"{factor.name} {settings[factor.name].iloc[row]:.5g} {factor.unit}".rstrip()
        for factor in surface.factors
    ]
    return ", ".join(parts)


def _axes(surface: SecondOrderSurface) -> tuple[FloatArray, FloatArray]:
    values, vectors = linalg.eigh(surface.curvature)
    if not np.abs(values).max() > 0:
        raise InvalidValueError(
            f"The model of '{surface.model.response}' ({', '.join(surface.model.terms.names)}) has "
            f"no second-order term in {', '.join(surface.names)}, so its surface is a plane; "
            "canonical and ridge analysis need curvature: fit terms='quadratic', or use steepest "
            "ascent."
        )
    return np.asarray(values), signed(np.asarray(vectors))


def signed(vectors: FloatArray) -> FloatArray:
    """Return columns with the sign at which the first of their largest entries is positive."""
    sizes = np.abs(vectors)
    # Entries that tie but for rounding must not decide the sign by it.
    largest = (sizes >= sizes.max(axis=0) * (1 - 1e-9)).argmax(axis=0)
    return np.asarray(vectors * np.sign(vectors[largest, np.arange(vectors.shape[1])]))


def _eigenvalue_errors(surface: SecondOrderSurface, vectors: FloatArray) -> FloatArray:
    # To first order an eigenvalue u'Bu changes with B only: u is where it is stationary.
    rows = surface.curvature_rows(vectors.T)
    model = surface.model
    return np.asarray(model.residual_std * np.sqrt(model.solution.leverage_of(rows)))


def _stationary(
    surface: SecondOrderSurface, values: FloatArray, vectors: FloatArray
) -> FloatArray | None:
    if np.abs(values).min() <= SINGULAR * np.abs(values).max():
        return None
    return np.asarray(vectors @ (vectors.T @ surface.slope / (-2 * values)))


def _nature(surface: SecondOrderSurface, values: FloatArray, point: FloatArray | None) -> Nature:
    is_flat = np.abs(values) <= FLAT * np.abs(values).max()
    bends = np.sign(values[~is_flat])
    if not surface.model.transform.increasing:
        bends = -bends
    if bends.min() != bends.max():
        return "saddle"
    if not is_flat.any():
        return "maximum" if bends[0] < 0 else "minimum"
    if point is not None and float(np.linalg.norm(point)) <= surface.radius:
        return "stationary ridge"
    return "rising ridge" if bends[0] < 0 else "falling ridge"


def _is_studied(surface: SecondOrderSurface, settings: "pd.DataFrame") -> bool:
    # A distance of zero never exceeds the limit, so that only ranges and constraints are judged.
    return not bool(surface.model.domain.outside(settings, np.zeros(1))[0])


def _notes(
    surface: SecondOrderSurface, values: FloatArray, errors: FloatArray, reach: float
) -> tuple[str, ...]:
    model, notes = surface.model, []
    if not np.isfinite(reach):
        notes.append("The model is saturated: no errors can be given.")
    unclear = int(np.sum(np.abs(values) < reach * errors))
    if unclear:
        notes.append(
            f"The interval of {unclear} of {len(values)} eigenvalues includes zero: the runs do "
            "not settle which way the surface bends along that axis."
        )
    gaps = np.diff(values)
    if len(gaps) and (gaps < 2 * np.maximum(errors[1:], errors[:-1])).any():
        notes.append(
            "Two eigenvalues differ by less than two standard errors: their axes are not settled, "
            "and their errors, which take the axes as given, are too small."
        )
    if model.transform.kind != "none":
        notes.append(
            f"Curvature is that of {model.response} on the {model.transform.kind} scale; the "
            "predicted value is mapped back and is a median."
        )
    if model.aliased:
        names = ", ".join(column.name for column in model.aliased)
        notes.append(f"Not estimated and left out: {names}.")
    return tuple(notes)

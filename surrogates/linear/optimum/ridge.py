"""Ridge analysis: the best settings at each distance from the centre of a second-order surface."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import linalg, optimize

from doe.arrays import BoolArray, FloatArray
from doe.errors import InvalidValueError
from doe.factors import Value, check_number
from doe.plots import Axis, Band, Line, Plot, Points
from surrogates.linear.optimum.canonical import setting_text, signed
from surrogates.linear.optimum.second_order import SecondOrderSurface, second_order_surface
from surrogates.linear.prediction import critical_t

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.model import LinearModel

Aim = Literal["maximise", "minimise"]
N_RADII = 11
# A slope along the steepest axis below this share of the whole slope is rounding error.
LEVEL = 1e-12


@dataclass(frozen=True, eq=False)
class RidgePath:
    """The settings with the best expected response at each distance from the centre.

    Attributes:
        surface: The surface in coded units.
        aim: Whether the response is maximised or minimised on each sphere.
        radii: Distances from the centre in coded units, ascending, shape ``(n_radii,)``.
        coded: The best place at each, shape ``(n_radii, k)``.
        settings: The same as complete settings in natural units; not rounded to steps.
        estimate: Expected response at each, in its unit.
        standard_error: On the modelled scale, the place taken as given.
        lower: Lower end of its confidence interval.
        upper: Upper end.
        extrapolates: Where the place lies outside the applicability domain.
        is_forked: Where the opposite place, mirrored along the steepest axis, does equally well.
        coverage: Of the intervals.

    Source:
        Hoerl (1959), Chemical Engineering Progress 55(11), 69-78; Draper (1963), Technometrics 5,
        469-479; Hoerl (1985), The American Statistician 39, 186-192.
    """

    surface: SecondOrderSurface
    aim: Aim
    radii: FloatArray
    coded: FloatArray
    settings: "pd.DataFrame"
    estimate: FloatArray
    standard_error: FloatArray
    lower: FloatArray
    upper: FloatArray
    extrapolates: BoolArray
    is_forked: BoolArray
    coverage: float

    def table(self) -> "pd.DataFrame":
        """Return the path, a row per radius: coded and natural settings, response, interval."""
        import pandas as pd

        table = pd.DataFrame({"radius": self.radii})
        for place, name in enumerate(self.surface.names):
            table[f"{name} (coded)"] = self.coded[:, place]
        for name in self.surface.names:
            table[name] = self.settings[name].to_numpy()
        table["estimate"] = self.estimate
        table["standard_error"] = self.standard_error
        table["lower"], table["upper"] = self.lower, self.upper
        table["extrapolates"] = self.extrapolates
        return table

    def sentence(self) -> str:
        """Return in words where the path leads and how far it can be followed."""
        response, unit = self._response()
        trusted = np.flatnonzero(~self.extrapolates)
        what = "largest" if self.aim == "maximise" else "smallest"
        if not len(trusted):
            return f"Every place of the path for the {what} {response} extrapolates."
        sign = 1.0 if self.aim == "maximise" else -1.0
        best = int(trusted[np.argmax(sign * self.estimate[trusted])])
        text = (
            f"Along the path of the {what} {response} the best place that does not extrapolate is "
            f"{setting_text(self.surface, self.settings, best)}, at distance "
            f"{self.radii[best]:.3g} coded, with an expected {response} of "
            f"{self.estimate[best]:.5g}{unit}"
        )
        if np.isfinite(self.lower[best]):
            text += f" ({self.coverage:.0%} interval {self.lower[best]:.5g} to "
            text += f"{self.upper[best]:.5g})"
        parts = [text + "."]
        if self.extrapolates.any():
            parts.append(f"It extrapolates at {_radii_text(self.radii[self.extrapolates])}.")
        if self.is_forked.any():
            parts.append(
                "The path forks: from "
                f"{self.radii[self.is_forked].min():.3g} on, a mirrored place does equally well."
            )
        return " ".join(parts)

    def plot(self) -> Plot:
        """Return the best expected response against the distance from the centre."""
        response, _ = self._response()
        every = np.concatenate([self.estimate, self.lower, self.upper])
        every = every[np.isfinite(every)]
        margin = 0.05 * float(np.ptp(every)) or 1.0
        layers: list[Band | Line | Points] = []
        if np.isfinite(self.lower).all() and np.isfinite(self.upper).all():
            label = f"{self.coverage:.0%} confidence interval"
            layers.append(Band(label, self.radii, self.lower, self.upper))
        layers.append(Line("Best at this distance", self.radii, self.estimate))
        if self.extrapolates.any():
            beyond = self.extrapolates
            layers.append(
                Points("Extrapolates", self.radii[beyond], self.estimate[beyond], "excluded")
            )
        return Plot(
            f"Ridge analysis of {response}: {self.aim} at each distance",
            self.sentence(),
            Axis("Distance from the centre", "coded", 0.0, float(self.radii.max()) * 1.02),
            Axis(
                f"Expected {response}",
                self.surface.model.rows.response.unit,
                float(every.min()) - margin,
                float(every.max()) + margin,
            ),
            tuple(layers),
        )

    def settings_plot(self) -> Plot:
        """Return the coded settings of each factor against the distance from the centre."""
        reach = 1.05 * float(np.abs(self.coded).max()) or 1.0
        return Plot(
            f"Settings along the ridge path of {self.surface.model.response}",
            self.sentence(),
            Axis("Distance from the centre", "coded", 0.0, float(self.radii.max()) * 1.02),
            Axis("Setting", "coded", -reach, reach),
            tuple(
                Line(name, self.radii, self.coded[:, place])
                for place, name in enumerate(self.surface.names)
            ),
        )

    def _response(self) -> tuple[str, str]:
        unit = self.surface.model.rows.response.unit
        return self.surface.model.response, f" {unit}" if unit else ""


def ridge_analysis(
    model: "LinearModel",
    *,
    aim: Aim = "maximise",
    radii: Sequence[float] | None = None,
    at: Mapping[str, Value] | None = None,
    coverage: float = 0.95,
) -> RidgePath:
    """Return the settings with the best expected response at each distance from the centre.

    It says where to go when the stationary point is a saddle, lies outside the studied region, or
    the surface is a ridge. Distance is Euclidean in coded units of the factors that move.

    Args:
        model: A linear model with second-order terms.
        aim: Whether the response is to be large or small.
        radii: Distances in coded units; eleven from the centre to the farthest run when absent.
        at: Settings of factors that stay; a level for every categorical factor of the model.
        coverage: Of the confidence intervals of the expected response.

    Raises:
        InvalidValueError: If the model is not of second order, has mixture components that move, a
            categorical factor has no level, or an argument is out of range.
        UnknownNameError: If ``at`` names no factor.
    """
    check_aim(aim)
    critical_t(coverage, model.degrees)
    surface = second_order_surface(model, at)
    distances = _distances(surface, radii)
    if not np.abs(surface.curvature).max() > 0:
        raise InvalidValueError(
            f"The model of '{model.response}' ({', '.join(model.terms.names)}) has no second-order "
            "term, so the best settings lie on one straight line: use steepest ascent, or fit "
            "terms='quadratic'."
        )
    sign = 1.0 if aim == "maximise" else -1.0
    if not model.transform.increasing:
        sign = -sign
    found = [best_on_sphere(sign * surface.slope, sign * surface.curvature, r) for r in distances]
    coded = np.array([place for place, _ in found])
    means = surface.means(coded, coverage)
    return RidgePath(
        surface=surface,
        aim=aim,
        radii=distances,
        coded=coded,
        settings=surface.settings(coded),
        estimate=means.estimate,
        standard_error=means.standard_error,
        lower=means.lower,
        upper=means.upper,
        extrapolates=means.extrapolates,
        is_forked=np.array([fork for _, fork in found], dtype=np.bool_),
        coverage=coverage,
    )


def best_on_sphere(
    slope: FloatArray, curvature: FloatArray, radius: float
) -> tuple[FloatArray, bool]:
    """Return the place where x'b + x'Bx is largest on a sphere, and whether another does as well.

    At the solution (B - mu I) x = -b/2 with mu at or above the largest eigenvalue, and the length
    of x falls as mu grows.

    Args:
        slope: b, shape ``(k,)``.
        curvature: B, symmetric, shape ``(k, k)``.
        radius: Distance from the centre; 0 gives the centre.

    Source:
        Draper (1963), Technometrics 5, 469-479, theorems 1 to 4; for a slope without a part along
        the largest eigenvalue's axis More and Sorensen (1983), SIAM J. Sci. Stat. Comput. 4,
        553-572, section 2.
    """
    if radius == 0:
        return np.zeros(len(slope)), False
    values, vectors = linalg.eigh(curvature)
    vectors = signed(np.asarray(vectors))
    parts = vectors.T @ slope
    gaps = values[-1] - values
    scale = max(float(np.abs(values).max()), float(np.linalg.norm(slope)))
    is_top = gaps <= LEVEL * scale
    if np.linalg.norm(parts[is_top]) <= LEVEL * scale:
        rest = np.divide(parts, 2 * gaps, out=np.zeros_like(parts), where=~is_top)
        left = radius**2 - float(rest @ rest)
        if left >= 0:
            rest[-1] = np.sqrt(left)
            return np.asarray(vectors @ rest), left > 0
        parts = np.where(is_top, 0.0, parts)

    def excess(shift: float) -> float:
        # The reciprocal length is nearly linear in mu, so that the root is found in few steps.
        return 1.0 / radius - 1.0 / float(np.linalg.norm(parts / (2 * (gaps + shift))))

    largest = float(np.linalg.norm(parts)) / (2 * radius)
    smallest = float(np.linalg.norm(parts[is_top])) / (2 * radius)
    shift = _root(excess, smallest, largest)
    place = parts / (2 * (gaps + shift))
    return np.asarray(vectors @ (place * radius / np.linalg.norm(place))), False


def _root(excess: Callable[[float], float], smallest: float, largest: float) -> float:
    """Return where ``excess``, not negative at the smallest shift, falls to zero."""
    if smallest == 0.0:
        smallest = np.finfo(np.float64).tiny * 1e30
    if excess(smallest) <= 0.0:
        return smallest
    if excess(largest) >= 0.0:
        return largest
    return float(optimize.brentq(excess, smallest, largest, xtol=1e-300, rtol=1e-14))


def check_aim(aim: Aim) -> None:
    """Refuse an aim that is neither to maximise nor to minimise.

    Raises:
        InvalidValueError: If it is something else.
    """
    if aim not in ("maximise", "minimise"):
        raise InvalidValueError(f"aim is {aim!r}; expected 'maximise' or 'minimise'.")


def _distances(surface: SecondOrderSurface, radii: Sequence[float] | None) -> FloatArray:
    if radii is None:
        return np.linspace(0.0, surface.radius, N_RADII)
    values = np.array([check_number(radius, "Radius") for radius in radii], dtype=np.float64)
    if not len(values) or (values < 0).any() or not (values > 0).any():
        raise InvalidValueError(
            f"radii are {list(radii)}; expected distances in coded units, none negative and at "
            "least one above 0, such as [0, 0.5, 1]."
        )
    return np.unique(values)


def _radii_text(radii: FloatArray) -> str:
    if len(radii) == 1:
        return f"distance {radii[0]:.3g}"
    return f"{len(radii)} distances from {radii.min():.3g} to {radii.max():.3g}"

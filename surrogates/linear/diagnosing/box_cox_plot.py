"""The figure of a Box-Cox profile."""

from typing import TYPE_CHECKING

import numpy as np

from doe.plots import Axis, Layer, Line, Plot, Points
from surrogates.transforms import POWERS

if TYPE_CHECKING:
    from surrogates.linear.diagnosing.box_cox import BoxCox

# How far below the bound of the interval the profile is shown, in distances from peak to bound.
SHOWN_BELOW = 5.0


def box_cox_plot(profile: "BoxCox") -> Plot:
    """Return the log likelihood over the power, its interval, and the present scale."""
    depth = profile.highest - profile.limit
    lowest = float(profile.log_likelihood.min()) - 0.3 * depth
    floor = max(lowest, profile.limit - SHOWN_BELOW * depth)
    top = profile.highest + 0.6 * depth
    power = Axis("power", "", float(profile.powers[0]), float(profile.powers[-1]))
    unit = f" in {profile.unit}" if profile.unit else ""
    shown = profile.log_likelihood >= floor
    peak = Points(
        "most likely power",
        np.array([profile.power]),
        np.array([profile.highest]),
        "recommended",
        (f"{profile.power:.3g}",),
    )
    curve = Line("log likelihood", profile.powers[shown], profile.log_likelihood[shown])
    return Plot(
        f"Box-Cox profile of {profile.response}",
        profile.sentence(),
        power,
        Axis(f"log likelihood of the values{unit}", "", floor, top),
        (curve, *_marks(profile, power, floor, top), peak),
    )


def _marks(profile: "BoxCox", power: Axis, floor: float, top: float) -> list[Layer]:
    """Return the bound and the ends of the interval, and the present scale."""
    coverage = f"{100 * profile.coverage:g} %"
    ends = np.array([power.low, power.high])
    marks: list[Layer] = [Line(f"{coverage} bound", ends, np.full(2, profile.limit), "limit")]
    marks += [
        Line(f"{coverage} interval", np.full(2, end), np.array([floor, profile.limit]), "target")
        for end in (profile.lower, profile.upper)
        if end is not None
    ]
    present = POWERS[profile.current]
    if present is not None:
        label = f"present scale ({profile.current})"
        marks.append(Line(label, np.full(2, present), np.array([floor, top]), "reference"))
    return marks

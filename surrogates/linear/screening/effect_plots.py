"""Figures of effects: half-normal, normal, Pareto."""

from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from doe.arrays import FloatArray, IntArray
from doe.errors import TooFewDataError
from doe.plots import Axis, Bars, Line, Plot, Points
from surrogates.linear.reports.decomposition import EXACT_FIT

if TYPE_CHECKING:
    from surrogates.linear.screening.effects import Effects
    from surrogates.linear.screening.lenth import Lenth

ROOM = 1.12


def half_normal_plot(effects: "Effects") -> Plot:
    """Return the sizes of effects against what inactive ones would be, with Lenth's margins.

    Inactive effects lie along the line through the origin with the pseudo standard error as slope.

    Raises:
        TooFewDataError: If there are fewer than three effects.

    Source:
        Daniel (1959), Technometrics 1, 311-341; margins: Lenth (1989), Technometrics 31, 469-473.
    """
    limits = _limits(effects)
    sizes = np.abs(effects.contrasts)
    order = np.argsort(sizes, kind="stable")
    expected = np.asarray(special.ndtri(0.5 + 0.5 * (np.arange(len(sizes)) + 0.5) / len(sizes)))
    right = float(expected[-1]) * ROOM
    top = _top(sizes, limits)
    return Plot(
        f"Half-normal plot of effects on {effects.response}",
        effects.sentence(),
        Axis("Expected size of an inactive effect", "pseudo standard errors", 0.0, right),
        Axis("Size of the effect", effects.unit, 0.0, top),
        (
            _noise_line(limits, 0.0, min(right, top / limits.pse) if limits.pse else right),
            *_margins(limits, 0.0, right, signs=(1,)),
            *_named_points(effects, expected, sizes, order),
        ),
    )


def normal_plot(effects: "Effects") -> Plot:
    """Return the effects against what inactive ones would be, with Lenth's margins.

    Raises:
        TooFewDataError: If there are fewer than three effects.

    Source:
        Daniel (1959), Technometrics 1, 311-341; margins: Lenth (1989), Technometrics 31, 469-473.
    """
    limits = _limits(effects)
    values = effects.contrasts
    order = np.argsort(values, kind="stable")
    expected = np.asarray(special.ndtri((np.arange(len(values)) + 0.5) / len(values)))
    right = float(expected[-1]) * ROOM
    top = _top(np.abs(values), limits)
    reach = min(right, top / limits.pse) if limits.pse else right
    return Plot(
        f"Normal plot of effects on {effects.response}",
        effects.sentence(),
        Axis("Expected value of an inactive effect", "pseudo standard errors", -right, right),
        Axis("Effect", effects.unit, -top, top),
        (
            _noise_line(limits, -reach, reach),
            *_margins(limits, -right, right, signs=(1, -1)),
            *_named_points(effects, expected, values, order),
        ),
    )


def pareto_plot(effects: "Effects") -> Plot:
    """Return the effects from large to small with their limits.

    With degrees of freedom the bars are |t|, with the limits of one t and of Bonferroni; terms with
    several columns stand at the t that has their p value. Without, the bars are the sizes of the
    effects and the limits Lenth's.

    Raises:
        TooFewDataError: If there are neither degrees of freedom nor three effects.
    """
    names, sizes = _bars(effects)
    order = sorted(range(len(names)), key=lambda i: (sizes[i], names[i]))
    ordered = np.array([sizes[i] for i in order])
    limits = _pareto_limits(effects)
    right = ROOM * max(float(ordered[-1]), *(limit for _, limit in limits), 1e-300)
    places = np.arange(len(order), dtype=np.float64)
    ends = np.array([-0.5, len(order) - 0.5])
    lines = tuple(
        Line(label, np.full(2, limit), ends, "limit" if i else "reference")
        for i, (label, limit) in enumerate(limits)
    )
    what = "Size of t" if effects.has_noise else "Size of the effect"
    return Plot(
        f"Pareto chart of effects on {effects.response}",
        _pareto_sentence(effects, names, sizes, limits),
        Axis(what, "" if effects.has_noise else effects.unit, 0.0, right),
        Axis(
            "Term",
            "",
            -0.5,
            len(order) - 0.5,
            "category",
            tuple(names[i] for i in order),
        ),
        (Bars(what, places, ordered, ordered, ordered), *lines),
    )


def _bars(effects: "Effects") -> tuple[list[str], list[float]]:
    if not effects.has_noise:
        return list(effects.names), [abs(e.contrast) for e in effects.effects]
    found = {e.name: abs(e.t) for e in effects.effects if e.t is not None}
    found |= {name: t for name, t in effects.joint.items() if t is not None}
    return list(found), list(found.values())


def _pareto_limits(effects: "Effects") -> list[tuple[str, float]]:
    if effects.t_limit is not None and effects.bonferroni_limit is not None:
        return [
            (f"t limit ({effects.level:.0%})", effects.t_limit),
            ("Bonferroni limit", effects.bonferroni_limit),
        ]
    limits = _limits(effects)
    return [("Lenth's ME", limits.margin), ("Lenth's SME", limits.simultaneous)]


def _pareto_sentence(
    effects: "Effects", names: list[str], sizes: list[float], limits: list[tuple[str, float]]
) -> str:
    pairs = sorted(zip(sizes, names, strict=True), key=lambda pair: (-pair[0], pair[1]))
    parts = []
    for label, limit in limits:
        beyond = [name for size, name in pairs if size > limit]
        parts.append(f"Beyond the {label} {limit:.4g}: {', '.join(beyond) or 'none'}.")
    if effects.is_exact:
        parts.append(EXACT_FIT)
    elif not effects.degrees:
        parts.append("No degrees of freedom are left for t values; Lenth's method judges alone.")
    return " ".join(parts).replace("the Lenth's", "Lenth's")


def _limits(effects: "Effects") -> "Lenth":
    if effects.lenth is None:
        raise TooFewDataError(
            f"{len(effects.effects)} effects are too few for Lenth's method, which needs at least "
            "3: fit a model with more terms."
        )
    return effects.lenth


def _top(sizes: FloatArray, limits: "Lenth") -> float:
    # A limit far beyond every effect would press them all to the bottom.
    largest = float(sizes.max())
    return ROOM * (max(largest, min(limits.simultaneous, 2 * largest)) or 1.0)


def _noise_line(limits: "Lenth", start: float, end: float) -> Line:
    x = np.array([start, end])
    return Line("Inactive effects", x, limits.pse * x, "reference")


def _margins(
    limits: "Lenth", left: float, right: float, *, signs: tuple[int, ...]
) -> tuple[Line, ...]:
    ends = np.array([left, right])
    pairs = ((f"ME ({limits.level:.0%})", limits.margin), ("SME", limits.simultaneous))
    return tuple(
        Line(label, ends, np.full(2, sign * value), "limit")
        for label, value in pairs
        for sign in signs
    )


def _named_points(
    effects: "Effects", expected: FloatArray, values: FloatArray, order: IntArray
) -> tuple[Points, ...]:
    """Return the effects in order: those beyond a margin by name and apart from the others.

    The others lie close together, where their names would hide each other.
    """
    names = [effects.names[i] for i in order]
    sorted_values = values[order]
    stands_out = np.array([name in effects.possible for name in names], dtype=bool)
    layers = []
    for mask, label, role in (
        (~stands_out, "Not seen", "data"),
        (stands_out, "Beyond a margin", "estimate"),
    ):
        if mask.any():
            shown: tuple[str, ...] = ()
            if role == "estimate":
                shown = tuple(name for name, is_in in zip(names, mask, strict=True) if is_in)
            layers.append(Points(label, expected[mask], sorted_values[mask], role, shown))  # type: ignore[arg-type]  # literals
    return tuple(layers)

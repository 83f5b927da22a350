"""What a figure shows, for those who have it read to them."""

from doe.plots import Plot


def description(plot: Plot) -> str:
    """Return what a figure is made of, in a sentence that stands for the picture."""
    parts = []
    for axis, name in ((plot.x, "horizontal"), (plot.y, "vertical")):
        if axis.scale == "category":
            parts.append(f"{name} axis {axis.label}: {', '.join(axis.categories)}")
        else:
            unit = f" {axis.unit}" if axis.unit else ""
            parts.append(f"{name} axis {axis.label} from {axis.low:g} to {axis.high:g}{unit}")
    drawn = "; ".join(dict.fromkeys(layer.label for layer in plot.layers))
    return f"Figure: {plot.title}. {'; '.join(parts)}. Shown: {drawn}. {plot.sentence}"

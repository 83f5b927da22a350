"""Predictions of a model on a transformed scale, back in the response's unit: median and mean."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from surrogates.surrogate import NEW_BLOCK, Block

if TYPE_CHECKING:
    import pandas as pd

    from surrogates.linear.model import LinearModel
    from surrogates.transforms import ResponseTransform


@dataclass(frozen=True, eq=False)
class BackTransformed:
    """What a new run is expected to give, and what the naive way back would say.

    Transforming the fitted value back gives the median of a new run's values: half of them lie
    below. Their mean lies elsewhere, because the scale is bent; the difference is the bias of
    taking the one for the other. Without a transformation both are the same.

    Attributes:
        response: The response.
        unit: Its unit.
        transform: The scale that it was modelled on.
        median: Median of a new run at each setting, exact, shape ``(n_settings,)``.
        mean: Mean of a new run at each setting: of the lognormal distribution in closed form on
            the log scale, by quadrature on the others.

    Source:
        Land (1974), Technometrics 16, 309-314, on the mean after transformation; Miller (1984),
        The American Statistician 38, 124-126, on the bias of transforming back.
    """

    response: str
    unit: str
    transform: "ResponseTransform"
    median: FloatArray
    mean: FloatArray

    @property
    def bias(self) -> FloatArray:
        """Median minus mean: by how much the naive way back misses the mean, in the unit."""
        return np.asarray(self.median - self.mean)

    def table(self) -> "pd.DataFrame":
        """Return a row per setting: ``median``, ``mean`` and ``bias``, in the response's unit."""
        import pandas as pd

        return pd.DataFrame({"median": self.median, "mean": self.mean, "bias": self.bias})

    def sentence(self) -> str:
        """Return how the predictions came back, with the largest bias."""
        if self.transform.kind == "none":
            return (
                f"'{self.response}' is modelled as it is: the mean and the median of a new run are "
                "the same."
            )
        worst = int(np.abs(self.bias).argmax())
        amount = f"{self.bias[worst]:+.3g} {self.unit}".rstrip()
        share = ""
        if self.mean[worst]:
            share = f" ({100 * self.bias[worst] / self.mean[worst]:+.2g} % of the mean)"
        side = "below" if self.bias[worst] < 0 else "above"
        way = "in closed form" if self.transform.kind == "log" else "by quadrature"
        if self.transform.kind == "inverse":
            way += (
                ", cut at ten times the largest value observed, since 1/z has no mean where z may "
                "be zero: where the two differ much, rely on the median"
            )
        return (
            f"'{self.response}' is modelled on the {self.transform.kind} scale. Transforming a "
            f"fitted value back gives the median of a new run, which lies {side} its mean: by up "
            f"to {amount}{share} here. The mean is computed {way}."
        )


def back_transformed(
    model: "LinearModel", settings: "pd.DataFrame", *, block: Block = NEW_BLOCK
) -> BackTransformed:
    """Return the median and the mean of a new run at each setting, in the response's unit.

    Raises:
        InvalidValueError: If a setting is missing or cannot be read.
        UnknownNameError: If a block has no such level.
        TooFewDataError: If fewer than three degrees of freedom are left for the noise.
    """
    prediction = model.predict(settings, block=block)
    fitted = model.rows_at(settings, block=block) @ model.solution.coefficients
    return BackTransformed(
        response=model.response,
        unit=model.rows.response.unit,
        transform=model.transform,
        median=model.transform.backward(np.asarray(fitted)),
        mean=prediction.mean,
    )

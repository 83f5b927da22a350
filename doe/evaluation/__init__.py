"""How good runs are for a model, before any of them is done."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doe.evaluation.efficiency import (
        average_prediction_variance as average_prediction_variance,
    )
    from doe.evaluation.efficiency import d_efficiency as d_efficiency
    from doe.evaluation.efficiency import prediction_variance as prediction_variance
else:
    from doe.lazy_exports import lazy_exports

    __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "average_prediction_variance": "doe.evaluation.efficiency",
            "d_efficiency": "doe.evaluation.efficiency",
            "prediction_variance": "doe.evaluation.efficiency",
        },
    )

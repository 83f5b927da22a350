"""How good runs are for a model, before any of them is done."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doe.evaluation.efficiency import (
        average_prediction_variance as average_prediction_variance,
    )
    from doe.evaluation.efficiency import d_efficiency as d_efficiency
    from doe.evaluation.efficiency import prediction_variance as prediction_variance
    from doe.evaluation.evaluation import DesignEvaluation as DesignEvaluation
    from doe.evaluation.evaluation import evaluate as evaluate
    from doe.evaluation.plots import correlation_plot as correlation_plot
    from doe.evaluation.plots import fraction_plot as fraction_plot
    from doe.evaluation.plots import leverage_plot as leverage_plot
    from doe.evaluation.plots import power_plot as power_plot
    from doe.evaluation.power import power_of_f_test as power_of_f_test
    from doe.evaluation.prediction_map import prediction_plot as prediction_plot
else:
    from doe.lazy_exports import lazy_exports

    __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "DesignEvaluation": "doe.evaluation.evaluation",
            "average_prediction_variance": "doe.evaluation.efficiency",
            "correlation_plot": "doe.evaluation.plots",
            "d_efficiency": "doe.evaluation.efficiency",
            "evaluate": "doe.evaluation.evaluation",
            "fraction_plot": "doe.evaluation.plots",
            "leverage_plot": "doe.evaluation.plots",
            "power_of_f_test": "doe.evaluation.power",
            "power_plot": "doe.evaluation.plots",
            "prediction_plot": "doe.evaluation.prediction_map",
            "prediction_variance": "doe.evaluation.efficiency",
        },
    )

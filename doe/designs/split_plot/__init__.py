"""Designs for hard-to-change factors: split-plot and split-split-plot, D- and I-optimal."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doe.designs.split_plot.design import split_plot_design as split_plot_design
    from doe.designs.split_plot.precision import SplitPlotPrecision as SplitPlotPrecision
    from doe.designs.split_plot.precision import split_plot_precision as split_plot_precision
    from doe.designs.split_plot.strata import term_strata as term_strata
else:
    from doe.lazy_exports import lazy_exports

    __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "SplitPlotPrecision": "doe.designs.split_plot.precision",
            "split_plot_design": "doe.designs.split_plot.design",
            "split_plot_precision": "doe.designs.split_plot.precision",
            "term_strata": "doe.designs.split_plot.strata",
        },
    )

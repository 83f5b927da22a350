"""Optimal designs: the runs that tell most about a model, under everything that limits them."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doe.designs.optimal.costs import RunCost as RunCost
    from doe.designs.optimal.design import optimal_design as optimal_design
else:
    from doe.lazy_exports import lazy_exports

    __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "RunCost": "doe.designs.optimal.costs",
            "optimal_design": "doe.designs.optimal.design",
        },
    )

"""Further runs for runs that are done, in the words of what is missing."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doe.augmentation.additions import combined_design as combined_design
    from doe.augmentation.aliases import separate_effects as separate_effects
    from doe.augmentation.curvature import estimate_curvature as estimate_curvature
    from doe.augmentation.curvature import (
        extend_screening_to_surface as extend_screening_to_surface,
    )
    from doe.augmentation.folding import add_fold_over as add_fold_over
    from doe.augmentation.optimal import augment_optimal as augment_optimal
    from doe.augmentation.optimal import extend_range as extend_range
    from doe.augmentation.points import add_axial_points as add_axial_points
    from doe.augmentation.points import add_centre_points as add_centre_points
    from doe.augmentation.repairing import repair_lost_runs as repair_lost_runs
    from doe.augmentation.replication import replicate_uncertain as replicate_uncertain
else:
    from doe.lazy_exports import lazy_exports

    __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "add_axial_points": "doe.augmentation.points",
            "add_centre_points": "doe.augmentation.points",
            "add_fold_over": "doe.augmentation.folding",
            "augment_optimal": "doe.augmentation.optimal",
            "combined_design": "doe.augmentation.additions",
            "estimate_curvature": "doe.augmentation.curvature",
            "extend_range": "doe.augmentation.optimal",
            "extend_screening_to_surface": "doe.augmentation.curvature",
            "repair_lost_runs": "doe.augmentation.repairing",
            "replicate_uncertain": "doe.augmentation.replication",
            "separate_effects": "doe.augmentation.aliases",
        },
    )

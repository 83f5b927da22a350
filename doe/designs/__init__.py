"""Runs planned before anything is known: every family of designs."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doe.designs.aliasing import alias_table as alias_table
    from doe.designs.aliasing import aliases as aliases
    from doe.designs.aliasing import defining_relation as defining_relation
    from doe.designs.aliasing import resolution as resolution
    from doe.designs.aliasing import word_length_pattern as word_length_pattern
    from doe.designs.blends import process_space as process_space
    from doe.designs.blocking import in_blocks as in_blocks
    from doe.designs.definitive import definitive_screening as definitive_screening
    from doe.designs.factorial import fractional_factorial as fractional_factorial
    from doe.designs.factorial import full_factorial as full_factorial
    from doe.designs.fast_flexible import augment_space_filling as augment_space_filling
    from doe.designs.fast_flexible import fast_flexible_filling as fast_flexible_filling
    from doe.designs.folding import fold_over as fold_over
    from doe.designs.folding import with_fold_over as with_fold_over
    from doe.designs.mixture import extreme_vertices as extreme_vertices
    from doe.designs.mixture import simplex_centroid as simplex_centroid
    from doe.designs.mixture import simplex_lattice as simplex_lattice
    from doe.designs.optimal.costs import RunCost as RunCost
    from doe.designs.optimal.design import optimal_design as optimal_design
    from doe.designs.response_surface import box_behnken as box_behnken
    from doe.designs.response_surface import central_composite as central_composite
    from doe.designs.screening import plackett_burman as plackett_burman
    from doe.designs.space_filling import latin_hypercube as latin_hypercube
    from doe.designs.space_filling import max_projection as max_projection
    from doe.designs.space_filling import sobol as sobol
    from doe.designs.split_plot.design import split_plot_design as split_plot_design
    from doe.designs.split_plot.strata import term_strata as term_strata
    from doe.designs.uniform_shell import doehlert as doehlert
else:
    from doe.lazy_exports import lazy_exports

    __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "RunCost": "doe.designs.optimal.costs",
            "alias_table": "doe.designs.aliasing",
            "aliases": "doe.designs.aliasing",
            "augment_space_filling": "doe.designs.fast_flexible",
            "box_behnken": "doe.designs.response_surface",
            "central_composite": "doe.designs.response_surface",
            "defining_relation": "doe.designs.aliasing",
            "definitive_screening": "doe.designs.definitive",
            "doehlert": "doe.designs.uniform_shell",
            "extreme_vertices": "doe.designs.mixture",
            "fast_flexible_filling": "doe.designs.fast_flexible",
            "fold_over": "doe.designs.folding",
            "fractional_factorial": "doe.designs.factorial",
            "full_factorial": "doe.designs.factorial",
            "in_blocks": "doe.designs.blocking",
            "latin_hypercube": "doe.designs.space_filling",
            "max_projection": "doe.designs.space_filling",
            "optimal_design": "doe.designs.optimal.design",
            "plackett_burman": "doe.designs.screening",
            "process_space": "doe.designs.blends",
            "resolution": "doe.designs.aliasing",
            "simplex_centroid": "doe.designs.mixture",
            "simplex_lattice": "doe.designs.mixture",
            "sobol": "doe.designs.space_filling",
            "split_plot_design": "doe.designs.split_plot.design",
            "term_strata": "doe.designs.split_plot.strata",
            "with_fold_over": "doe.designs.folding",
            "word_length_pattern": "doe.designs.aliasing",
        },
    )

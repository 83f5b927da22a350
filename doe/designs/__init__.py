"""Runs planned before anything is known: factorial, screening, response surface, space filling."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from doe.designs.aliasing import alias_table as alias_table
    from doe.designs.aliasing import defining_relation as defining_relation
    from doe.designs.aliasing import resolution as resolution
    from doe.designs.aliasing import word_length_pattern as word_length_pattern
    from doe.designs.factorial import fractional_factorial as fractional_factorial
    from doe.designs.factorial import full_factorial as full_factorial
    from doe.designs.response_surface import box_behnken as box_behnken
    from doe.designs.response_surface import central_composite as central_composite
    from doe.designs.screening import plackett_burman as plackett_burman
    from doe.designs.space_filling import latin_hypercube as latin_hypercube
    from doe.designs.space_filling import sobol as sobol
else:
    from doe.lazy_exports import lazy_exports

    __getattr__, __dir__ = lazy_exports(
        __name__,
        {
            "alias_table": "doe.designs.aliasing",
            "box_behnken": "doe.designs.response_surface",
            "central_composite": "doe.designs.response_surface",
            "defining_relation": "doe.designs.aliasing",
            "fractional_factorial": "doe.designs.factorial",
            "full_factorial": "doe.designs.factorial",
            "latin_hypercube": "doe.designs.space_filling",
            "plackett_burman": "doe.designs.screening",
            "resolution": "doe.designs.aliasing",
            "sobol": "doe.designs.space_filling",
            "word_length_pattern": "doe.designs.aliasing",
        },
    )

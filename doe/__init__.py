"""What an experiment is, and which runs to do before anything is known."""

from typing import TYPE_CHECKING

from doe.lazy_exports import lazy_exports

_EXPORTS: dict[str, str] = {
    "Term": "doe.terms",
    "Terms": "doe.terms",
    "alias_table": "doe.designs.aliasing",
    "average_prediction_variance": "doe.evaluation",
    "box_behnken": "doe.designs.response_surface",
    "central_composite": "doe.designs.response_surface",
    "d_efficiency": "doe.evaluation",
    "defining_relation": "doe.designs.aliasing",
    "fractional_factorial": "doe.designs.factorial",
    "full_factorial": "doe.designs.factorial",
    "interaction_terms": "doe.terms",
    "latin_hypercube": "doe.designs.space_filling",
    "linear_terms": "doe.terms",
    "model_matrix": "doe.terms",
    "parse_terms": "doe.terms",
    "plackett_burman": "doe.designs.screening",
    "prediction_variance": "doe.evaluation",
    "quadratic_terms": "doe.terms",
    "sobol": "doe.designs.space_filling",
    "word_length_pattern": "doe.designs.aliasing",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)

"""What an experiment is, and which runs to do before anything is known."""

from typing import TYPE_CHECKING

from doe.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from doe.advice.advisor import Advice as Advice
    from doe.advice.advisor import advise as advise
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
    from doe.constraints import CardinalityConstraint as CardinalityConstraint
    from doe.constraints import Constraint as Constraint
    from doe.constraints import ExpressionConstraint as ExpressionConstraint
    from doe.constraints import ForbiddenCombination as ForbiddenCombination
    from doe.constraints import LinearConstraint as LinearConstraint
    from doe.designs.aliasing import alias_table as alias_table
    from doe.designs.aliasing import aliases as aliases
    from doe.designs.aliasing import defining_relation as defining_relation
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
    from doe.designs.split_plot.precision import split_plot_precision as split_plot_precision
    from doe.designs.split_plot.strata import term_strata as term_strata
    from doe.designs.uniform_shell import doehlert as doehlert
    from doe.documents.document import from_document as from_document
    from doe.documents.document import to_document as to_document
    from doe.documents.files import load_document as load_document
    from doe.documents.files import save_document as save_document
    from doe.documents.schema import json_schema as json_schema
    from doe.errors import CancelledError as CancelledError
    from doe.errors import ConflictError as ConflictError
    from doe.errors import DesignError as DesignError
    from doe.errors import DocumentError as DocumentError
    from doe.errors import ExperimentError as ExperimentError
    from doe.errors import ExpressionError as ExpressionError
    from doe.errors import InfeasibleSpaceError as InfeasibleSpaceError
    from doe.errors import InvalidValueError as InvalidValueError
    from doe.errors import RecordError as RecordError
    from doe.errors import StateError as StateError
    from doe.errors import TableError as TableError
    from doe.errors import TooFewDataError as TooFewDataError
    from doe.errors import TooFewRunsError as TooFewRunsError
    from doe.errors import UnitError as UnitError
    from doe.errors import UnknownNameError as UnknownNameError
    from doe.evaluation.efficiency import average_prediction_variance as average_prediction_variance
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
    from doe.expressions import Expression as Expression
    from doe.expressions import parse_comparison as parse_comparison
    from doe.expressions import parse_expression as parse_expression
    from doe.factors import BlockFactor as BlockFactor
    from doe.factors import CategoricalFactor as CategoricalFactor
    from doe.factors import Context as Context
    from doe.factors import ContinuousFactor as ContinuousFactor
    from doe.factors import ControlCapability as ControlCapability
    from doe.factors import Covariate as Covariate
    from doe.factors import DiscreteFactor as DiscreteFactor
    from doe.factors import Factor as Factor
    from doe.factors import MixtureComponent as MixtureComponent
    from doe.factors import RecordedFactor as RecordedFactor
    from doe.factors import SearchedFactor as SearchedFactor
    from doe.findings import Finding as Finding
    from doe.mixture_terms import cox_coefficients as cox_coefficients
    from doe.mixture_terms import cox_terms as cox_terms
    from doe.mixture_terms import scheffe_terms as scheffe_terms
    from doe.named_models import ModelName as ModelName
    from doe.named_models import model_terms as model_terms
    from doe.plots import Axis as Axis
    from doe.plots import Band as Band
    from doe.plots import Bars as Bars
    from doe.plots import Line as Line
    from doe.plots import Plot as Plot
    from doe.plots import Points as Points
    from doe.plots import Surface as Surface
    from doe.preflight_check import preflight as preflight
    from doe.range_finding import NormalRange as NormalRange
    from doe.range_finding import check_study_ranges as check_study_ranges
    from doe.range_finding import study_range_table as study_range_table
    from doe.responses import At as At
    from doe.responses import DerivedResponse as DerivedResponse
    from doe.responses import Desirability as Desirability
    from doe.responses import Goal as Goal
    from doe.responses import Objective as Objective
    from doe.responses import Pareto as Pareto
    from doe.responses import ProbabilityInSpecification as ProbabilityInSpecification
    from doe.responses import Response as Response
    from doe.responses import Single as Single
    from doe.responses import Specification as Specification
    from doe.responses import Weighted as Weighted
    from doe.runs import Design as Design
    from doe.runs import Measurement as Measurement
    from doe.runs import Observations as Observations
    from doe.space import FactorSpace as FactorSpace
    from doe.tables.exports import write_table as write_table
    from doe.tables.imports import TableImport as TableImport
    from doe.tables.imports import read_table as read_table
    from doe.terms import Term as Term
    from doe.terms import Terms as Terms
    from doe.terms import cubic_terms as cubic_terms
    from doe.terms import interaction_terms as interaction_terms
    from doe.terms import linear_terms as linear_terms
    from doe.terms import model_matrix as model_matrix
    from doe.terms import parse_terms as parse_terms
    from doe.terms import quadratic_terms as quadratic_terms
    from doe.units import convert as convert

_EXPORTS: dict[str, str] = {
    "Advice": "doe.advice.advisor",
    "At": "doe.responses",
    "Axis": "doe.plots",
    "Band": "doe.plots",
    "Bars": "doe.plots",
    "BlockFactor": "doe.factors",
    "CancelledError": "doe.errors",
    "CardinalityConstraint": "doe.constraints",
    "CategoricalFactor": "doe.factors",
    "ConflictError": "doe.errors",
    "Constraint": "doe.constraints",
    "Context": "doe.factors",
    "ContinuousFactor": "doe.factors",
    "ControlCapability": "doe.factors",
    "Covariate": "doe.factors",
    "DerivedResponse": "doe.responses",
    "Design": "doe.runs",
    "DesignError": "doe.errors",
    "DesignEvaluation": "doe.evaluation.evaluation",
    "Desirability": "doe.responses",
    "DiscreteFactor": "doe.factors",
    "DocumentError": "doe.errors",
    "ExperimentError": "doe.errors",
    "Expression": "doe.expressions",
    "ExpressionConstraint": "doe.constraints",
    "ExpressionError": "doe.errors",
    "Factor": "doe.factors",
    "FactorSpace": "doe.space",
    "Finding": "doe.findings",
    "ForbiddenCombination": "doe.constraints",
    "Goal": "doe.responses",
    "InfeasibleSpaceError": "doe.errors",
    "InvalidValueError": "doe.errors",
    "Line": "doe.plots",
    "LinearConstraint": "doe.constraints",
    "Measurement": "doe.runs",
    "MixtureComponent": "doe.factors",
    "ModelName": "doe.named_models",
    "NormalRange": "doe.range_finding",
    "Objective": "doe.responses",
    "Observations": "doe.runs",
    "Pareto": "doe.responses",
    "Plot": "doe.plots",
    "Points": "doe.plots",
    "ProbabilityInSpecification": "doe.responses",
    "RecordError": "doe.errors",
    "RecordedFactor": "doe.factors",
    "Response": "doe.responses",
    "RunCost": "doe.designs.optimal.costs",
    "SearchedFactor": "doe.factors",
    "Single": "doe.responses",
    "Specification": "doe.responses",
    "StateError": "doe.errors",
    "Surface": "doe.plots",
    "TableError": "doe.errors",
    "TableImport": "doe.tables.imports",
    "Term": "doe.terms",
    "Terms": "doe.terms",
    "TooFewDataError": "doe.errors",
    "TooFewRunsError": "doe.errors",
    "UnitError": "doe.errors",
    "UnknownNameError": "doe.errors",
    "Weighted": "doe.responses",
    "add_axial_points": "doe.augmentation.points",
    "add_centre_points": "doe.augmentation.points",
    "add_fold_over": "doe.augmentation.folding",
    "advise": "doe.advice.advisor",
    "alias_table": "doe.designs.aliasing",
    "aliases": "doe.designs.aliasing",
    "augment_optimal": "doe.augmentation.optimal",
    "augment_space_filling": "doe.designs.fast_flexible",
    "average_prediction_variance": "doe.evaluation.efficiency",
    "box_behnken": "doe.designs.response_surface",
    "central_composite": "doe.designs.response_surface",
    "check_study_ranges": "doe.range_finding",
    "combined_design": "doe.augmentation.additions",
    "convert": "doe.units",
    "correlation_plot": "doe.evaluation.plots",
    "cox_coefficients": "doe.mixture_terms",
    "cox_terms": "doe.mixture_terms",
    "cubic_terms": "doe.terms",
    "d_efficiency": "doe.evaluation.efficiency",
    "defining_relation": "doe.designs.aliasing",
    "definitive_screening": "doe.designs.definitive",
    "doehlert": "doe.designs.uniform_shell",
    "estimate_curvature": "doe.augmentation.curvature",
    "evaluate": "doe.evaluation.evaluation",
    "extend_range": "doe.augmentation.optimal",
    "extend_screening_to_surface": "doe.augmentation.curvature",
    "extreme_vertices": "doe.designs.mixture",
    "fast_flexible_filling": "doe.designs.fast_flexible",
    "fold_over": "doe.designs.folding",
    "fraction_plot": "doe.evaluation.plots",
    "fractional_factorial": "doe.designs.factorial",
    "from_document": "doe.documents.document",
    "full_factorial": "doe.designs.factorial",
    "in_blocks": "doe.designs.blocking",
    "interaction_terms": "doe.terms",
    "json_schema": "doe.documents.schema",
    "latin_hypercube": "doe.designs.space_filling",
    "leverage_plot": "doe.evaluation.plots",
    "linear_terms": "doe.terms",
    "load_document": "doe.documents.files",
    "max_projection": "doe.designs.space_filling",
    "model_matrix": "doe.terms",
    "model_terms": "doe.named_models",
    "optimal_design": "doe.designs.optimal.design",
    "parse_comparison": "doe.expressions",
    "parse_expression": "doe.expressions",
    "parse_terms": "doe.terms",
    "plackett_burman": "doe.designs.screening",
    "power_of_f_test": "doe.evaluation.power",
    "power_plot": "doe.evaluation.plots",
    "prediction_plot": "doe.evaluation.prediction_map",
    "prediction_variance": "doe.evaluation.efficiency",
    "preflight": "doe.preflight_check",
    "process_space": "doe.designs.blends",
    "quadratic_terms": "doe.terms",
    "read_table": "doe.tables.imports",
    "repair_lost_runs": "doe.augmentation.repairing",
    "replicate_uncertain": "doe.augmentation.replication",
    "save_document": "doe.documents.files",
    "scheffe_terms": "doe.mixture_terms",
    "separate_effects": "doe.augmentation.aliases",
    "simplex_centroid": "doe.designs.mixture",
    "simplex_lattice": "doe.designs.mixture",
    "sobol": "doe.designs.space_filling",
    "split_plot_design": "doe.designs.split_plot.design",
    "split_plot_precision": "doe.designs.split_plot.precision",
    "study_range_table": "doe.range_finding",
    "term_strata": "doe.designs.split_plot.strata",
    "to_document": "doe.documents.document",
    "with_fold_over": "doe.designs.folding",
    "word_length_pattern": "doe.designs.aliasing",
    "write_table": "doe.tables.exports",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)

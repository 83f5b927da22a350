"""What the results say, and how sure that is."""

from typing import TYPE_CHECKING

from doe.lazy_exports import lazy_exports

if TYPE_CHECKING:
    from surrogates.desirability.optimisation import DesirabilityOptima as DesirabilityOptima
    from surrogates.desirability.optimisation import optimise_desirability as optimise_desirability
    from surrogates.desirability.values import desirability_of as desirability_of
    from surrogates.desirability.values import overall_desirability as overall_desirability
    from surrogates.domain import ApplicabilityDomain as ApplicabilityDomain
    from surrogates.drivers import Driver as Driver
    from surrogates.drivers import DriverRanking as DriverRanking
    from surrogates.drivers import Estimate as Estimate
    from surrogates.drivers import rank_drivers as rank_drivers
    from surrogates.fitting import fit_surrogates as fit_surrogates
    from surrogates.fitting import gaussian_process_candidate as gaussian_process_candidate
    from surrogates.fitting import quadratic_candidate as quadratic_candidate
    from surrogates.gaussian_process.fitting import fit_gp as fit_gp
    from surrogates.gaussian_process.gp import GaussianProcess as GaussianProcess
    from surrogates.gaussian_process.options import FixedHyperparameters as FixedHyperparameters
    from surrogates.gaussian_process.options import GPOptions as GPOptions
    from surrogates.linear.censored import CensoredModel as CensoredModel
    from surrogates.linear.censored import fit_censored as fit_censored
    from surrogates.linear.joint.multivariate import MultivariateLinear as MultivariateLinear
    from surrogates.linear.joint.multivariate import fit_multivariate as fit_multivariate
    from surrogates.linear.joint.seemingly_unrelated import SeeminglyUnrelated as SeeminglyUnrelated
    from surrogates.linear.joint.seemingly_unrelated import (
        fit_seemingly_unrelated as fit_seemingly_unrelated,
    )
    from surrogates.linear.mixed_models.mixed import MixedModel as MixedModel
    from surrogates.linear.mixed_models.mixed import fit_mixed as fit_mixed
    from surrogates.linear.model import LinearModel as LinearModel
    from surrogates.linear.model import fit_linear as fit_linear
    from surrogates.linear.screening.bayesian_screening import (
        BayesianScreening as BayesianScreening,
    )
    from surrogates.linear.screening.bayesian_screening import (
        active_probabilities as active_probabilities,
    )
    from surrogates.linear.screening.bayesian_screening import screen_factors as screen_factors
    from surrogates.linear.screening.definitive_analysis import (
        DefinitiveAnalysis as DefinitiveAnalysis,
    )
    from surrogates.linear.screening.definitive_analysis import (
        analyse_definitive_screening as analyse_definitive_screening,
    )
    from surrogates.linear.screening.lenth import simulated_lenth as simulated_lenth
    from surrogates.linear.screening.selection import select_terms as select_terms
    from surrogates.linear.screening.two_level import two_level_effects as two_level_effects
    from surrogates.linear.surface import fit_surface as fit_surface
    from surrogates.linear.tolerance import tolerance_factor as tolerance_factor
    from surrogates.maps import probability_map as probability_map
    from surrogates.probability import ProbabilityWithin as ProbabilityWithin
    from surrogates.probability import means_in_specification as means_in_specification
    from surrogates.probability import probability_in_specification as probability_in_specification
    from surrogates.response_plots import contour_plot as contour_plot
    from surrogates.response_plots import interaction_plot as interaction_plot
    from surrogates.response_plots import perturbation_plot as perturbation_plot
    from surrogates.surrogate import JointProbability as JointProbability
    from surrogates.surrogate import JointSurrogate as JointSurrogate
    from surrogates.surrogate import NumericalError as NumericalError
    from surrogates.surrogate import Prediction as Prediction
    from surrogates.surrogate import Surrogate as Surrogate
    from surrogates.surrogate import SurrogateSet as SurrogateSet
    from surrogates.validation import Comparison as Comparison
    from surrogates.validation import Validation as Validation
    from surrogates.validation import compare as compare
    from surrogates.validation import cross_validate as cross_validate

_EXPORTS: dict[str, str] = {
    "ApplicabilityDomain": "surrogates.domain",
    "BayesianScreening": "surrogates.linear.screening.bayesian_screening",
    "CensoredModel": "surrogates.linear.censored",
    "Comparison": "surrogates.validation",
    "DefinitiveAnalysis": "surrogates.linear.screening.definitive_analysis",
    "DesirabilityOptima": "surrogates.desirability.optimisation",
    "Driver": "surrogates.drivers",
    "DriverRanking": "surrogates.drivers",
    "Estimate": "surrogates.drivers",
    "FixedHyperparameters": "surrogates.gaussian_process.options",
    "GPOptions": "surrogates.gaussian_process.options",
    "GaussianProcess": "surrogates.gaussian_process.gp",
    "JointProbability": "surrogates.surrogate",
    "JointSurrogate": "surrogates.surrogate",
    "LinearModel": "surrogates.linear.model",
    "MixedModel": "surrogates.linear.mixed_models.mixed",
    "MultivariateLinear": "surrogates.linear.joint.multivariate",
    "NumericalError": "surrogates.surrogate",
    "Prediction": "surrogates.surrogate",
    "ProbabilityWithin": "surrogates.probability",
    "SeeminglyUnrelated": "surrogates.linear.joint.seemingly_unrelated",
    "Surrogate": "surrogates.surrogate",
    "SurrogateSet": "surrogates.surrogate",
    "Validation": "surrogates.validation",
    "active_probabilities": "surrogates.linear.screening.bayesian_screening",
    "analyse_definitive_screening": "surrogates.linear.screening.definitive_analysis",
    "compare": "surrogates.validation",
    "contour_plot": "surrogates.response_plots",
    "cross_validate": "surrogates.validation",
    "desirability_of": "surrogates.desirability.values",
    "fit_censored": "surrogates.linear.censored",
    "fit_gp": "surrogates.gaussian_process.fitting",
    "fit_linear": "surrogates.linear.model",
    "fit_mixed": "surrogates.linear.mixed_models.mixed",
    "fit_multivariate": "surrogates.linear.joint.multivariate",
    "fit_seemingly_unrelated": "surrogates.linear.joint.seemingly_unrelated",
    "fit_surface": "surrogates.linear.surface",
    "fit_surrogates": "surrogates.fitting",
    "gaussian_process_candidate": "surrogates.fitting",
    "interaction_plot": "surrogates.response_plots",
    "means_in_specification": "surrogates.probability",
    "optimise_desirability": "surrogates.desirability.optimisation",
    "overall_desirability": "surrogates.desirability.values",
    "perturbation_plot": "surrogates.response_plots",
    "probability_in_specification": "surrogates.probability",
    "probability_map": "surrogates.maps",
    "quadratic_candidate": "surrogates.fitting",
    "rank_drivers": "surrogates.drivers",
    "screen_factors": "surrogates.linear.screening.bayesian_screening",
    "select_terms": "surrogates.linear.screening.selection",
    "simulated_lenth": "surrogates.linear.screening.lenth",
    "tolerance_factor": "surrogates.linear.tolerance",
    "two_level_effects": "surrogates.linear.screening.two_level",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)

"""What the results say, and how sure that is."""

from typing import TYPE_CHECKING

from doe.lazy_exports import lazy_exports

if TYPE_CHECKING:
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
    from surrogates.linear.least_squares import LeastSquares as LeastSquares
    from surrogates.linear.least_squares import fit_quadratic as fit_quadratic
    from surrogates.maps import probability_map as probability_map
    from surrogates.probability import ProbabilityWithin as ProbabilityWithin
    from surrogates.probability import means_in_specification as means_in_specification
    from surrogates.probability import probability_in_specification as probability_in_specification
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
    "Comparison": "surrogates.validation",
    "Driver": "surrogates.drivers",
    "DriverRanking": "surrogates.drivers",
    "Estimate": "surrogates.drivers",
    "FixedHyperparameters": "surrogates.gaussian_process.options",
    "GPOptions": "surrogates.gaussian_process.options",
    "GaussianProcess": "surrogates.gaussian_process.gp",
    "LeastSquares": "surrogates.linear.least_squares",
    "NumericalError": "surrogates.surrogate",
    "Prediction": "surrogates.surrogate",
    "ProbabilityWithin": "surrogates.probability",
    "Surrogate": "surrogates.surrogate",
    "SurrogateSet": "surrogates.surrogate",
    "Validation": "surrogates.validation",
    "compare": "surrogates.validation",
    "cross_validate": "surrogates.validation",
    "fit_gp": "surrogates.gaussian_process.fitting",
    "fit_quadratic": "surrogates.linear.least_squares",
    "fit_surrogates": "surrogates.fitting",
    "gaussian_process_candidate": "surrogates.fitting",
    "means_in_specification": "surrogates.probability",
    "probability_in_specification": "surrogates.probability",
    "probability_map": "surrogates.maps",
    "quadratic_candidate": "surrogates.fitting",
    "rank_drivers": "surrogates.drivers",
}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)

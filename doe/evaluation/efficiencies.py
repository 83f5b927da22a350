"""The efficiencies of a design: how near its information comes to what as many runs could give."""

from dataclasses import dataclass

import numpy as np

from doe.evaluation.information import Information
from doe.evaluation.region import RegionVariance


@dataclass(frozen=True, slots=True)
class Efficiencies:
    """Figures of merit; comparable only for the same terms, ranges and coding.

    The efficiencies are in percent of a design with orthogonal columns of plus and minus one, which
    exists for two-level models only: 40 is good for a full quadratic model. They count fixed blocks
    as taken out, and weigh random ones by their variance ratio.

    Attributes:
        d: ``100 |X'X|^(1/p) / n``: coefficients taken together; 0 when some cannot be estimated.
        a: ``100 p / (n trace (X'X)^-1)``: coefficients one by one.
        g: ``100 p / (n largest prediction variance)``; None when the region is not known.
        average_variance: Mean prediction variance over the region (the I criterion), in multiples
            of the variance of one run; None when the region is not known.
        largest_variance: The largest found over the region.

    Source:
        Atkinson, Donev and Tobias (2007), Optimum Experimental Designs, with SAS, chapters 9-11;
        JMP, Design of Experiments Guide, Design Diagnostics, has the same formulas.
    """

    d: float
    a: float
    g: float | None
    average_variance: float | None
    largest_variance: float | None


def efficiencies(information: Information, region: RegionVariance | None) -> Efficiencies:
    """Return the efficiencies of the runs behind this information."""
    n_runs, n_columns = information.matrix.shape
    is_estimable = bool(information.is_estimable.all())
    d = a = 0.0
    if is_estimable:
        d = 100.0 * float(np.exp(information.log_determinant / n_columns)) / n_runs
        a = 100.0 * n_columns / (n_runs * float(np.trace(information.covariance)))
    if region is None:
        return Efficiencies(d, a, None if is_estimable else 0.0, None, None)
    g = 100.0 * n_columns / (n_runs * region.largest)
    return Efficiencies(d, a, g, region.average, region.largest)

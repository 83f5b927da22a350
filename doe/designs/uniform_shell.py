"""Doehlert's uniform shell: a second-order design whose points are equally far from each other."""

import numpy as np

from doe.arrays import FloatArray
from doe.designs.assembly import Plan, assemble, check_count, refuse_kinds
from doe.designs.crossing import check_size, crossed, joined, n_combinations, varied_along_axes
from doe.designs.structure import check_uniform_shell
from doe.errors import DesignError
from doe.factors import MixtureComponent
from doe.runs import JSON, Design
from doe.space import FactorSpace

_INSTEAD = "use an optimal or space-filling design, which keep to constraints and mixed factors"


def doehlert(space: FactorSpace, *, centre_points: int = 1) -> Design:
    """Return a Doehlert design: k(k + 1) runs on a shell about the centre, evenly spread.

    Fewer runs than a central composite design, and a different number of settings for each factor:
    five for the first, three for the last, seven for those between. List first the factor to be
    studied in most detail among two, and last the one that is hardest to set. Each factor reaches
    its low and high. Runs are in standard order; randomise them with ``Design.randomised``.

    Factors without a middle (categorical ones, discrete ones with two levels) have the whole design
    repeated at each combination of their levels.

    Args:
        space: Two or more factors, continuous, or discrete with the levels that are needed; and
            categorical ones.
        centre_points: How many centre runs.

    Raises:
        DesignError: If the factors do not fit, or a run is not allowed.

    Source:
        Doehlert (1970), Applied Statistics 19, 231-239; ranges used to their ends as in Ferreira,
        dos Santos, Quintella, Neto and Bosque-Sendra (2004), Talanta 63, 1061-1067.
    """
    method = "Doehlert design"
    refuse_kinds(space, (MixtureComponent,), method, _INSTEAD)
    numeric = varied_along_axes(space)
    n_factors = len(numeric.names)
    if n_factors < 2:
        raise DesignError(
            f"A {method} needs two or more factors, and this space has only '{numeric.names[0]}' "
            "with a middle: use full_factorial with levels=3 or more."
        )
    n_centre = check_count(centre_points, "centre_points", at_least=1)
    check_size(n_factors * (n_factors + 1) + n_centre, method)
    shell = uniform_shell(n_factors)
    check_uniform_shell(shell, method)
    ends = np.abs(shell).max(axis=0)
    centre = np.zeros((n_centre, n_factors))
    points = joined([("shell", shell / ends), ("centre", centre)])
    runs, points = crossed(space, points, method)
    details: dict[str, JSON] = {
        "centre_points": points.types.count("centre"),
        "n_settings": {
            name: len(np.unique(np.round(column, 9)))
            for name, column in zip(numeric.names, points.settings.T, strict=True)
        },
    }
    if n_combinations(space) > 1:
        details["combinations_of_levels"] = n_combinations(space)
    return assemble(space, Plan(runs, points.types, method, _INSTEAD, details=details))


def uniform_shell(n_factors: int) -> FloatArray:
    """Return the runs of a Doehlert design without its centre, all at a distance of 1 from it.

    The differences between the corners of a regular simplex with edges of length 1, shape
    ``(n_factors * (n_factors + 1), n_factors)``; each run is followed by its mirror image.

    Source:
        Doehlert (1970), Applied Statistics 19, 231-239.
    """
    corners = np.zeros((n_factors + 1, n_factors))
    for corner in range(1, n_factors + 1):
        before = np.arange(1, corner)
        corners[corner, : corner - 1] = 1.0 / np.sqrt(2.0 * before * (before + 1))
        corners[corner, corner - 1] = np.sqrt((corner + 1) / (2.0 * corner))
    runs = [
        sign * (corners[one] - corners[other])
        for one in range(1, n_factors + 1)
        for other in range(one)
        for sign in (1.0, -1.0)
    ]
    return np.array(runs)

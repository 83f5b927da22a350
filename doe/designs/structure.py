"""What a design of each family must satisfy; no generator's result is used unless it does.

The checks look at coded points before they are rounded to the steps of the equipment.
"""

from collections.abc import Sequence
from itertools import combinations
from math import prod

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.designs.aliasing import roman, word_lengths
from doe.errors import DesignError

_CLOSE = 1e-9


def check_two_levels(signs: FloatArray, method: str) -> None:
    """Refuse points that are not all -1 or +1, or a table of the wrong shape.

    Raises:
        DesignError: With the first value that is neither.
    """
    if signs.ndim != 2 or not signs.size or not np.isin(signs, (-1.0, 1.0)).all():
        wrong = signs[~np.isin(signs, (-1.0, 1.0))][:1]
        raise _fault(method, f"its points must be -1 or +1, but hold {wrong}")


def check_orthogonal(signs: FloatArray, method: str) -> None:
    """Refuse a two-level design whose factors are not balanced and mutually orthogonal: X'X = N I.

    Raises:
        DesignError: With the first factor or pair of factors at fault.
    """
    check_two_levels(signs, method)
    matrix = np.column_stack([np.ones(len(signs)), signs])
    products = matrix.T @ matrix
    for one, other in combinations(range(matrix.shape[1]), 2):
        if products[one, other] != 0:
            what = (
                f"factor {other} is not balanced"
                if one == 0
                else (f"factors {one} and {other} are not orthogonal")
            )
            raise _fault(method, f"{what} (sum of products {products[one, other]:g}, expected 0)")


def check_resolution(signs: FloatArray, resolution: int, method: str) -> None:
    """Refuse a fraction whose shortest word, found from its runs, is not of the stated length.

    Raises:
        DesignError: With the resolution that the runs have.
    """
    check_orthogonal(signs, method)
    found = min(word_lengths(signs), default=0)
    if found != resolution:
        has = f"resolution {roman(found)}" if found else "no word at all"
        raise _fault(method, f"its runs have {has}, expected resolution {roman(resolution)}")


def check_estimable(
    signs: FloatArray, pairs: Sequence[tuple[int, int]], *, is_clear: bool, method: str
) -> None:
    """Refuse a design in which a main effect or a named interaction is aliased.

    Args:
        signs: The runs as -1 and +1, shape ``(n_runs, n_factors)``.
        pairs: The interactions, as positions of factors.
        is_clear: Whether they, and main effects, must be clear of all other two-factor interactions
            too.
        method: The kind of design in words.

    Raises:
        DesignError: With the first two effects that are correlated.
    """
    check_two_levels(signs, method)
    every = list(combinations(range(signs.shape[1]), 2))
    estimated: list[tuple[int, ...]] = [*((place,) for place in range(signs.shape[1])), *pairs]
    others = [pair for pair in every if is_clear and pair not in pairs]
    columns = np.column_stack([signs[:, effect].prod(axis=1) for effect in [*estimated, *others]])
    products = columns[:, : len(estimated)].T @ columns
    np.fill_diagonal(products, 0.0)
    if products.any():
        one, other = (int(places[0]) for places in np.nonzero(products))
        names = [*estimated, *others]
        raise _fault(method, f"effects {names[one]} and {names[other]} are aliased")


def check_all_combinations(levels: IntArray, n_levels: Sequence[int], method: str) -> None:
    """Refuse a full factorial in which some combination of levels is missing or repeated.

    Args:
        levels: Level numbers from 0, shape ``(n_runs, n_factors)``.
        n_levels: How many levels each factor has.
        method: The kind of design in words.

    Raises:
        DesignError: If the runs are not each combination once.
    """
    expected = prod(n_levels)
    inside = ((levels >= 0) & (levels < np.asarray(n_levels))).all()
    if len(levels) != expected or not inside or len(np.unique(levels, axis=0)) != expected:
        raise _fault(
            method,
            f"its {len(levels)} runs are not each of the {expected} combinations of levels once",
        )


def check_balanced(levels: Sequence[object], choices: Sequence[object], method: str) -> None:
    """Refuse a column in which one level occurs at least two times more than another.

    Raises:
        DesignError: With the counts.
    """
    counts = {choice: sum(level == choice for level in levels) for choice in choices}
    if sum(counts.values()) != len(levels) or max(counts.values()) - min(counts.values()) > 1:
        raise _fault(method, f"its levels are not used equally often: {counts}")


def check_latin(column: FloatArray, method: str) -> None:
    """Refuse a column in [0, 1] that does not have one point in each of ``n_runs`` equal bins.

    Raises:
        DesignError: If a bin is empty.

    Source:
        McKay, Beckman and Conover (1979), Technometrics 21, 239-245.
    """
    n_runs = len(column)
    bins = np.minimum(np.floor(column * n_runs + _CLOSE).astype(np.int64), n_runs - 1)
    if column.min() < -_CLOSE or column.max() > 1 + _CLOSE or len(np.unique(bins)) != n_runs:
        raise _fault(method, f"a factor does not have one run in each of {n_runs} equal bins")


def check_composite(
    points: FloatArray,
    core: FloatArray,
    distance: float,
    n_centre: int,
    method: str,
    *,
    axial_replicates: int = 1,
) -> None:
    """Refuse a central composite design that is not a core, two axial runs per factor, and centres.

    Args:
        points: Coded runs, shape ``(n_runs, n_factors)``, core at -1 and +1.
        core: The core that was asked for, shape ``(n_core_runs, n_factors)``.
        distance: Of the axial runs from the centre.
        n_centre: How many centre runs were asked for.
        method: The kind of design in words.
        axial_replicates: How often each axial run was asked for.

    Raises:
        DesignError: With the part that differs.

    Source:
        Box and Wilson (1951), J. Royal Statistical Society B 13, 1-45.
    """
    n_factors = core.shape[1]
    signs = (-1.0, 1.0) * axial_replicates
    axial = np.vstack([sign * distance * np.eye(n_factors) for sign in signs])
    expected = np.vstack([core, axial, np.zeros((n_centre, n_factors))])
    if points.shape != expected.shape or not np.allclose(
        _sorted_rows(points), _sorted_rows(expected), rtol=0.0, atol=_CLOSE
    ):
        raise _fault(
            method,
            f"its runs are not the {len(core)} runs of the core, {len(axial)} axial runs at "
            f"{distance:.6g} and {n_centre} centre runs",
        )


def check_rotatable(points: FloatArray, method: str) -> None:
    """Refuse a design in which precision depends on the direction from the centre.

    The moments up to order four must be those of a sphere: odd ones zero, and the mean of a fourth
    power three times that of a product of squares.

    Raises:
        DesignError: With the moment that differs.

    Source:
        Box and Hunter (1957), Annals of Mathematical Statistics 28, 195-241.
    """
    check_moments(points, method)
    squares = points.T**2 @ points**2
    fourth, mixed = np.diag(squares), squares[np.triu_indices(len(squares), 1)]
    if np.ptp(np.diag(points.T @ points)) > 1e-6 or np.abs(mixed * 3 - fourth.mean()).max() > 1e-6:
        raise _fault(method, "its fourth moments are not three times its mixed moments")


def check_moments(points: FloatArray, method: str) -> None:
    """Refuse a second-order design in which effects of different kinds overlap.

    Every moment up to order four with an odd power of some factor must be zero, and no two squares
    of factors may be the same, so that all terms of a full quadratic model can be told apart.

    Raises:
        DesignError: With the products of factors at fault.

    Source:
        Myers, Montgomery and Anderson-Cook (2016), Response Surface Methodology, ch. 8.
    """
    n_runs, n_factors = points.shape
    pairs = list(combinations(range(n_factors), 2))
    effects = [points[:, [i]] for i in range(n_factors)]
    effects += [points[:, [i]] * points[:, [j]] for i, j in pairs]
    odd = np.hstack(effects)
    even = np.column_stack([np.ones(n_runs), points**2])
    products = odd.T @ odd
    off_diagonal = products - np.diag(np.diag(products))
    worst = max(np.abs(off_diagonal).max(initial=0.0), np.abs(odd.T @ even).max(initial=0.0))
    if worst > 1e-6:
        raise _fault(method, f"main effects, interactions and squares overlap (moment {worst:.3g})")
    if np.linalg.matrix_rank(even) < even.shape[1] or np.diag(products).min() <= 0:
        raise _fault(method, "its runs cannot tell all squares and interactions apart")


def check_edges(points: FloatArray, n_edge: int, n_varied: int, n_centre: int, method: str) -> None:
    """Refuse a Box-Behnken design whose edge runs are not balanced and orthogonal.

    Args:
        points: Coded runs, shape ``(n_runs, n_factors)``.
        n_edge: How many edge runs there must be.
        n_varied: How many factors are off their middle in an edge run.
        n_centre: How many centre runs there must be.
        method: The kind of design in words.

    Raises:
        DesignError: With the property that is violated.

    Source:
        Box and Behnken (1960), Technometrics 2, 455-475.
    """
    if not np.isin(points, (-1.0, 0.0, 1.0)).all():
        raise _fault(method, "its points must be -1, 0 or +1")
    varied = np.count_nonzero(points, axis=1)
    if sorted(varied) != [0] * n_centre + [n_varied] * n_edge:
        raise _fault(
            method,
            f"it must have {n_edge} runs with {n_varied} factors off the middle and {n_centre} "
            "centre runs",
        )
    used = np.count_nonzero(points, axis=0)
    if np.ptp(used) or len(np.unique(points[varied > 0], axis=0)) != n_edge:
        raise _fault(method, f"its factors are varied unequally often {used.tolist()}")
    check_moments(points, method)


def check_conference(matrix: FloatArray, method: str) -> None:
    """Refuse a matrix that is not square, 0 on its diagonal, -1 or +1 elsewhere and orthogonal.

    Raises:
        DesignError: With the property that is violated.

    Source:
        Xiao, Lin and Bai (2012), J. Quality Technology 44, 2-8: the definition C'C = (n - 1) I.
    """
    n_rows = len(matrix)
    if not np.array_equal(np.abs(matrix), 1.0 - np.eye(n_rows)):
        raise _fault(method, "it must be 0 on its diagonal, and -1 or +1 elsewhere")
    if not np.array_equal(matrix.T @ matrix, (n_rows - 1.0) * np.eye(n_rows)):
        raise _fault(method, "its columns are not orthogonal")


def check_fold_over(points: FloatArray, method: str) -> None:
    """Refuse runs that do not each have a mirror image, with the sign of every factor reversed.

    With mirror images, main effects are orthogonal to all interactions of two factors and squares.

    Raises:
        DesignError: If some run has none.

    Source:
        Box and Wilson (1951), J. Royal Statistical Society B 13, 1-45: the fold-over.
    """
    if not np.allclose(_sorted_rows(points), _sorted_rows(-points), rtol=0.0, atol=_CLOSE):
        raise _fault(method, "some run has no mirror image with all its signs reversed")


def check_orthogonal_blocks(points: FloatArray, blocks: Sequence[str], method: str) -> None:
    """Refuse blocks that disturb a term of the full quadratic model.

    In each block, factors and their products must add up to zero, and squares to the share of runs
    that the block has.

    Args:
        points: Coded runs, shape ``(n_runs, n_factors)``.
        blocks: The block of each run.
        method: The kind of design in words.

    Raises:
        DesignError: With the block at fault.

    Source:
        Box and Hunter (1957), Annals of Mathematical Statistics 28, 195-241.
    """
    labels = np.asarray(blocks)
    pairs = list(combinations(range(points.shape[1]), 2))
    odd = np.column_stack([points, *(points[:, i] * points[:, j] for i, j in pairs)])
    for block in np.unique(labels):
        inside = labels == block
        share = (points[inside] ** 2).sum(axis=0) - inside.mean() * (points**2).sum(axis=0)
        worst = max(np.abs(odd[inside].sum(axis=0)).max(), np.abs(share).max())
        if worst > 1e-6:
            raise _fault(method, f"block {block} disturbs the quadratic model (moment {worst:.3g})")


def check_uniform_shell(points: FloatArray, method: str) -> None:
    """Refuse runs that are not on a sphere of radius 1 with each neighbour at a distance of 1.

    Raises:
        DesignError: With the property that is violated.

    Source:
        Doehlert (1970), Applied Statistics 19, 231-239.
    """
    n_runs, n_factors = points.shape
    if n_runs != n_factors * (n_factors + 1):
        raise _fault(method, f"it must have {n_factors * (n_factors + 1)} runs on its shell")
    if not np.allclose(np.linalg.norm(points, axis=1), 1.0, rtol=0.0, atol=_CLOSE):
        raise _fault(method, "its runs are not equally far from the centre")
    check_fold_over(points, method)
    # On this lattice the products of directions are 1, 1/2, 0, -1/2 and -1.
    doubled = 2.0 * points @ points.T
    moments = points.T @ points
    if (
        np.abs(doubled - np.rint(doubled)).max() > 1e-6
        or np.abs(moments - moments[0, 0] * np.eye(n_factors)).max() > 1e-6
    ):
        raise _fault(method, "its runs are not evenly spread over the shell")
    check_distinct(np.round(points, 9), method)


def check_distinct(points: FloatArray, method: str) -> None:
    """Refuse runs that repeat each other where every run must be different.

    Raises:
        DesignError: With how many runs repeat others.
    """
    repeated = len(points) - len(np.unique(points, axis=0))
    if repeated:
        raise _fault(method, f"{repeated} runs repeat others")


def _sorted_rows(points: FloatArray) -> FloatArray:
    rounded = np.round(points, 9) + 0.0
    return np.asarray(points[np.lexsort(rounded.T)], dtype=np.float64)


def _fault(method: str, what: str) -> DesignError:
    return DesignError(
        f"The {method} that was generated fails its structural check: {what}. It is not used; "
        "choose another design, and report this."
    )

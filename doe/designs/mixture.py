"""Mixture designs: simplex lattice, simplex centroid and extreme vertices, with process factors."""

from collections.abc import Mapping, Sequence
from fractions import Fraction
from itertools import combinations, pairwise
from math import comb
from typing import Literal, get_args

import numpy as np

from doe.designs.assembly import MAX_RUNS, check_count
from doe.designs.blends import (
    BlendPlan,
    Process,
    check_replicates,
    design_of_blends,
    replicated,
    taken,
)
from doe.designs.mixture_regions import (
    Simplex,
    check_has_mixture,
    find_regions,
    find_simplex,
)
from doe.designs.subset import d_optimal_rows
from doe.designs.vertices import Blend, Corners, face_centroids, mean_blend
from doe.errors import DesignError, TooFewRunsError
from doe.evaluation.efficiency import d_efficiency, unestimable_columns
from doe.runs import JSON, Design
from doe.space import FactorSpace
from doe.terms import Terms, model_matrix, quadratic_terms

Centroids = Literal["edges", "faces", "all"]

_INSTEAD = (
    "use extreme_vertices, which takes the corners of what the constraints leave, or optimal_design"
)
_OPTIMAL = "use optimal_design, which keeps to every constraint"


def simplex_lattice(
    space: FactorSpace,
    degree: int,
    *,
    centroid: bool = False,
    axial: bool = False,
    replicates: int = 1,
    process: Process | None = None,
) -> Design:
    """Return all blends whose components have shares of 0, 1/m, 2/m, ... 1: the {q, m} lattice.

    There are C(q + m - 1, m) of them for q components, and they support a polynomial of degree m.
    Where bounds are given the shares are those of pseudocomponents, which run over the region that
    the bounds leave. Runs are in standard order, blends within settings of the process; randomise
    them with ``Design.randomised``.

    Args:
        space: The mixture components, and the factors of the process where there are any.
        degree: m, at least 1.
        centroid: Whether to add the blend of equal shares, where the lattice lacks it.
        axial: Whether to add the blends midway between this blend and the corners.
        replicates: How often each run is done.
        process: How the factors of the process are set: ``"full factorial"``, ``"centre"``, or a
            design made for ``process_space(space)``; each blend is done at each of its settings,
            within its blocks and whole plots.

    Raises:
        DesignError: If bounds or constraints cut the simplex (use ``extreme_vertices``), a step is
            too coarse, there are too many runs, or process factors are not dealt with.

    Source:
        Scheffe (1958), J. Royal Statistical Society B 20, 344-360; pseudocomponents from Crosier
        (1984), Technometrics 26, 209-216.
    """
    method = "simplex lattice"
    n_components = len(check_has_mixture(space, method))
    degree = check_count(degree, "degree", at_least=1)
    _check_size(comb(n_components + degree - 1, degree), method, "take a smaller degree")
    times = check_replicates(replicates)
    shares = _lattice(n_components, degree)
    added = _added(n_components, centroid=centroid, axial=axial)
    name = f"{method} {{{n_components}, {degree}}}"
    plan = _simplex_plan(find_simplex(space, method), shares, added, name, {"degree": degree})
    return replicated(design_of_blends(space, plan, process), times)


def simplex_centroid(
    space: FactorSpace,
    *,
    max_order: int | None = None,
    axial: bool = False,
    replicates: int = 1,
    process: Process | None = None,
) -> Design:
    """Return the blends of equal shares of every subset of the components.

    There are 2^q - 1 of them for q components: each alone, each two by halves, each three by
    thirds, and so on to the centroid of all. They support Scheffe's special polynomials. Bounds,
    steps, process factors and order of runs are as for ``simplex_lattice``.

    Args:
        space: The mixture components, and the factors of the process where there are any.
        max_order: How many components a subset has at most; all of them where not given.
        axial: Whether to add the blends midway between the centroid of all and the corners.
        replicates: How often each run is done.
        process: As for ``simplex_lattice``.

    Raises:
        DesignError: As for ``simplex_lattice``.

    Source:
        Scheffe (1963), J. Royal Statistical Society B 25, 235-263.
    """
    method = "simplex centroid"
    n_components = len(check_has_mixture(space, method))
    largest = n_components if max_order is None else max_order
    largest = check_count(largest, "max_order", at_least=1)
    if largest > n_components:
        raise DesignError(f"max_order {largest} is more than the {n_components} components.")
    sizes = range(1, largest + 1)
    _check_size(sum(comb(n_components, n) for n in sizes), method, "take a smaller max_order")
    shares = [
        tuple(Fraction(int(i in subset), n) for i in range(n_components))
        for n in sizes
        for subset in combinations(range(n_components), n)
    ]
    times = check_replicates(replicates)
    added = _added(n_components, centroid=False, axial=axial)
    plan = _simplex_plan(find_simplex(space, method), shares, added, method, {"max_order": largest})
    return replicated(design_of_blends(space, plan, process), times)


def extreme_vertices(
    space: FactorSpace,
    *,
    centroids: Centroids | None = "edges",
    overall_centroid: bool = True,
    replicates: int = 1,
    process: Process | None = None,
    max_runs: int | None = None,
    terms: Terms | None = None,
    rng: np.random.Generator | None = None,
) -> Design:
    """Return the corners of the region of allowed blends, and centroids of its edges and faces.

    The region is what bounds and linear constraints of the components leave. Cardinality
    constraints and forbidden ranges leave several regions, and the corners of all are taken. The
    overall centroid is the mean of the corners of a region. Blends off the equipment's steps go to
    the nearest allowed ones; ``details`` says how far (``rounded_to_steps``, largest change of a
    share) and how many blends became one (``merged_by_steps``).

    Args:
        space: The mixture components, and the factors of the process where there are any.
        centroids: Those of ``"edges"``, of plane ``"faces"``, or of ``"all"`` edges and faces of
            any dimension; a face is represented by the mean of its corners.
        overall_centroid: Whether to add the overall centroid.
        replicates: How often each run is done.
        process: As for ``simplex_lattice``.
        max_runs: How many runs there are at most, replicates counted; the D-optimal ones for
            ``terms`` are taken when there are more.
        terms: The model for this choice; ``quadratic_terms(space)`` where not given.
        rng: Source of the random starts of the choice; needed with ``max_runs``.

    Raises:
        DesignError: If the region has too many corners or faces, a run is not allowed (constraints
            on mixture and process together, expressions), or process factors are not dealt with.
        TooFewRunsError: If ``max_runs`` is less than the terms need.

    Source:
        McLean and Anderson (1966), Technometrics 8, 447-454; Snee and Marquardt (1974),
        Technometrics 16, 399-408 (XVERT); Snee (1979), Technometrics 21, 149-159 (CONSIM);
        centroids from Piepel (1983), Technometrics 25, 279-283 (CONAEV).
    """
    method = "extreme vertices"
    check_has_mixture(space, method)
    _check_options(centroids, max_runs, rng)
    n_times = check_replicates(replicates)
    regions = find_regions(space)
    blends = _extreme_blends(regions, centroids, overall_centroid=overall_centroid)
    kinds = list(blends.values())
    details: dict[str, JSON] = {
        "regions": len(regions),
        "dimensions": max(region.n_dimensions for region in regions),
        "blends_found": {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
    }
    plan = BlendPlan(blends, method, _OPTIMAL, may_merge=True, details=details)
    design = design_of_blends(space, plan, process)
    if max_runs is not None and rng is not None and design.n_runs * n_times > max_runs:
        design = _best_runs(design, max_runs // n_times, terms or quadratic_terms(space), rng)
    return replicated(design, n_times)


def _lattice(n_components: int, degree: int) -> list[Blend]:
    shares = []
    # A blend is where n - 1 bars stand among degree + n - 1 places: the gaps are its parts.
    for bars in combinations(range(degree + n_components - 1), n_components - 1):
        ends = pairwise((-1, *bars, degree + n_components - 1))
        shares.append(tuple(Fraction(after - before - 1, degree) for before, after in ends))
    return shares[::-1]


def _added(n_components: int, *, centroid: bool, axial: bool) -> dict[Blend, str]:
    """Return the blends that augment a simplex design, in pseudocomponents."""
    equal = (Fraction(1, n_components),) * n_components
    added = {equal: "centroid"} if centroid else {}
    if axial:
        for place in range(n_components):
            corner = tuple(Fraction(int(i == place)) for i in range(n_components))
            added[mean_blend([equal, corner])] = "axial"
    return added


def _simplex_plan(
    simplex: Simplex,
    shares: Sequence[Blend],
    added: Mapping[Blend, str],
    method: str,
    details: Mapping[str, JSON],
) -> BlendPlan:
    kinds = {share: _kind(share) for share in shares}
    kinds |= {share: kind for share, kind in added.items() if share not in kinds}
    facts = dict(details)
    if simplex.size != 1:
        facts["pseudocomponents"] = {
            "kind": simplex.kind,
            "origin_shares": [float(share) for share in simplex.origin],
            "size": float(simplex.size),
        }
    blends = {simplex.blend(share): kind for share, kind in kinds.items()}
    return BlendPlan(blends, method, _INSTEAD, details=facts)


def _kind(share: Blend) -> str:
    n_used = sum(part > 0 for part in share)
    if n_used <= 2:
        return "vertex" if n_used == 1 else "edge"
    if n_used < len(share):
        return "face"
    return "centroid" if len(set(share)) == 1 else "interior"


def _check_size(n_blends: int, method: str, advice: str) -> None:
    if n_blends > MAX_RUNS:
        raise DesignError(
            f"This {method} has {n_blends} blends; at most {MAX_RUNS} are planned: {advice}, or "
            "use optimal_design."
        )


def _check_options(
    centroids: object, max_runs: int | None, rng: np.random.Generator | None
) -> None:
    if centroids is not None and centroids not in get_args(Centroids):
        raise DesignError(
            f"centroids is {centroids!r}; expected {', '.join(get_args(Centroids))}, or None."
        )
    if max_runs is None:
        return
    check_count(max_runs, "max_runs", at_least=1)
    if rng is None:
        raise DesignError(
            "Choosing max_runs of the runs starts from random ones: give rng, such as "
            "numpy.random.default_rng(seed)."
        )


def _extreme_blends(
    regions: Sequence[Corners], centroids: Centroids | None, *, overall_centroid: bool
) -> dict[Blend, str]:
    """Return corners, then centroids of edges, faces and regions, each with its kind."""
    extents = [region.n_dimensions for region in regions]
    ends = {None: (1, 1), "edges": (1, 2), "faces": (2, 3), "all": (1, max(extents))}
    corners = {blend for region in regions for blend in region.blends}
    found = dict.fromkeys(sorted(corners, reverse=True), "vertex")
    for n_dimensions in range(*ends[centroids]):
        kind = "edge centroid" if n_dimensions == 1 else "face centroid"
        # The one face of as many dimensions as the region is the region itself.
        faces = {
            blend
            for region, extent in zip(regions, extents, strict=True)
            if n_dimensions < extent
            for blend in face_centroids(region, n_dimensions, at_most=MAX_RUNS)
        }
        found |= {blend: kind for blend in sorted(faces, reverse=True) if blend not in found}
    if overall_centroid:
        middles = sorted({mean_blend(region.blends) for region in regions}, reverse=True)
        found |= {blend: "centroid" for blend in middles if blend not in found}
    return found


def _best_runs(design: Design, n_runs: int, terms: Terms, rng: np.random.Generator) -> Design:
    """Return the design with only its D-optimal runs for a model."""
    table = model_matrix(terms, design.runs, design.space)
    matrix = table.to_numpy()
    if n_runs < matrix.shape[1]:
        raise TooFewRunsError(
            f"{n_runs} different runs cannot estimate the {matrix.shape[1]} terms of the model: "
            "raise max_runs, or give terms of a smaller model."
        )
    aliased = unestimable_columns(matrix)
    if aliased.size:
        names = ", ".join(list(table.columns)[place] for place in aliased)
        raise DesignError(
            f"The {design.n_runs} runs to choose from cannot tell {names} apart from the other "
            "terms: add centroids ('edges' or 'all') or settings of the process, or give terms of "
            "a smaller model."
        )
    rows = d_optimal_rows(matrix, n_runs, rng=rng)
    facts: dict[str, JSON] = {
        "candidates": design.n_runs,
        "terms": terms.formula,
        "d_efficiency": d_efficiency(matrix[rows]),
    }
    return taken(design, rows.tolist(), facts)

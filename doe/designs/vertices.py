"""Corners, edges and faces of a region of blends, found with exact fractions.

A blend is a share of the total for each component; the shares add up to one. Limits are read as the
decimal numbers that people write, so that corners in which many limits meet are found once, flat
regions stay flat, and nothing depends on a tolerance.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import isclose, lcm

import numpy as np

from doe.arrays import BoolArray, IntArray
from doe.errors import DesignError

Blend = tuple[Fraction, ...]

# A denominator up to this is taken for what was meant: 0.3333333333333333 is a third.
_SHORT = 1_000_000
_NOISE = 1e-14
_MANY = "use optimal_design, which does not list them"


@dataclass(frozen=True, slots=True)
class Limit:
    """A limit on a weighted sum of shares.

    Attributes:
        weights: Place of a component and its weight; components left out have weight zero.
        upper: The most that the sum may be.
        is_equation: Whether the sum must be just that.
    """

    weights: tuple[tuple[int, Fraction], ...]
    upper: Fraction
    is_equation: bool = False

    def excess(self, blend: Blend) -> Fraction:
        """Return how far a blend is above the limit; negative below."""
        return sum((weight * blend[i] for i, weight in self.weights), -self.upper)


@dataclass(frozen=True, slots=True, eq=False)
class Corners:
    """A region of blends, convex and not empty, by its corners.

    Attributes:
        blends: The corners; none is a mixture of others.
        limits: Everything that bounds the region, least shares included.
        tight: Which limits a corner meets exactly, shape ``(n_corners, n_limits)``.
    """

    blends: tuple[Blend, ...]
    limits: tuple[Limit, ...]
    tight: BoolArray

    @property
    def n_dimensions(self) -> int:
        """In how many independent directions the region extends; 0 for a single blend."""
        n_components = len(self.blends[0])
        always = np.flatnonzero(self.tight.all(axis=0))
        rows = np.zeros((1 + len(always), n_components))
        rows[0] = 1.0
        for row, place in enumerate(always, start=1):
            weights = self.limits[place].weights
            largest = max(abs(weight) for _, weight in weights)
            for component, weight in weights:
                rows[row, component] = float(weight / largest)
        return n_components - int(np.linalg.matrix_rank(rows))


def short_fraction(number: float) -> Fraction:
    """Return the fraction that a number stands for: 1/10 for 0.1, 1/3 for 0.3333333333333333."""
    candidate = Fraction(number).limit_denominator(_SHORT)
    if isclose(float(candidate), number, rel_tol=_NOISE, abs_tol=0.0):
        return candidate
    return Fraction(repr(float(number)))


def simplex_corners(lows: Sequence[Fraction]) -> Corners | None:
    """Return the region of all blends with at least these shares, or None if they exceed one."""
    rest = 1 - sum(lows, Fraction(0))
    if rest < 0:
        return None
    limits = tuple(Limit(((i, Fraction(-1)),), -low) for i, low in enumerate(lows))
    if rest == 0:
        return Corners((tuple(lows),), limits, np.ones((1, len(lows)), dtype=np.bool_))
    blends = tuple(
        tuple(low + rest * (place == i) for place, low in enumerate(lows)) for i in range(len(lows))
    )
    return Corners(blends, limits, ~np.eye(len(lows), dtype=np.bool_))


def cut(corners: Corners, limit: Limit, *, at_most: int) -> Corners | None:
    """Return the part of a region that a limit leaves, or None if it leaves nothing.

    The double description method: corners beyond the limit go, and each edge that crosses it gets
    a new corner.

    Args:
        corners: The region.
        limit: The limit to add.
        at_most: How many corners are listed.

    Raises:
        DesignError: If there are more corners.

    Source:
        Motzkin, Raiffa, Thompson and Thrall (1953), "The double description method", in
        Contributions to the Theory of Games II, 51-73; for blends it is the way of CONSIM: Snee
        (1979), Technometrics 21, 149-159.
    """
    excess = [limit.excess(blend) for blend in corners.blends]
    beyond = np.array([value > 0 for value in excess])
    within = np.array([value < 0 for value in excess])
    kept = np.flatnonzero(~beyond & ~within if limit.is_equation else ~beyond)
    blends = [corners.blends[i] for i in kept]
    tight = [np.append(corners.tight[i], not within[i]) for i in kept]
    for i, j in _crossed_edges(corners, np.flatnonzero(beyond), np.flatnonzero(within)):
        blends.append(_between(corners.blends[i], excess[i], corners.blends[j], excess[j]))
        tight.append(np.append(corners.tight[i] & corners.tight[j], True))
        if len(blends) > at_most:
            raise DesignError(
                "The bounds and constraints leave a region with more than "
                f"{at_most} vertices: {_MANY}."
            )
    if not blends:
        return None
    return Corners(tuple(blends), (*corners.limits, limit), np.array(tight))


def face_centroids(corners: Corners, n_dimensions: int, *, at_most: int) -> list[Blend]:
    """Return the mean of the corners of each face that extends in so many directions.

    Args:
        corners: The region.
        n_dimensions: 0 for the corners themselves, 1 for edges, 2 for plane faces.
        at_most: How many faces are listed.

    Raises:
        DesignError: If there are more faces.

    Source:
        Piepel (1983), Technometrics 25, 279-283: centroids of constraint planes (CONAEV).
    """
    faces = list(corners.tight)
    for dimension in range(1, n_dimensions + 1):
        faces = _larger_faces(corners, faces, dimension, at_most)
    members = [(corners.tight | ~face).all(axis=1) for face in faces]
    return [mean_blend([corners.blends[i] for i in np.flatnonzero(inside)]) for inside in members]


def mean_blend(blends: Sequence[Blend]) -> Blend:
    """Return the mean of blends."""
    # Sums of fractions take a common denominator each time; found once, whole numbers are added.
    common = lcm(*(share.denominator for blend in blends for share in blend))
    columns = zip(*blends, strict=True)
    return tuple(
        Fraction(
            sum(share.numerator * (common // share.denominator) for share in column),
            common * len(blends),
        )
        for column in columns
    )


def _between(one: Blend, above: Fraction, other: Blend, below: Fraction) -> Blend:
    """Return where the edge from a corner beyond a limit to one within it meets the limit."""
    part = above / (above - below)
    return tuple(a + part * (b - a) if a != b else a for a, b in zip(one, other, strict=True))


def _crossed_edges(
    corners: Corners, beyond: IntArray, within: IntArray
) -> Iterator[tuple[int, int]]:
    """Yield the pairs of corners, one of each kind, that an edge joins."""
    tight = corners.tight
    # Along an edge, all but one of the directions in which shares can change are held.
    least = len(corners.blends[0]) - 2
    loose = (~tight).astype(np.float32)
    for i in beyond:
        common = tight[i] & tight[within]
        enough = np.flatnonzero(common.sum(axis=1) >= least)
        # A pair is an edge if no third corner lies on every limit that holds both.
        others = (common[enough].astype(np.float32) @ loose.T == 0).sum(axis=1)
        yield from ((int(i), int(j)) for j in within[enough[others == 2]])


def _larger_faces(
    corners: Corners, faces: Sequence[BoolArray], n_dimensions: int, at_most: int
) -> list[BoolArray]:
    """Return the faces of one more dimension that contain some of these, each once.

    A face is given by the limits that hold on all of it.
    """
    least = len(corners.blends[0]) - 1 - n_dimensions
    found: dict[bytes, BoolArray] = {}
    for face in faces:
        common = corners.tight & face
        n_common = common.sum(axis=1)
        # A corner of the face itself shares all of its limits.
        common = np.unique(common[(n_common >= least) & (n_common < face.sum())], axis=0)
        shared = common.astype(np.float32)
        # The smallest larger faces are those held by the most limits.
        is_part = shared @ (1.0 - shared).T == 0
        found |= {row.tobytes(): row for row in common[is_part.sum(axis=1) == 1]}
        if len(found) > at_most:
            raise DesignError(
                f"The region has more than {at_most} faces of dimension {n_dimensions}: ask for "
                f"fewer centroids, or {_MANY}."
            )
    return list(found.values())

"""The probability that several correlated values lie within their limits, all at once."""

import numpy as np
from scipy import special

from doe.arrays import FloatArray

# Nodes of each panel of the quadrature, and how many transition widths a panel spans about a kink.
N_NODES = 32
WIDTHS = 6.0
# Probability left beyond the ends of the quadrature.
TAIL = 1e-15
# Largest standard normal score: beyond it a probability is 0 or 1 to the last digit.
LARGEST_SCORE = 37.0
N_SCRAMBLES = 8
# Settings times points that are held in memory together.
CHUNK = 500_000


def student_pair(
    lower: FloatArray, upper: FloatArray, correlation: float, degrees: float
) -> FloatArray:
    """Return P(lower < T < upper) of a bivariate t with unit scales, shape ``(n,)``.

    The second value given the first is Student's t with one more degree of freedom; the first is
    integrated over by Gauss-Legendre quadrature of z = sqrt(nu) tan(angle), in panels that end
    where the second value's limits cross its expected value.

    Args:
        lower: Lower limits, shape ``(n, 2)``; minus infinity for none.
        upper: Upper limits, shape ``(n, 2)``; infinity for none.
        correlation: Of the scale matrix, strictly between -1 and 1.
        degrees: Degrees of freedom nu.

    Source:
        Kotz and Nadarajah (2004), Multivariate t Distributions and Their Applications, chapter 1:
        the conditional distribution.
    """
    rest = np.sqrt(1 - correlation**2)
    edges = _panel_edges(lower, upper, correlation, degrees)
    nodes, weights = np.polynomial.legendre.leggauss(N_NODES)
    half = np.diff(edges, axis=1)[:, :, None] / 2
    angles = edges[:, :-1, None] + half * (nodes + 1)
    first = np.sqrt(degrees) * np.tan(angles)
    spread = rest * np.sqrt((degrees + np.square(first)) / (degrees + 1))
    centre = correlation * first
    low = (lower[:, 1, None, None] - centre) / spread
    high = (upper[:, 1, None, None] - centre) / spread
    within = student_between(degrees + 1, low, high)
    constant = np.exp(special.gammaln((degrees + 1) / 2) - special.gammaln(degrees / 2))
    density = constant / np.sqrt(np.pi) * np.cos(angles) ** (degrees - 1)
    total = (half * weights * density * within).sum(axis=(1, 2))
    return np.asarray(np.clip(total, 0.0, 1.0))


def student_box(
    lower: FloatArray,
    upper: FloatArray,
    root: FloatArray,
    degrees: float,
    *,
    n_points: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Return P(lower < T < upper) of a multivariate t at each setting, and its standard error.

    Scrambled Sobol points, the same for every setting so that maps are smooth; the standard error
    is that of the mean over independent scrambles.

    Args:
        lower: Lower limits about the location, shape ``(n, q)``.
        upper: Upper limits about the location, shape ``(n, q)``.
        root: Lower triangular root of the scale matrix, shape ``(q, q)``.
        degrees: Degrees of freedom.
        n_points: Points per scramble; a power of two.
        rng: Source of the scrambles.

    Source:
        Genz and Bretz (2002), Journal of Computational and Graphical Statistics 11, 950-971.
    """
    from scipy.stats import qmc

    n_settings, size = lower.shape
    found = np.empty((N_SCRAMBLES, n_settings))
    step = max(1, CHUNK // n_points)
    for scramble in found:
        points = qmc.Sobol(size, rng=rng).random(n_points)
        # The chance of the chi variable is kept off zero, where it has no place.
        chance = np.clip(points[:, 0], 1e-12, 1 - 1e-12)
        size_of_std = np.sqrt(2 * special.gammaincinv(degrees / 2, chance) / degrees)
        for start in range(0, n_settings, step):
            part = slice(start, start + step)
            scaled = [
                (limits[part, None, :] * size_of_std[:, None]).reshape(-1, size)
                for limits in (lower, upper)
            ]
            count = len(lower[part])
            uniforms = np.tile(points[:, 1:], (count, 1))
            chances = conditional_box(scaled[0], scaled[1], root, uniforms)
            scramble[part] = chances.reshape(count, n_points).mean(axis=1)
    return found.mean(axis=0), found.std(axis=0, ddof=1) / np.sqrt(N_SCRAMBLES)


def conditional_box(
    lower: FloatArray, upper: FloatArray, root: FloatArray, uniforms: FloatArray
) -> FloatArray:
    """Return unbiased estimates of P(lower < R z < upper) for standard normal z, shape ``(m,)``.

    One value after the other is drawn within its limits given those before; the estimate is the
    product of the chances to be within. For a single value it is exact.

    Args:
        lower: Lower limits, shape ``(m, q)``.
        upper: Upper limits, shape ``(m, q)``.
        root: R, lower triangular, shape ``(q, q)`` or ``(m, q, q)``.
        uniforms: A uniform number per row and value but the last, shape ``(m, q - 1)``.

    Source:
        Genz (1992), Journal of Computational and Graphical Statistics 1, 141-149.
    """
    n_rows, size = lower.shape
    scores = np.zeros((n_rows, size))
    chance = np.ones(n_rows)
    for place in range(size):
        shift = (root[..., place, :place] * scores[:, :place]).sum(axis=-1)
        scale = root[..., place, place]
        low = (lower[:, place] - shift) / scale
        high = (upper[:, place] - shift) / scale
        # In the upper tail both chances are near one; mirrored they are small and exact.
        mirrored = low > 0
        first = special.ndtr(np.where(mirrored, -high, low))
        inside = np.maximum(special.ndtr(np.where(mirrored, -low, high)) - first, 0.0)
        chance *= inside
        if place < size - 1:
            score = special.ndtri(first + uniforms[:, place] * inside)
            score = np.clip(score, -LARGEST_SCORE, LARGEST_SCORE)
            scores[:, place] = np.where(mirrored, -score, score)
    return chance


def _panel_edges(
    lower: FloatArray, upper: FloatArray, correlation: float, degrees: float
) -> FloatArray:
    """Return the angles at which panels end, in order, shape ``(n, n_panels + 1)``."""
    furthest = -float(special.stdtrit(degrees, TAIL))
    low = np.clip(lower[:, 0], -furthest, furthest)
    high = np.maximum(np.clip(upper[:, 0], -furthest, furthest), low)
    ends = [low, high]
    if correlation != 0:
        for limits in (lower[:, 1], upper[:, 1]):
            crossing = np.clip(limits / correlation, -furthest, furthest)
            rest = (1 - correlation**2) * (degrees + np.square(crossing)) / (degrees + 1)
            width = WIDTHS * np.sqrt(rest) / abs(correlation)
            ends += [crossing - width, crossing, crossing + width]
    places = np.clip(np.stack(ends, axis=1), low[:, None], high[:, None])
    return np.asarray(np.arctan(np.sort(places, axis=1) / np.sqrt(degrees)))


def student_between(degrees: float, low: FloatArray, high: FloatArray) -> FloatArray:
    """Return P(low < T < high) of Student's t, without cancellation in the upper tail."""
    mirrored = low > 0
    first, second = np.where(mirrored, -high, low), np.where(mirrored, -low, high)
    chance = special.stdtr(degrees, second) - special.stdtr(degrees, first)
    return np.maximum(np.asarray(chance, dtype=np.float64), 0.0)

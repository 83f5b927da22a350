"""Swaps of runs between blocks that leave the effects of a model the most information."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray

# Multiplications in all: a second or two. Designs of a hundred runs need less than a tenth of it.
_MAX_WORK = 1e9
_MAX_IMPROVED = 20
# Of one: a swap must gain so much, or rounding would swap runs for ever.
_GAIN = 1e-9
_SINGULAR = 1e-9
_RIDGE = 1e-6


@dataclass(frozen=True, slots=True)
class Division:
    """Runs divided into blocks.

    Attributes:
        numbers: The block of each run, from 0, shape ``(n_runs,)``.
        efficiency: The D-efficiency of the model with blocks against that without, 0 to 1; 1.0
            when blocks are orthogonal to every effect.
    """

    numbers: IntArray
    efficiency: float


def best_division(matrix: FloatArray, starts: Sequence[IntArray], is_apart: BoolArray) -> Division:
    """Return the best division that swaps of runs between blocks lead to from the starts.

    Args:
        matrix: Coded model matrix, shape ``(n_runs, n_columns)``.
        starts: Blocks of each run, from 0; block sizes stay as they are.
        is_apart: Runs that are swapped among themselves only, shape ``(n_runs,)``.

    Source:
        Cook and Nachtsheim (1989), Technometrics 31, 339-346.
    """
    effects = _orthonormal(matrix)
    # Improving takes long, looking at a start does not.
    ranked = sorted(starts, key=lambda start: -_efficiency(effects, start))[:_MAX_IMPROVED]
    best: Division | None = None
    work = _MAX_WORK
    for start in ranked:
        numbers, work = _improved(effects, start, is_apart, work)
        efficiency = _efficiency(effects, numbers)
        if best is None or efficiency > best.efficiency + _GAIN:
            best = Division(numbers, efficiency)
        if best.efficiency > 1 - _GAIN:
            break
    assert best is not None
    return best


def block_efficiency(matrix: FloatArray, numbers: IntArray) -> float:
    """Return the D-efficiency of a model with blocks against that without, 0 to 1.

    Args:
        matrix: Coded model matrix, shape ``(n_runs, n_columns)``.
        numbers: The block of each run, from 0.
    """
    return _efficiency(_orthonormal(matrix), numbers)


def _improved(
    effects: FloatArray, start: IntArray, is_apart: BoolArray, work: float
) -> tuple[IntArray, float]:
    """Swap each run in turn with the run of another block that gains most, until none gains.

    Returns the blocks, and how much of the allowed work is left.
    """
    numbers = start.copy()
    per_visit = float(effects.size)
    per_swap = per_visit * (effects.shape[1] + int(numbers.max()) + 1)
    state = _State.of(effects, numbers)
    row = without_gain = 0
    while without_gain < len(numbers) and work > 0:
        ratio = state.ratios(row)
        ratio[(numbers == numbers[row]) | (is_apart != is_apart[row])] = 0.0
        other = int(ratio.argmax())
        work -= per_visit
        without_gain += 1
        if ratio[other] > 1 + _GAIN:
            numbers[[row, other]] = numbers[[other, row]]
            state = _State.of(effects, numbers)
            work -= per_swap
            without_gain = 0
        row = (row + 1) % len(numbers)
    return numbers, work


@dataclass(frozen=True, slots=True)
class _State:
    """What the gain of a swap is computed from.

    Attributes:
        effects: Orthonormal effects, shape ``(n_runs, n_effects)``.
        numbers: The block of each run.
        sizes: Of the blocks.
        scaled: The effects times the inverse of the information, same shape.
        lengths: Of each run in the metric of that inverse, shape ``(n_runs,)``.
        by_mean: Products of runs and block means in it, shape ``(n_runs, n_blocks)``.
        means: Products of block means in it, shape ``(n_blocks, n_blocks)``.
    """

    effects: FloatArray
    numbers: IntArray
    sizes: IntArray
    scaled: FloatArray
    lengths: FloatArray
    by_mean: FloatArray
    means: FloatArray

    @classmethod
    def of(cls, effects: FloatArray, numbers: IntArray) -> "_State":
        """Return the state of a division."""
        means, sizes = _block_means(effects, numbers)
        information = _information(means, sizes)
        # A poor start can be singular, and swaps must lead out of it.
        inverse = np.linalg.inv(information + _RIDGE * np.eye(len(information)))
        scaled = effects @ inverse
        lengths = np.einsum("ij,ij->i", scaled, effects)
        return cls(
            effects, numbers, sizes, scaled, lengths, scaled @ means.T, means @ inverse @ means.T
        )

    def ratios(self, row: int) -> FloatArray:
        """Return by how much swapping a run with each other multiplies the determinant.

        With ``d = x_j - x_i``, ``u`` the difference of the means of their blocks, and ``c = 1 / n_a
        + 1 / n_b``, the information loses ``u d' + d u' + c d d'``; by the determinant lemma the
        ratio is ``(1 - d'Wu)^2 - d'Wd (c + u'Wu)``, W being the inverse of the information.
        """
        mine, theirs = self.numbers[row], self.numbers
        dd = self.lengths[row] + self.lengths - 2 * (self.effects @ self.scaled[row])
        own = self.by_mean[np.arange(len(theirs)), theirs]
        du = self.by_mean[:, mine] - own - own[row] + self.by_mean[row, theirs]
        squares = np.diag(self.means)
        uu = squares[mine] + squares[theirs] - 2 * self.means[mine, theirs]
        c = 1 / self.sizes[mine] + 1 / self.sizes[theirs]
        return np.asarray((1 - du) ** 2 - dd * (c + uu), dtype=np.float64)


def _orthonormal(matrix: FloatArray) -> FloatArray:
    """Return columns that span the same effects without the mean.

    Of orthonormal columns the determinant is one before blocks take their part.
    """
    left, sizes, _ = np.linalg.svd(matrix - matrix.mean(axis=0), full_matrices=False)
    is_there = sizes > _SINGULAR * max(float(sizes.max(initial=0.0)), 1.0)
    return np.asarray(left[:, is_there], dtype=np.float64)


def _block_means(effects: FloatArray, numbers: IntArray) -> tuple[FloatArray, IntArray]:
    sizes = np.bincount(numbers)
    indicators = np.zeros((len(sizes), len(numbers)))
    indicators[numbers, np.arange(len(numbers))] = 1.0
    return np.asarray(indicators @ effects / sizes[:, None], dtype=np.float64), sizes


def _information(means: FloatArray, sizes: IntArray) -> FloatArray:
    """Return the information of orthonormal effects, blocks eliminated."""
    return np.asarray(np.eye(means.shape[1]) - (means.T * sizes) @ means, dtype=np.float64)


def _efficiency(effects: FloatArray, numbers: IntArray) -> float:
    if effects.shape[1] == 0:
        return 1.0
    values = np.linalg.eigvalsh(_information(*_block_means(effects, numbers)))
    if values[0] < _SINGULAR:
        return 0.0
    return float(min(np.exp(np.log(values).mean()), 1.0))

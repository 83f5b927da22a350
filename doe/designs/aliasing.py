"""Which effects of a two-level design cannot be told apart, found from its runs."""

from collections.abc import Sequence
from fractions import Fraction
from itertools import combinations
from math import comb

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.errors import DesignError
from doe.factors import CategoricalFactor
from doe.runs import Design
from doe.space import FactorSpace

# Textbooks leave out I, which stands for the mean.
_LETTERS = "ABCDEFGHJKLMNOPQRSTUVWXYZabcdefghjklmnopqrstuvwxyz"
_ROMAN = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")

MAX_GENERATORS = 12
MAX_EFFECTS = 20_000


def letters(space: FactorSpace) -> tuple[str, ...]:
    """Return the letter that stands for each factor in words such as ``ABCE``.

    Factors whose names are all single letters keep them; otherwise A, B, C, ... without I.

    Raises:
        DesignError: If there are more factors than letters.
    """
    names = space.names
    if all(len(name) == 1 and name.isalpha() and name != "I" for name in names):
        return names
    if len(names) > len(_LETTERS):
        raise DesignError(
            f"{len(names)} factors are more than the {len(_LETTERS)} that have letters: leave out "
            "factors."
        )
    return tuple(_LETTERS[: len(names)])


def roman(resolution: int) -> str:
    """Return a resolution as it is written, such as ``IV``."""
    return _ROMAN[resolution] if resolution < len(_ROMAN) else str(resolution)


def two_level_signs(design: Design) -> FloatArray:
    """Return the factorial runs as -1 and +1, shape ``(n_factorial_runs, n_factors)``.

    The first level of a categorical factor is -1. Centre points and axial runs are left out.

    Raises:
        DesignError: If there are no factorial runs, or a factor has other than two levels in them.
    """
    types = design.point_types or ("factorial",) * design.n_runs
    runs = design.runs[[kind == "factorial" for kind in types]]
    if runs.empty:
        raise DesignError(
            f"Words and aliases describe two-level designs, but this {design.method} has no "
            "factorial runs: ask evaluate(design, terms).alias_matrix() instead."
        )
    signs = np.empty((len(runs), len(design.space.names)))
    for place, factor in enumerate(design.space.searched):
        column = list(runs[factor.name])
        order = factor.levels if isinstance(factor, CategoricalFactor) else sorted(set(column))
        levels = [level for level in order if level in column]
        if len(levels) != 2:
            raise DesignError(
                f"Words and aliases describe two-level designs, but '{factor.name}' has "
                f"{len(levels)} levels in the {len(runs)} factorial runs of this {design.method}."
            )
        signs[:, place] = [-1.0 if value == levels[0] else 1.0 for value in column]
    return signs


def word_lengths(signs: FloatArray) -> dict[int, Fraction]:
    """Return how many words of each length a two-level design has, from its runs alone.

    For a regular fraction these are the words of its defining relation. Otherwise a partly aliased
    product of columns counts as a fraction of a word (the generalised word-length pattern).

    Args:
        signs: The runs as -1 and +1, shape ``(n_runs, n_factors)``.

    Source:
        MacWilliams and Sloane (1977), The Theory of Error-Correcting Codes, ch. 5: the transform of
        the distances between runs; Xu and Wu (2001), Annals of Statistics 29, 1066-1077, theorem 4.
    """
    n_runs, n_factors = signs.shape
    distances = np.zeros(n_factors + 1, dtype=np.int64)
    for run in signs:
        apart = np.rint((n_factors - signs @ run) / 2).astype(np.int64)
        distances += np.bincount(apart, minlength=n_factors + 1)
    # In whole numbers: the sums cancel, and floating point would leave words that are not there.
    found = {
        length: Fraction(
            sum(int(n) * _krawtchouk(length, d, n_factors) for d, n in enumerate(distances) if n),
            n_runs**2,
        )
        for length in range(1, n_factors + 1)
    }
    return {length: count for length, count in found.items() if count}


def word_length_pattern(design: Design) -> dict[int, float]:
    """Return how many words of each length a two-level design has; empty for a full factorial.

    Found from the runs, not from the generators; see ``word_lengths``.

    Raises:
        DesignError: If a factor has other than two levels.
    """
    return {length: float(n) for length, n in word_lengths(two_level_signs(design)).items()}


def resolution(design: Design) -> int | None:
    """Return the length of the shortest word of a two-level design; None for a full factorial.

    Raises:
        DesignError: If a factor has other than two levels.

    Source:
        Box and Hunter (1961), Technometrics 3, 311-351.
    """
    return min(word_length_pattern(design), default=None)


def defining_relation(design: Design) -> str:
    """Return the products of factors that are constant, such as ``I = ABCE = BCDF = ADEF``.

    Raises:
        DesignError: If a factor has other than two levels, the design is no regular fraction, or
            the relation would have thousands of words.
    """
    signs = two_level_signs(design)
    names = letters(design.space)
    basis = _constant_words(signs, design)
    if len(basis) > MAX_GENERATORS:
        raise DesignError(
            f"The defining relation of {len(basis)} generators has {2 ** len(basis) - 1} words: "
            "ask for alias_table(design, order=2) instead."
        )
    words = np.zeros((1, signs.shape[1]), dtype=np.bool_)
    for word in basis:
        words = np.vstack([words, words ^ word])
    texts = sorted((_signed(word, signs[0], names) for word in words[1:]), key=_length_first)
    return " = ".join(["I", *texts])


def alias_table(design: Design, order: int = 2) -> tuple[str, ...]:
    """Return the effects that cannot be told apart, one set per line, such as ``AB = CE = DF``.

    Every main effect and interaction of up to ``order`` factors appears once. An effect that stands
    alone is aliased only with effects of higher order. ``A = -BC``: high A looks like low BC.

    Raises:
        DesignError: If a factor has other than two levels, effects are partly aliased (as in a
            12-run Plackett-Burman design), or there are too many effects to list.
    """
    signs = two_level_signs(design)
    n_factors = signs.shape[1]
    _check_order(order, n_factors)
    effects = _effects(n_factors, order)
    sets: dict[bytes, list[tuple[BoolArray, FloatArray]]] = {np.ones(len(signs)).tobytes(): []}
    for effect in effects:
        column = signs[:, effect].prod(axis=1)
        sets.setdefault((column * column[0]).tobytes(), []).append((effect, column))
    _check_regular(np.array([np.frombuffer(key) for key in sets]), design)
    constant, *others = sets.values()
    names = letters(design.space)
    lines = [" = ".join(["I", *(_signed(e, signs[0], names) for e, _ in constant)])]
    for members in others:
        first = members[0][1]
        texts = [f"{'' if c[0] == first[0] else '-'}{_word(e, names)}" for e, c in members]
        lines.append(" = ".join(texts))
    return tuple(lines if constant else lines[1:])


def aliases(design: Design, *, order: int = 2, estimated: int = 1) -> tuple[str, ...]:
    """Return what each effect is estimated together with, such as ``A - 0.333 BC + 0.333 BD``.

    The model has the mean and every effect of up to ``estimated`` factors that its runs can tell
    apart, those that come first kept; a coefficient says how much of an effect of up to ``order``
    factors that is not in the model adds to the estimate. It serves every two-level design, also
    one that aliases effects in part (Plackett-Burman); where the aliases are full, ``alias_table``
    says the same with equal signs. Centre points are left out. The mean has no line unless
    something adds to it.

    Raises:
        DesignError: If a factor has other than two levels, or there are too many effects to list.

    Source:
        Box and Draper (1959), J. American Statistical Association 54, 622-654: the alias matrix.
    """
    signs = two_level_signs(design)
    n_factors = signs.shape[1]
    _check_order(order, n_factors)
    if not 1 <= estimated <= order:
        raise DesignError(
            f"estimated is {estimated!r}: choose a number of factors from 1 to the order, {order}."
        )
    effects = [np.zeros(n_factors, dtype=np.bool_), *_effects(n_factors, order)]
    columns = np.column_stack([signs[:, effect].prod(axis=1) for effect in effects])
    candidates = [place for place, effect in enumerate(effects) if effect.sum() <= estimated]
    kept = _independent(columns, candidates)
    others = [place for place in range(len(effects)) if place not in set(kept)]
    coefficients = np.linalg.lstsq(columns[:, kept], columns[:, others])[0]
    names = letters(design.space)
    texts = ["I", *(_word(effect, names) for effect in effects[1:])]
    lines = [
        texts[place] + "".join(_added(c, texts[o]) for c, o in zip(row, others, strict=True))
        for place, row in zip(kept, coefficients, strict=True)
    ]
    return tuple(line for line in lines if line != "I")


def is_regular(signs: FloatArray) -> bool:
    """Return whether two-level runs are a regular fraction, each run done equally often.

    Args:
        signs: The runs as -1 and +1, shape ``(n_runs, n_factors)``.
    """
    distinct, counts = np.unique(signs, axis=0, return_counts=True)
    _, pivots = _reduced((distinct != signs[0]).astype(np.int64))
    return 2 ** len(pivots) == len(distinct) and not np.ptp(counts)


def _check_order(order: int, n_factors: int) -> None:
    if order < 1 or sum(comb(n_factors, size) for size in range(1, order + 1)) > MAX_EFFECTS:
        raise DesignError(
            f"Alias order {order} for {n_factors} factors: choose an order from 1, and low enough "
            f"for at most {MAX_EFFECTS} effects."
        )


def _independent(columns: FloatArray, candidates: Sequence[int]) -> list[int]:
    """Return the candidates that no earlier ones add up to."""
    basis = np.empty((len(columns), 0))
    kept: list[int] = []
    for place in candidates:
        column = columns[:, place]
        # Twice: rounding in the first projection would pass for a small independent part.
        rest = column - basis @ (basis.T @ column)
        rest = rest - basis @ (basis.T @ rest)
        length = float(np.linalg.norm(rest))
        if length > 1e-8 * np.sqrt(len(column)):
            basis = np.column_stack([basis, rest / length])
            kept.append(place)
    return kept


def _added(coefficient: float, text: str) -> str:
    size = f"{abs(coefficient):.3f}".rstrip("0").rstrip(".")
    if size == "0":
        return ""
    return f" {'-' if coefficient < 0 else '+'} {'' if size == '1' else size + ' '}{text}"


def _krawtchouk(length: int, distance: int, n_factors: int) -> int:
    return sum(
        (-1) ** s * comb(distance, s) * comb(n_factors - distance, length - s)
        for s in range(length + 1)
    )


def _constant_words(signs: FloatArray, design: Design) -> list[BoolArray]:
    """Return words that generate every constant product of columns, from the runs.

    As bits, the runs of a regular fraction are a vector space shifted by the first run; the words
    are the vectors that are orthogonal to it.
    """
    distinct, counts = np.unique(signs, axis=0, return_counts=True)
    bits = (distinct != signs[0]).astype(np.int64)
    reduced, pivots = _reduced(bits)
    if 2 ** len(pivots) != len(distinct) or np.ptp(counts):
        raise DesignError(
            f"This {design.method} is no regular fraction: its {len(distinct)} different runs "
            "alias effects partly and have no defining relation."
        )
    words = []
    for free in (place for place in range(bits.shape[1]) if place not in pivots):
        word = np.zeros(bits.shape[1], dtype=np.bool_)
        word[free] = True
        word[pivots] = reduced[: len(pivots), free] == 1
        words.append(word)
    return words


def _reduced(bits: IntArray) -> tuple[IntArray, list[int]]:
    """Return the reduced row echelon form modulo 2, and its pivot columns."""
    rows = bits.copy()
    pivots: list[int] = []
    for column in range(rows.shape[1]):
        below = np.flatnonzero(rows[len(pivots) :, column]) + len(pivots)
        if not below.size:
            continue
        rows[[len(pivots), below[0]]] = rows[[below[0], len(pivots)]]
        others = np.flatnonzero(rows[:, column])
        rows[others[others != len(pivots)]] ^= rows[len(pivots)]
        pivots.append(column)
        if len(pivots) == len(rows):
            break
    return rows, pivots


def _effects(n_factors: int, order: int) -> list[BoolArray]:
    effects = []
    for size in range(1, order + 1):
        for chosen in combinations(range(n_factors), size):
            effect = np.zeros(n_factors, dtype=np.bool_)
            effect[list(chosen)] = True
            effects.append(effect)
    return effects


def _check_regular(columns: FloatArray, design: Design) -> None:
    products = columns @ columns.T
    np.fill_diagonal(products, 0.0)
    if np.abs(products).max(initial=0.0) > 0.5:
        largest = np.abs(products).max() / columns.shape[1]
        raise DesignError(
            f"This {design.method} aliases effects partly (correlations up to {largest:.3g}), "
            "which a table of equal signs cannot show: ask for aliases(design), or a lower order."
        )


def _word(word: BoolArray, names: Sequence[str]) -> str:
    return "".join(name for name, is_in in zip(names, word, strict=True) if is_in)


def _signed(word: BoolArray, first_run: FloatArray, names: Sequence[str]) -> str:
    return f"{'-' if first_run[word].prod() < 0 else ''}{_word(word, names)}"


def _length_first(text: str) -> tuple[int, str]:
    word = text.removeprefix("-")
    return (len(word), word)

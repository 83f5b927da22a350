"""Fractions that let named two-factor interactions be estimated."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

import numpy as np

from doe.arrays import BoolArray, IntArray
from doe.designs.aliasing import roman
from doe.designs.fractions import Fraction, Generator, fraction_of, parse_word
from doe.designs.structure import check_estimable
from doe.errors import DesignError

Others = Literal["possible", "negligible"]
Pair = tuple[int, int]

# How many partial assignments of factors to columns are looked at per number of runs.
_MAX_STEPS = 20_000
_MAX_BASIC = 10


def parse_interactions(
    texts: Sequence[str], letters: Sequence[str], names: Sequence[str]
) -> tuple[Pair, ...]:
    """Read two-factor interactions such as ``AB`` or ``pH:temperature``, as positions of factors.

    Raises:
        DesignError: If one cannot be read or is no interaction of two factors.
    """
    pairs: list[Pair] = []
    for text in [texts] if isinstance(texts, str) else texts:
        word = parse_word(text, letters, names)
        if len(word) != 2:
            raise DesignError(
                f"estimate names two-factor interactions, such as '{names[0]}:{names[-1]}', got "
                f"'{text}' with {len(word)}: main effects are always estimated; for others use "
                "full_factorial or optimal_design."
            )
        pairs.append((word[0], word[1]))
    return tuple(dict.fromkeys(pairs))


def estimating_fraction(
    n_factors: int,
    pairs: Sequence[Pair],
    *,
    others: Others,
    resolution: int | None = None,
    n_runs: int | None = None,
    admits: Callable[[Fraction], bool] = lambda _: True,
) -> Fraction:
    """Return the smallest fraction that estimates every main effect and the named interactions.

    Factors are assigned to columns one after the other, back and forth; of the assignments that
    estimate the named effects, that with the fewest short words is kept. The search ends after a
    fixed number of steps per size, so that a fraction of minimum aberration is likely, not certain.

    Args:
        n_factors: How many factors there are.
        pairs: The interactions, as positions of factors.
        others: ``possible``: main effects and the named interactions are clear of each other and of
            all other two-factor interactions. ``negligible``: of each other only, the others being
            taken for zero.
        resolution: Least length of a word.
        n_runs: Number of runs; the smallest that serves where absent.
        admits: What else the fraction must allow.

    Raises:
        DesignError: If no fraction, or none of ``n_runs`` runs, was found; says what would do.

    Source:
        Greenfield (1976), Applied Statistics 25, 64-67: the requirement set; Franklin and Bailey
        (1977), Applied Statistics 26, 321-326, and Franklin (1985), Technometrics 27, 165-172: the
        search over columns that the requirement leaves eligible. Wu and Chen (1992), Technometrics
        34, 162-175: clear interactions.
    """
    if others not in ("possible", "negligible"):
        raise DesignError(
            f"other_interactions is {others!r}: choose 'possible' (the named interactions are kept "
            "clear of all others) or 'negligible' (the others are taken for zero)."
        )
    shortest = max(4 if others == "possible" else 3, resolution or 0)
    fewest = (n_factors + len(pairs)).bit_length()
    sizes = range(fewest, min(n_factors - 1, _MAX_BASIC) + 1)
    asked = [q for q in sizes if n_runs is None or n_runs == 2**q]
    for n_basic in asked:
        fraction = _assigned(n_factors, pairs, n_basic, others, shortest)
        if fraction is not None and admits(fraction):
            return fraction
    serving = [
        2**q
        for q in sizes
        if q not in asked and _assigned(n_factors, pairs, q, others, shortest) is not None
    ]
    size = "" if n_runs is None else f" in {n_runs} runs"
    smaller = f"n_runs={' or '.join(map(str, serving))}, or " if serving else ""
    looser = (
        ", or take the others for zero (other_interactions='negligible')"
        if others == "possible"
        else ""
    )
    raise DesignError(
        f"No fraction of {n_factors} factors{size} was found that has resolution "
        f"{roman(shortest)} or higher and estimates the interactions asked for. "
        f"Choose {smaller}full_factorial ({2**n_factors} runs), name fewer interactions{looser}."
    )


def _assigned(
    n_factors: int, pairs: Sequence[Pair], n_basic: int, others: Others, shortest: int
) -> Fraction | None:
    degree = [sum(place in pair for pair in pairs) for place in range(n_factors)]
    # The factors with the most requirements come first: they leave the fewest choices.
    order = sorted(range(n_factors), key=lambda place: -degree[place])
    search = _Search(n_basic, order, frozenset(map(frozenset, pairs)), shortest, others)
    counts = np.zeros((2**n_basic, n_factors + 1), dtype=np.int64)
    counts[0, 0] = 1
    search.extend([], 0, counts, (0,) * (n_factors + 1))
    if search.best is None:
        return None
    columns = [search.best[order.index(place)] for place in range(n_factors)]
    fraction = fraction_of(n_factors, _generators(columns))
    method = f"fraction of {n_factors} factors"
    check_estimable(fraction.signs, pairs, is_clear=others == "possible", method=method)
    return fraction


@dataclass(slots=True)
class _Search:
    """Factors assigned to columns one after the other; columns are numbers, products are xor.

    Attributes:
        n_basic: How many independent columns there must be.
        order: The factors in the order of being assigned.
        pairs: The interactions to be estimated.
        shortest: Least length of a word.
        others: What other interactions may be.
        best: The columns of the best assignment so far, in ``order``.
        best_pattern: How many words of each length it has.
        steps_left: How many more partial assignments are looked at.
    """

    n_basic: int
    order: Sequence[int]
    pairs: frozenset[frozenset[int]]
    shortest: int
    others: Others
    best: list[int] | None = None
    best_pattern: tuple[int, ...] = ()
    steps_left: int = _MAX_STEPS
    every: IntArray = field(init=False)

    def __post_init__(self) -> None:
        self.every = np.arange(2**self.n_basic)

    def extend(
        self, columns: list[int], n_independent: int, counts: IntArray, pattern: tuple[int, ...]
    ) -> None:
        """Try every column for the next factor.

        Args:
            columns: Those of the factors before, in ``order``.
            n_independent: How many of them no others are the product of.
            counts: How many products of so many factors equal each column.
            pattern: How many words of each length there are.
        """
        if self.steps_left <= 0 or (self.best is not None and pattern >= self.best_pattern):
            return
        if len(columns) == len(self.order):
            self.best, self.best_pattern = list(columns), pattern
            return
        n_left = len(self.order) - len(columns)
        for column in self._candidates(columns, n_independent, counts):
            is_new = column == 1 << n_independent
            if not is_new and n_left <= self.n_basic - n_independent:
                continue
            self.steps_left -= 1
            words = (0, *(int(n) for n in counts[column, :-1]))
            grown = counts.copy()
            grown[:, 1:] += counts[self.every ^ column, :-1]
            total = tuple(a + b for a, b in zip(pattern, words, strict=True))
            self.extend([*columns, column], n_independent + is_new, grown, total)

    def _candidates(
        self, columns: Sequence[int], n_independent: int, counts: IntArray
    ) -> list[int]:
        """Return the columns that the next factor may have, those that make few words first."""
        refused: BoolArray = np.any(counts[:, : self.shortest - 1] > 0, axis=1)
        refused[list(self._reserved(columns))] = True
        inside = np.flatnonzero(~refused[: 2**n_independent])
        last = self._last_of_its_kind(columns)
        # Factors that nothing is asked of are alike: independent ones first, then by column.
        if last is not None:
            inside = inside[inside > last]
        ranked = sorted(map(int, inside), key=lambda column: tuple(counts[column, 2:]))
        is_free = n_independent < self.n_basic and last is None
        return [1 << n_independent, *ranked] if is_free else ranked

    def _last_of_its_kind(self, columns: Sequence[int]) -> int | None:
        """Return the previous factor's column if it and the next are unnamed, and it depends."""
        place = len(columns)
        if place == 0 or any(self._is_named(self.order[p]) for p in (place - 1, place)):
            return None
        before = max((column.bit_length() for column in columns[:-1]), default=0)
        return None if columns[-1].bit_length() > before else columns[-1]

    def _is_named(self, factor: int) -> bool:
        return any(factor in pair for pair in self.pairs)

    def _reserved(self, columns: Sequence[int]) -> set[int]:
        """Return the columns at which the next factor would disturb a named interaction."""
        factor = self.order[len(columns)]
        column_of = dict(zip(self.order, columns, strict=False))
        named = [pair for pair in self.pairs if factor not in pair and pair <= column_of.keys()]
        products = {_product(pair, column_of) for pair in named}
        partners = [
            column_of[other]
            for pair in self.pairs
            if factor in pair
            for other in pair - {factor}
            if other in column_of
        ]
        if self.others == "negligible":
            taken = products | set(columns)
            return products | {partner ^ column for partner in partners for column in taken}
        taken = {one ^ other for one, other in combinations(columns, 2)}
        return {product ^ column for product in products for column in columns} | {
            partner ^ column for partner in partners for column in taken
        }


def _product(pair: frozenset[int], column_of: Mapping[int, int]) -> int:
    one, other = pair
    return column_of[one] ^ column_of[other]


def _generators(columns: Sequence[int]) -> tuple[Generator, ...]:
    """Return the generators: the first factors that are independent are basic, others products."""
    # For each leading bit, a column with that bit and the basic factors it is the product of.
    reduced: dict[int, tuple[int, frozenset[int]]] = {}
    generators = []
    for place, column in enumerate(columns):
        rest, product = column, frozenset[int]()
        while rest and rest.bit_length() in reduced:
            other, factors = reduced[rest.bit_length()]
            rest, product = rest ^ other, product ^ factors
        if rest:
            reduced[rest.bit_length()] = (rest, product | {place})
        else:
            generators.append(Generator(place, tuple(sorted(product))))
    return tuple(generators)

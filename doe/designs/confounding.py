"""Two-level runs divided into blocks that are confounded with interactions of high order."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from doe.arrays import BoolArray, IntArray
from doe.designs.fractions import Fraction, parse_word
from doe.errors import DesignError
from doe.runs import JSON

# Up to so many basic factors every division into blocks is tried.
_MAX_SEARCHED = 8
_MAX_WRITTEN = 64
_MAX_ORDER = 5


@dataclass(frozen=True, slots=True)
class BlockPlan:
    """How one replicate of a two-level design is divided into blocks.

    Attributes:
        numbers: The block of each run, from 0, shape ``(n_runs,)``; the first run is in block 0.
        generators: The interactions whose signs tell the blocks apart, as positions of factors.
        confounded: Per contrast between blocks, the effects of lowest order that it is equal to.
        found_by: How the generators were chosen.
    """

    numbers: IntArray
    generators: tuple[tuple[int, ...], ...] = ()
    confounded: tuple[tuple[tuple[int, ...], ...], ...] = ()
    found_by: str = ""


def one_block(n_runs: int) -> BlockPlan:
    """Return the plan that does not divide the runs."""
    return BlockPlan(np.zeros(n_runs, dtype=np.int64))


def regular_blocks(
    fraction: Fraction, n_blocks: int, *, spared: Sequence[tuple[int, ...]] = ()
) -> BlockPlan | None:
    """Return the best division of a two-level design into equal blocks, None if there is none.

    No main effect is confounded with blocks, nor any effect that is to be spared. Then the fewest
    two-factor interactions are, then the fewest of three factors, and so on: the block word-length
    pattern of minimum aberration for the given fraction.

    Args:
        fraction: The runs of one replicate.
        n_blocks: A power of two.
        spared: Interactions that must not be confounded, as positions of factors.

    Source:
        Sun, Wu and Chen (1997), Technometrics 39, 298-307; Sitter, Chen and Feder (1997),
        Technometrics 39, 382-390: the criterion, the words of the treatments ranked first.
    """
    n_generators = n_blocks.bit_length() - 1
    if n_generators == 0:
        return one_block(len(fraction.signs))
    columns = _columns(fraction)
    n_basic = fraction.signs.shape[1] - len(fraction.generators)
    if n_generators >= n_basic:
        return None
    counts = _counts_by_column(columns, n_basic)
    refused = counts[:, 1] > 0
    refused[[0, *(_column(effect, columns) for effect in spared)]] = True
    if n_basic <= _MAX_SEARCHED:
        chosen = _best_of_all(counts[:, 2:], refused, n_generators)
        found_by = "minimum aberration of the blocks, among all divisions"
    else:
        chosen = _best_in_turn(counts[:, 2:], refused, n_generators)
        found_by = "low aberration of the blocks, one generator improved after the other"
    if chosen is None:
        return None
    words = tuple(sorted(_shortest(column, columns)[0] for column in chosen))
    return _plan(fraction, words, found_by)


def generated_blocks(
    texts: Sequence[str],
    fraction: Fraction,
    letters: Sequence[str],
    names: Sequence[str],
    *,
    spared: Sequence[tuple[int, ...]] = (),
) -> BlockPlan:
    """Return the division that block generators such as ``["ABC", "CDE"]`` stand for.

    Raises:
        DesignError: If one cannot be read, is constant in this fraction, follows from the others,
            or a main effect or an interaction to be spared would be confounded with blocks.
    """
    parts = [texts] if isinstance(texts, str) else list(texts)
    words = tuple(parse_word(text, letters, names) for text in parts)
    columns = _columns(fraction)
    span: dict[int, str] = {0: ""}
    for text, word in zip(parts, words, strict=True):
        column = _column(word, columns)
        if column == 0:
            raise DesignError(
                f"Block generator '{text}' is constant in this fraction, it is a word of its "
                "defining relation: choose another interaction."
            )
        if column in span:
            raise DesignError(
                f"Block generator '{text}' follows from the others ({span[column]}) and divides "
                "nothing further: choose another interaction."
            )
        span |= {other ^ column: f"{of} x {text}" if of else text for other, of in span.items()}
    for effect in [*((place,) for place in range(len(columns))), *spared]:
        column = _column(effect, columns)
        if column in span:
            raise DesignError(
                f"Block generators {parts} confound {':'.join(names[p] for p in effect)}, which is "
                f"{span[column]}, with blocks: choose other interactions."
            )
    return _plan(fraction, words, "generators that were given")


def confounded_texts(plan: BlockPlan, letters: Sequence[str]) -> list[str]:
    """Return what blocks are confounded with, a contrast a line, such as ``ABC = DE``."""
    return [
        " = ".join(_text(word, letters) for word in words)
        for words in plan.confounded[:_MAX_WRITTEN]
    ]


def lost_texts(plan: BlockPlan, letters: Sequence[str]) -> list[str]:
    """Return the two-factor interactions that cannot be told from blocks."""
    lost = [word for words in plan.confounded for word in words if len(word) == 2]
    return [_text(word, letters) for word in sorted(lost)]


def block_facts(plan: BlockPlan, letters: Sequence[str]) -> dict[str, JSON]:
    """Return what a record says about blocks that are confounded with interactions."""
    if not plan.generators:
        return {}
    return {
        "block_generators": [_text(word, letters) for word in plan.generators],
        "confounded": confounded_texts(plan, letters),
        "lost_to_blocks": lost_texts(plan, letters),
        "blocks_found_by": plan.found_by,
    }


def _plan(fraction: Fraction, words: tuple[tuple[int, ...], ...], found_by: str) -> BlockPlan:
    signs = fraction.signs
    numbers = np.zeros(len(signs), dtype=np.int64)
    for place, word in enumerate(words):
        product = signs[:, word].prod(axis=1)
        numbers += (product != product[0]) * 2**place
    columns = _columns(fraction)
    own = [_column(word, columns) for word in words]
    contrasts = [
        _xor(chosen) for size in range(1, len(own) + 1) for chosen in combinations(own, size)
    ]
    # So many contrasts come of designs of hundreds of runs; nobody reads them all.
    confounded = tuple(_shortest(column, columns) for column in contrasts[:_MAX_WRITTEN])
    return BlockPlan(numbers, words, confounded, found_by)


def _columns(fraction: Fraction) -> list[int]:
    """Return for each factor the basic factors that it is the product of, as bits."""
    n_factors = fraction.signs.shape[1]
    generated = {generator.factor: generator.product for generator in fraction.generators}
    basic = [place for place in range(n_factors) if place not in generated]
    bit = {place: 1 << number for number, place in enumerate(basic)}
    return [
        bit[place] if place in bit else _xor([bit[p] for p in generated[place]])
        for place in range(n_factors)
    ]


def _xor(values: Sequence[int]) -> int:
    total = 0
    for value in values:
        total ^= value
    return total


def _column(word: Sequence[int], columns: Sequence[int]) -> int:
    return _xor([columns[place] for place in word])


def _counts_by_column(columns: Sequence[int], n_basic: int) -> IntArray:
    """Return how many effects of each order equal each column, shape ``(2^n_basic, k + 1)``."""
    counts = np.zeros((2**n_basic, len(columns) + 1), dtype=np.int64)
    counts[0, 0] = 1
    every = np.arange(2**n_basic)
    for column in columns:
        counts[:, 1:] += counts[every ^ column, :-1].copy()
    return counts


def _shortest(column: int, columns: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """Return the effects of lowest order that equal a column."""
    n_factors = len(columns)
    for size in range(1, n_factors + 1):
        if size > _MAX_ORDER and comb(n_factors, size) > 10_000:
            break
        found = [w for w in combinations(range(n_factors), size) if _column(w, columns) == column]
        if found:
            return tuple(found)
    basic = {columns.index(1 << n): 1 << n for n in range(max(columns).bit_length())}
    return (tuple(place for place, bit in sorted(basic.items()) if column & bit),)


def _best_of_all(counts: IntArray, refused: BoolArray, n_generators: int) -> list[int] | None:
    """Return generating columns of the best block contrasts among all.

    Every set of contrasts closed under products has one basis in reduced echelon form: leading bits
    fall, and no other member has a bit where one leads. Building these bases from the highest
    leading bit down meets each set once.
    """
    n_basic = len(counts).bit_length() - 1
    bases = np.zeros((1, 0), dtype=np.int64)
    spans = np.zeros((1, 1), dtype=np.int64)
    leads = np.full(1, n_basic)
    for _ in range(n_generators):
        grown: list[tuple[IntArray, IntArray, IntArray]] = []
        for lead in range(n_basic):
            free = (leads > lead) & ~((bases >> lead) & 1).any(axis=1)
            for vector in range(2**lead, 2 ** (lead + 1)):
                new = spans[free] ^ vector
                fits = ~refused[new].any(axis=1)
                kept = np.column_stack([bases[free][fits], np.full(fits.sum(), vector)])
                span = np.hstack([spans[free][fits], new[fits]])
                grown.append((kept, span, np.full(len(kept), lead)))
        bases, spans, leads = (np.concatenate([part[i] for part in grown]) for i in range(3))
        if not len(bases):
            return None
    places = np.arange(len(spans))
    for order in range(counts.shape[1]):
        totals = counts[:, order][spans[places]].sum(axis=1)
        places = places[totals == totals.min()]
    return [int(column) for column in bases[places[0]]]


def _best_in_turn(counts: IntArray, refused: BoolArray, n_generators: int) -> list[int] | None:
    """Return good generating columns, each chosen for the others until none gets better.

    Started from every column that differs from others in what it is equal to.
    """
    allowed = np.flatnonzero(~refused)
    _, first = np.unique(counts[allowed], axis=0, return_index=True)
    found = [
        _exchanged(chosen, counts, refused)
        for start in allowed[first]
        if (chosen := _grown([int(start)], counts, refused, n_generators)) is not None
    ]
    return min(found, key=lambda columns: _pattern(columns, counts), default=None)


def _grown(
    columns: list[int], counts: IntArray, refused: BoolArray, n_generators: int
) -> list[int] | None:
    while len(columns) < n_generators:
        column = _best_beside(columns, counts, refused)
        if column is None:
            return None
        columns = [*columns, column]
    return columns


def _exchanged(columns: list[int], counts: IntArray, refused: BoolArray) -> list[int]:
    best, is_better = _pattern(columns, counts), True
    while is_better:
        is_better = False
        for place in range(len(columns)):
            others = columns[:place] + columns[place + 1 :]
            column = _best_beside(others, counts, refused)
            assert column is not None
            found = _pattern([*others, column], counts)
            if found < best:
                columns, best, is_better = [*others, column], found, True
    return columns


def _span(columns: Sequence[int]) -> IntArray:
    span = np.zeros(1, dtype=np.int64)
    for column in columns:
        span = np.concatenate([span, span ^ column])
    return span


def _pattern(columns: Sequence[int], counts: IntArray) -> tuple[int, ...]:
    return tuple(int(total) for total in counts[_span(columns)].sum(axis=0))


def _best_beside(chosen: Sequence[int], counts: IntArray, refused: BoolArray) -> int | None:
    span = _span(chosen)
    candidates = np.setdiff1d(np.arange(len(counts)), span)
    candidates = candidates[~refused[candidates[:, None] ^ span].any(axis=1)]
    if not len(candidates):
        return None
    for order in range(counts.shape[1]):
        totals = counts[:, order][candidates[:, None] ^ span].sum(axis=1)
        candidates = candidates[totals == totals.min()]
    return int(candidates[0])


def _text(word: Sequence[int], letters: Sequence[str]) -> str:
    return "".join(letters[place] for place in word)

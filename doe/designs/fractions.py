"""Regular two-level fractions: generators read and checked, and the runs they stand for."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from doe.arrays import FloatArray
from doe.designs.aliasing import roman
from doe.designs.minimum_aberration import minimum_aberration_products
from doe.designs.structure import check_all_combinations, check_resolution
from doe.errors import DesignError

MAX_GENERATORS = 16


@dataclass(frozen=True, slots=True)
class Generator:
    """A factor that is set by the product of others, such as ``E = -ABCD``.

    Attributes:
        factor: Position of the generated factor.
        product: Positions of the factors it is the product of, ascending.
        sign: 1, or -1 for the opposite of the product.
    """

    factor: int
    product: tuple[int, ...]
    sign: int = 1

    def text(self, letters: Sequence[str]) -> str:
        """Return the generator as textbooks write it."""
        word = "".join(letters[place] for place in self.product)
        return f"{letters[self.factor]} = {'-' if self.sign < 0 else ''}{word}"


@dataclass(frozen=True, slots=True)
class Fraction:
    """A two-level fraction.

    Attributes:
        signs: The runs in standard order, -1 and +1, shape ``(n_runs, n_factors)``.
        generators: What makes it a fraction; empty for the full factorial.
        resolution: Length of the shortest word; None for the full factorial.
    """

    signs: FloatArray
    generators: tuple[Generator, ...]
    resolution: int | None


def parse_generators(
    texts: Sequence[str], letters: Sequence[str], names: Sequence[str]
) -> tuple[Generator, ...]:
    """Read generators such as ``E=ABCD`` or ``temperature = pH * feed``.

    Raises:
        DesignError: If a generator cannot be read, names an unknown, basic or repeated factor, or
            builds on a factor that is itself generated.
    """
    if isinstance(texts, str):
        texts = [part for part in re.split(r"[,;]", texts) if part.strip()]
    generators = tuple(_parse_generator(text, letters, names) for text in texts)
    generated = [generator.factor for generator in generators]
    for generator, text in zip(generators, texts, strict=True):
        if generated.count(generator.factor) > 1:
            raise DesignError(
                f"Generator '{text}': {letters[generator.factor]} is generated twice: keep one."
            )
        inner = [letters[place] for place in generator.product if place in generated]
        if inner:
            raise DesignError(
                f"Generator '{text}' builds on {', '.join(inner)}, which is itself generated: "
                "write it as a product of basic factors."
            )
    return generators


def fraction_of(n_factors: int, generators: Sequence[Generator]) -> Fraction:
    """Return the runs of a fraction, its resolution found from the generators and from the runs.

    Raises:
        DesignError: If two factors would always move together, there are too many generators, or
            the runs fail their structural check.
    """
    if not generators:
        return Fraction(_full(n_factors), (), None)
    if len(generators) > MAX_GENERATORS:
        raise DesignError(
            f"{len(generators)} generators are more than {MAX_GENERATORS}: use plackett_burman for "
            "so many factors in so few runs."
        )
    shortest = min(map(len, _words(generators)))
    if shortest < 3:
        raise DesignError(
            f"These generators give resolution {roman(shortest)}, so that two factors always move "
            "together: give each factor its own product of two or more basic factors."
        )
    signs = _signs(n_factors, generators)
    check_resolution(signs, shortest, f"fraction of {n_factors} factors")
    return Fraction(signs, tuple(generators), shortest)


def parse_word(text: str, letters: Sequence[str], names: Sequence[str]) -> tuple[int, ...]:
    """Read a product of factors such as ``ABC``, ``A:B`` or ``pH * feed``; positions ascending.

    Raises:
        DesignError: If it names an unknown factor, or one twice.
    """
    if not isinstance(text, str) or not text.strip():
        raise DesignError(
            f"The product {text!r} cannot be read: write letters, such as '{letters[0]}"
            f"{letters[-1]}', or names, such as '{names[0]}:{names[-1]}'."
        )
    places = _places(text, text, letters, names)
    if len(set(places)) < len(places):
        raise DesignError(f"'{text}' names a factor twice: each may stand in it once.")
    return tuple(sorted(places))


def best_fraction(
    n_factors: int,
    *,
    resolution: int | None,
    n_runs: int | None,
    admits: Callable[[Fraction], bool] = lambda _: True,
) -> Fraction:
    """Return the smallest fraction of minimum aberration with at least the resolution.

    Args:
        n_factors: How many factors there are.
        resolution: Least length of a word; any where absent.
        n_runs: Number of different runs; the smallest that fits where absent.
        admits: What else the fraction must allow.

    Raises:
        DesignError: If there is none; says what there is.
    """
    offered: list[str] = []
    for n_basic, products in minimum_aberration_products(n_factors).items():
        generators = [Generator(n_basic + i, product) for i, product in enumerate(products)]
        fraction = fraction_of(n_factors, generators)
        assert fraction.resolution is not None
        offered.append(f"{2**n_basic} runs with resolution {roman(fraction.resolution)}")
        fits = n_runs is None or n_runs == 2**n_basic
        if fits and (resolution is None or fraction.resolution >= resolution):
            if admits(fraction):
                return fraction
            offered[-1] += " (which cannot be divided into these blocks)"
    asked = [f"{n_runs} runs"] if n_runs is not None else []
    asked += [f"resolution {roman(resolution)} or higher"] if resolution is not None else []
    raise DesignError(
        f"No listed fraction of {n_factors} factors has {' and '.join(asked)}; there are "
        f"{', '.join(offered)}. Choose one, give generators, or use full_factorial "
        f"({2**n_factors} runs)."
    )


def _parse_generator(text: str, letters: Sequence[str], names: Sequence[str]) -> Generator:
    sides = text.split("=") if isinstance(text, str) else []
    if len(sides) != 2 or not all(side.strip() for side in sides):
        raise DesignError(
            f"Generator {text!r} cannot be read: write a factor, '=', and a product, such as "
            f"'{letters[-1]} = {''.join(letters[:2])}'."
        )
    left, right = (side.strip() for side in sides)
    sign = -1 if right.startswith("-") else 1
    right = right.removeprefix("-").removeprefix("+").strip()
    places = _places(right, text, letters, names)
    factor = _place(left, text, letters, names)
    if len(set(places)) < len(places) or factor in places:
        raise DesignError(f"Generator '{text}' uses a factor twice: each may stand in it once.")
    return Generator(factor, tuple(sorted(places)), sign)


def _places(product: str, text: str, letters: Sequence[str], names: Sequence[str]) -> list[int]:
    product = product.strip()
    parts = [part.strip() for part in re.split(r"[*:]", product)]
    if len(parts) == 1 and product not in names:
        parts = list(product.replace(" ", ""))
    return [_place(part, text, letters, names) for part in parts]


def _place(name: str, text: str, letters: Sequence[str], names: Sequence[str]) -> int:
    places = {list(known).index(name) for known in (letters, names) if name in known}
    if len(places) == 2:
        letter = letters[list(names).index(name)]
        raise DesignError(
            f"'{text}': '{name}' is the name of factor {letter}, and the letter of "
            f"'{names[list(letters).index(name)]}': rename the factor '{name}'."
        )
    if places:
        return places.pop()
    listed = ", ".join(
        letter if letter == full else f"{letter} = {full}"
        for letter, full in zip(letters, names, strict=True)
    )
    raise DesignError(f"'{text}': '{name}' is not a factor; those are {listed}.")


def _words(generators: Sequence[Generator]) -> list[frozenset[int]]:
    """Return every word of the defining relation, from the generators."""
    words = []
    single = [frozenset({g.factor, *g.product}) for g in generators]
    for size in range(1, len(single) + 1):
        for chosen in combinations(single, size):
            word: frozenset[int] = frozenset()
            for part in chosen:
                word ^= part
            words.append(word)
    return words


def _full(n_factors: int) -> FloatArray:
    from pyDOE3 import fullfact

    levels = np.asarray(fullfact([2] * n_factors), dtype=np.int64)
    check_all_combinations(levels, [2] * n_factors, f"full factorial of {n_factors} factors")
    return np.asarray(2.0 * levels - 1.0, dtype=np.float64)


def _signs(n_factors: int, generators: Sequence[Generator]) -> FloatArray:
    from pyDOE3 import fracfact

    generated = {generator.factor: generator for generator in generators}
    basic = [place for place in range(n_factors) if place not in generated]
    # pyDOE3 varies its last letter fastest; standard order varies the first factor fastest.
    letter = {place: chr(ord("a") + i) for i, place in enumerate(reversed(basic))}
    words = []
    for place in range(n_factors):
        if place in letter:
            words.append(letter[place])
        else:
            product = "".join(sorted(letter[p] for p in generated[place].product))
            words.append(f"{'-' if generated[place].sign < 0 else ''}{product}")
    return np.asarray(fracfact(" ".join(words)), dtype=np.float64)

"""The fractions with the fewest short words for their numbers of factors and runs."""

from doe.errors import DesignError

# Per number of basic factors, then of factors: the products of basic factors that the others
# equal. A product is the sum of its factors' numbers 1, 2, 4, 8, ... (Yates' column numbers): A is
# 1, B is 2, AB is 3, C is 4, ABC is 7.
_PRODUCTS: dict[int, dict[int, tuple[int, ...]]] = {
    2: {3: (3,)},
    3: {4: (7,), 5: (3, 5), 6: (3, 5, 6), 7: (3, 5, 6, 7)},
    4: {
        5: (15,),
        6: (7, 11),
        7: (7, 11, 13),
        8: (7, 11, 13, 14),
        9: (3, 5, 9, 14, 15),
        10: (3, 5, 6, 9, 14, 15),
        11: (3, 5, 6, 9, 10, 13, 14),
        12: (3, 5, 6, 9, 10, 13, 14, 15),
        13: (3, 5, 6, 7, 9, 10, 11, 12, 13),
        14: (3, 5, 6, 7, 9, 10, 11, 12, 13, 14),
        15: (3, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15),
    },
    5: {
        6: (31,),
        7: (7, 27),
        8: (7, 11, 29),
        9: (7, 11, 19, 29),
        10: (7, 11, 19, 29, 30),
        11: (7, 11, 13, 19, 21, 25),
        12: (7, 11, 13, 14, 19, 21, 25),
        13: (7, 11, 13, 14, 19, 21, 22, 25),
        14: (7, 11, 13, 14, 19, 21, 22, 25, 26),
        15: (7, 11, 13, 14, 19, 21, 22, 25, 26, 28),
        16: (7, 11, 13, 14, 19, 21, 22, 25, 26, 28, 31),
    },
    6: {
        7: (63,),
        8: (15, 51),
        9: (7, 27, 45),
        10: (7, 27, 43, 53),
        11: (7, 11, 29, 45, 51),
        12: (7, 11, 29, 45, 51, 62),
        13: (7, 11, 19, 29, 37, 57, 63),
        14: (7, 11, 19, 29, 35, 45, 53, 57),
        15: (7, 11, 19, 29, 35, 45, 53, 57, 63),
        16: (7, 11, 13, 19, 21, 35, 37, 57, 58, 60),
    },
    7: {
        8: (127,),
        9: (31, 103),
        10: (15, 51, 85),
        11: (15, 51, 85, 106),
        12: (7, 57, 90, 108, 119),
        13: (7, 27, 43, 77, 113, 127),
        14: (7, 27, 43, 53, 77, 115, 126),
        15: (15, 22, 44, 51, 77, 85, 106, 112),
    },
}

MAX_FACTORS = 16


def minimum_aberration_products(n_factors: int) -> dict[int, tuple[tuple[int, ...], ...]]:
    """Return the best fractions of so many factors, smallest first, by number of basic factors.

    A fraction has minimum aberration when none of its size has fewer shortest words, then fewer of
    the next length, and so on. Each factor after the basic ones equals a product of basic factors,
    given by their positions from 0.

    Raises:
        DesignError: If there are too few or too many factors.

    Source:
        Fries and Hunter (1980), Technometrics 22, 601-608: the criterion. The designs were found by
        enumerating all fractions with few enough shortest words, one factor after the other, as in
        Chen, Sun and Wu (1993), International Statistical Review 61, 131-145.
    """
    if not 3 <= n_factors <= MAX_FACTORS:
        raise DesignError(
            f"Fractions are listed for 3 to {MAX_FACTORS} factors, and this space has {n_factors}: "
            "use full_factorial for fewer and plackett_burman for more, or give generators."
        )
    return {
        n_basic: tuple(_positions(product) for product in designs[n_factors])
        for n_basic, designs in sorted(_PRODUCTS.items())
        if n_factors in designs
    }


def _positions(product: int) -> tuple[int, ...]:
    return tuple(place for place in range(product.bit_length()) if product >> place & 1)

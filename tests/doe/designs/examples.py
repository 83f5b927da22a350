"""Factor spaces for the tests of designs, and words of a fraction counted one by one."""

from collections import Counter
from itertools import combinations

import numpy as np
from hypothesis import strategies as st

from doe.arrays import FloatArray
from doe.factors import CategoricalFactor, ContinuousFactor, DiscreteFactor, SearchedFactor
from doe.space import FactorSpace


def continuous(n_factors: int, **options: object) -> FactorSpace:
    """Return continuous factors with different ranges, called x1, x2, ..."""
    return FactorSpace(
        tuple(
            ContinuousFactor(f"x{i}", 10.0 * i, 10.0 * i + 4.0, **options)
            for i in range(1, n_factors + 1)
        )
    )


def words_one_by_one(signs: FloatArray) -> dict[int, int]:
    """Return how many products of columns are constant, by their number of columns."""
    n_factors = signs.shape[1]
    lengths = Counter(
        size
        for size in range(1, n_factors + 1)
        for word in combinations(range(n_factors), size)
        if np.ptp(signs[:, word].prod(axis=1)) == 0
    )
    return dict(lengths)


@st.composite
def two_level_spaces(draw: st.DrawFn, min_size: int = 1, max_size: int = 7) -> FactorSpace:
    """Return spaces of factors that have two levels, or ends that stand for them."""
    n_factors = draw(st.integers(min_size, max_size))
    return FactorSpace(tuple(draw(_two_level_factors(i)) for i in range(n_factors)))


@st.composite
def mixed_spaces(draw: st.DrawFn, max_size: int = 4) -> FactorSpace:
    """Return spaces without constraints, of continuous, stepped, discrete, categorical factors."""
    factors: list[SearchedFactor] = []
    for i in range(draw(st.integers(1, max_size))):
        kind = draw(st.sampled_from(["two-level", "stepped", "discrete", "categorical"]))
        if kind == "stepped":
            step = draw(st.sampled_from([0.1, 0.5, 0.3]))
            factors.append(ContinuousFactor(f"f{i}", 2.0, 4.0, "g/L", step=step))
        elif kind == "discrete":
            levels = tuple(float(n**2) for n in range(1, draw(st.integers(3, 7))))
            factors.append(DiscreteFactor(f"f{i}", levels))
        elif kind == "categorical":
            factors.append(CategoricalFactor(f"f{i}", tuple("ABCDE"[: draw(st.integers(2, 5))])))
        else:
            factors.append(draw(_two_level_factors(i)))
    return FactorSpace(tuple(factors))


def _two_level_factors(place: int) -> st.SearchStrategy[SearchedFactor]:
    low = st.sampled_from([-40.0, 0.001, 5.0, 1e6])
    return st.one_of(
        low.map(lambda x: ContinuousFactor(f"f{place}", x, x + 2.5, "degC")),
        low.map(lambda x: DiscreteFactor(f"f{place}", (x, x + 1))),
        st.just(CategoricalFactor(f"f{place}", ("resin 1", "resin 2"))),
        st.just(ContinuousFactor(f"f{place}", 0.01, 100.0, scale="log")),
    )

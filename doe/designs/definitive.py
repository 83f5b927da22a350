"""Definitive screening designs: main effects clear of every second-order effect, and curvature."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from doe.arrays import FloatArray
from doe.designs.assembly import CodedRun, Plan, assemble, check_count, refuse_kinds
from doe.designs.blocks import with_block
from doe.designs.conference import ORDERS, conference_matrix
from doe.designs.crossing import check_size
from doe.designs.structure import check_fold_over, check_orthogonal
from doe.designs.two_level_columns import filled_columns
from doe.errors import DesignError
from doe.factors import CategoricalFactor, DiscreteFactor, MixtureComponent, SearchedFactor
from doe.runs import JSON, Design
from doe.space import FactorSpace

TwoLevel = Literal["fold-over", "orthogonal"]

MIN_FACTORS = 3
MAX_FACTORS = 20
_MAX_ORTHOGONAL = 4
_METHOD = "definitive screening design"
_INSTEAD = "use an optimal or space-filling design, which keep to constraints and mixed factors"


@dataclass(frozen=True, slots=True)
class _Screen:
    """The parts of a definitive screening design before it is written in natural units.

    Attributes:
        pairs: Two runs per row of the conference matrix, shape ``(order, 2, n_factors)``.
        centres: For each block its centre runs, shape ``(n_runs, n_factors)`` each.
        fake: Columns of the conference matrix without a factor, shape ``(order, n_fake)``.
        pairs_per_block: How many pairs each block has.
    """

    pairs: FloatArray
    centres: tuple[FloatArray, ...]
    fake: FloatArray
    pairs_per_block: tuple[int, ...]

    @property
    def points(self) -> FloatArray:
        """Coded runs, shape ``(n_runs, n_factors)``: block after block, pairs before centres."""
        return self._stacked(self.pairs, self.centres)

    @property
    def fake_columns(self) -> FloatArray:
        """The columns without a factor in all runs, shape ``(n_runs, n_fake)``."""
        pairs = np.stack([self.fake, -self.fake], axis=1)
        n_fake = self.fake.shape[1]
        return self._stacked(pairs, [np.zeros((len(runs), n_fake)) for runs in self.centres])

    @property
    def block_sizes(self) -> tuple[int, ...]:
        """How many runs each block has."""
        return tuple(
            2 * n + len(runs) for n, runs in zip(self.pairs_per_block, self.centres, strict=True)
        )

    @property
    def point_types(self) -> list[str]:
        """What each run is, in the order of ``points``."""
        return [
            kind
            for n, runs in zip(self.pairs_per_block, self.centres, strict=True)
            for kind in ["fold-over"] * (2 * n) + ["centre"] * len(runs)
        ]

    def _stacked(self, pairs: FloatArray, centres: Sequence[FloatArray]) -> FloatArray:
        ends = np.cumsum(self.pairs_per_block)[:-1]
        parts = np.split(pairs, ends)
        return np.vstack(
            [
                np.vstack([part.reshape(-1, pairs.shape[2]), runs])
                for part, runs in zip(parts, centres, strict=True)
            ]
        )


def definitive_screening(
    space: FactorSpace,
    *,
    extra_runs: int = 0,
    centre_points: int | Sequence[int] = 1,
    two_level: TwoLevel = "fold-over",
    n_blocks: int = 1,
    block: str | None = None,
) -> Design:
    """Return a definitive screening design: three settings of each factor in about two runs each.

    Each run has a mirror image with all signs reversed, so that main effects are orthogonal to all
    two-factor interactions and squares, whatever these are. Main effects of three-level factors are
    orthogonal to each other, and no second-order effect is fully aliased with another from six
    factors on. 2k + 1 runs for an even number k of factors, 2k + 3 for an odd one (a column of the
    matrix stays without a factor), in standard order; randomise them with ``Design.randomised``.

    Columns without a factor (fake factors) measure the noise free of any second-order effect;
    ``details`` holds them. Four extra runs make two more of them, and are worth it where several
    second-order effects are expected, and for fewer than six factors.

    Categorical factors with two levels, and discrete ones with two, stand at one of them in place
    of the middle. How:

    - ``fold-over`` (DSD-augment): mirror images stay, a centre run becomes a pair of runs, and main
      effects of the two-level factors correlate a little with other main effects.
    - ``orthogonal`` (ORTH-augment): main effects stay orthogonal, with two centre runs for one
      two-level factor and four for two to four of them; but main effects of two-level factors are
      aliased in part with interactions.

    Args:
        space: Three to twenty factors: continuous, discrete with a level in the middle, or with two
            levels.
        extra_runs: A multiple of four: two fake factors for every four runs.
        centre_points: Centre runs (pairs of them with two-level factors) in each block, or for each
            block; one per block lets all squares be estimated beside the blocks. Where blocks are
            random, ``(1, 0, 0)`` may do.
        two_level: What takes the place of the middle for factors with two levels.
        n_blocks: In how many blocks the runs are done; mirror images stay together, so that main
            effects are orthogonal to blocks.
        block: Name of the block factor.

    Raises:
        DesignError: If the factors do not fit, there is no such design, or a run is not allowed.

    Source:
        Jones and Nachtsheim (2011), J. Quality Technology 43, 1-15; Xiao, Lin and Bai (2012), J.
        Quality Technology 44, 2-8: conference matrices; two-level factors: Jones and Nachtsheim
        (2013), J. Quality Technology 45, 121-129; blocks: Jones and Nachtsheim (2016),
        Technometrics 58, 74-83; extra runs: Jones and Nachtsheim (2017), Technometrics 59, 319-329.
    """
    _check_factors(space)
    if two_level not in get_args(TwoLevel):
        raise DesignError(
            f"two_level is {two_level!r}; expected one of {', '.join(get_args(TwoLevel))}."
        )
    order = _order(len(space.names), extra_runs)
    counts = _centre_counts(centre_points, _checked_blocks(n_blocks, order))
    check_size(2 * order + 2 * sum(counts), _METHOD)
    if two_level == "orthogonal" and any(_has_two_levels(factor) for factor in space.searched):
        _check_orthogonal(space, n_blocks, counts)
        screen = _orthogonal_screen(space, order)
    else:
        screen = _fold_over_screen(space, order, counts)
        check_fold_over(screen.points, _METHOD)
    _check_squares(space, screen)
    blocked, name = with_block(space, block) if n_blocks > 1 else (space, "")
    return assemble(
        blocked,
        Plan(
            _coded_runs(space, screen.points),
            screen.point_types,
            f"definitive screening, {len(screen.points)} runs",
            _INSTEAD,
            details=_facts(space, screen, two_level),
            blocks=_labels(screen, name),
        ),
    )


def _check_factors(space: FactorSpace) -> None:
    refuse_kinds(space, (MixtureComponent,), _METHOD, "use a mixture or an optimal design")
    for factor in space.searched:
        if isinstance(factor, CategoricalFactor) and len(factor.levels) != 2:
            raise DesignError(
                f"A {_METHOD} takes categorical factors with two levels, but '{factor.name}' has "
                f"{len(factor.levels)}: {', '.join(factor.levels)}. Choose two of them, or use an "
                "optimal design."
            )
    n_factors = len(space.names)
    if n_factors < MIN_FACTORS:
        raise DesignError(
            f"A {_METHOD} needs at least {MIN_FACTORS} factors, and this space has {n_factors}: "
            "use central_composite, which takes few runs here and tells all effects apart."
        )
    if n_factors > MAX_FACTORS:
        raise DesignError(
            f"A {_METHOD} is listed for up to {MAX_FACTORS} factors, and this space has "
            f"{n_factors}: use plackett_burman, or leave out factors."
        )
    if all(_has_two_levels(factor) for factor in space.searched):
        raise DesignError(
            f"All factors {list(space.names)} have two levels, so that a {_METHOD} would find no "
            "curvature: use fractional_factorial or plackett_burman."
        )


def _has_two_levels(factor: SearchedFactor) -> bool:
    return isinstance(factor, CategoricalFactor | DiscreteFactor) and len(factor.levels) == 2


def _order(n_factors: int, extra_runs: int) -> int:
    """Return the order of the conference matrix: two runs for each of its rows."""
    check_count(extra_runs, "extra_runs", at_least=0)
    least = n_factors + n_factors % 2
    order = least + extra_runs // 2
    if extra_runs % 4 == 0 and order in ORDERS:
        return order
    possible = [str(2 * (other - least)) for other in ORDERS if other >= least]
    raise DesignError(
        f"extra_runs is {extra_runs}; conference matrices give {n_factors} factors "
        f"{', '.join(possible)} extra runs: choose one of these (4 is usual)."
    )


def _checked_blocks(n_blocks: int, order: int) -> int:
    if check_count(n_blocks, "n_blocks", at_least=1) > order:
        raise DesignError(
            f"n_blocks is {n_blocks}, but this design has {order} pairs of mirror images, which "
            f"stay together: choose at most {order} blocks."
        )
    return n_blocks


def _centre_counts(centre_points: int | Sequence[int], n_blocks: int) -> tuple[int, ...]:
    if isinstance(centre_points, Sequence) and not isinstance(centre_points, str):
        counts = tuple(check_count(n, "centre_points", at_least=0) for n in centre_points)
        if len(counts) != n_blocks:
            raise DesignError(
                f"centre_points has {len(counts)} counts, {list(counts)}, for {n_blocks} blocks: "
                "give one for each block, or one number for all."
            )
        return counts
    return (check_count(centre_points, "centre_points", at_least=0),) * n_blocks


def _check_orthogonal(space: FactorSpace, n_blocks: int, counts: tuple[int, ...]) -> None:
    names = [factor.name for factor in space.searched if _has_two_levels(factor)]
    if len(names) > _MAX_ORTHOGONAL:
        raise DesignError(
            f"two_level='orthogonal' has four centre runs, enough for {_MAX_ORTHOGONAL} factors "
            f"with two levels, and this space has {len(names)}: {names}. Take 'fold-over'."
        )
    if n_blocks > 1 or counts != (1,):
        raise DesignError(
            "two_level='orthogonal' fixes its centre runs and cannot be split into blocks: take "
            "'fold-over', or leave out n_blocks and centre_points."
        )


def _split(space: FactorSpace) -> tuple[list[int], list[int]]:
    """Return the positions of factors with three and with two levels."""
    # Factors take the columns of the matrix in this order, whatever theirs is in the space: the
    # quality of a design must not depend on the order in which factors are listed.
    two = [place for place, factor in enumerate(space.searched) if _has_two_levels(factor)]
    three = [place for place in range(len(space.names)) if place not in two]
    return three, two


def _fold_over_screen(space: FactorSpace, order: int, counts: tuple[int, ...]) -> _Screen:
    three, two = _split(space)
    n_factors, n_blocks = len(space.names), len(counts)
    matrix = conference_matrix(order)
    half = np.zeros((order, n_factors))
    centre = np.zeros((sum(counts), n_factors))
    half[:, three] = matrix[:, : len(three)]
    places = list(range(len(three), n_factors))
    half[:, two], centre[:, two] = filled_columns(matrix, places, len(centre))
    # A pair of centre runs stands at opposite levels of every two-level factor.
    runs = np.stack([centre, -centre], axis=1).reshape(-1, n_factors) if two else centre
    ends = np.cumsum([n * (2 if two else 1) for n in counts])[:-1]
    sizes = tuple(len(part) for part in np.array_split(np.arange(order), n_blocks))
    return _Screen(
        np.stack([half, -half], axis=1),
        tuple(np.split(runs, ends)),
        matrix[:, n_factors:],
        sizes,
    )


def _orthogonal_screen(space: FactorSpace, order: int) -> _Screen:
    three, two = _split(space)
    n_factors = len(space.names)
    matrix = conference_matrix(order)
    half = np.zeros((order, n_factors))
    half[:, [*three, *two]] = matrix[:, :n_factors]
    pairs = np.stack([half, -half], axis=1)
    # Both runs of a pair are high, which two centre runs at low set off: one each way of four adds
    # up to the same, and keeps several such factors orthogonal.
    for place, factor in enumerate(two, start=len(three)):
        pairs[place, :, factor] = 1.0
    centre = np.zeros((2 if len(two) == 1 else 4, n_factors))
    centre[:, two] = -1.0
    if len(two) > 1:
        centre[np.arange(len(two)), two] = 1.0
    screen = _Screen(pairs, (centre,), matrix[:, n_factors:], (order,))
    check_orthogonal(screen.points[:, two], _METHOD)
    return screen


def _check_squares(space: FactorSpace, screen: _Screen) -> None:
    points = screen.points
    model = np.column_stack([np.ones(len(points)), points, _squares(space, points)])
    if np.linalg.matrix_rank(model) < model.shape[1]:
        raise DesignError(
            f"Without centre runs this {_METHOD} cannot tell all squares apart: give centre_points "
            "of 1 or more, or extra_runs of 4."
        )


def _squares(space: FactorSpace, points: FloatArray) -> FloatArray:
    return np.asarray(points[:, _split(space)[0]] ** 2, dtype=np.float64)


def _coded_runs(space: FactorSpace, points: FloatArray) -> list[CodedRun]:
    levels = {f.name: f.levels for f in space.searched if isinstance(f, CategoricalFactor)}
    return [
        {
            name: levels[name][int(value > 0)] if name in levels else float(value)
            for name, value in zip(space.names, point, strict=True)
        }
        for point in points
    ]


def _labels(screen: _Screen, name: str) -> dict[str, tuple[str, ...]]:
    if not name:
        return {}
    sizes = enumerate(screen.block_sizes, start=1)
    return {name: tuple(str(number) for number, size in sizes for _ in range(size))}


def _facts(space: FactorSpace, screen: _Screen, two_level: TwoLevel) -> dict[str, JSON]:
    points = screen.points
    lengths = np.linalg.norm(points, axis=0)
    correlations = np.abs(points.T @ points / np.outer(lengths, lengths))
    np.fill_diagonal(correlations, 0.0)
    facts: dict[str, JSON] = {
        "conference_order": len(screen.pairs),
        "centre_points": screen.point_types.count("centre"),
        "fake_factors": screen.fake.shape[1],
        "largest_correlation_of_main_effects": float(f"{correlations.max():.6g}"),
    }
    if screen.fake.shape[1]:
        columns = screen.fake_columns.T.astype(int).tolist()
        facts["fake_columns"] = columns
    two = [factor.name for factor in space.searched if _has_two_levels(factor)]
    if two:
        facts |= {"two_level_factors": two, "two_level": two_level}
    if len(screen.centres) > 1:
        labels = np.repeat(np.arange(len(screen.centres)), screen.block_sizes)
        blocks = (labels[:, None] == np.arange(len(screen.centres))).astype(float)
        model = np.column_stack([blocks, points, _squares(space, points)])
        facts["squares_estimable_beside_fixed_blocks"] = bool(
            np.linalg.matrix_rank(model) == model.shape[1]
        )
    return facts

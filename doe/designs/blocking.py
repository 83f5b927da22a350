"""The runs of any design divided into blocks that disturb the effects of a model least."""

from dataclasses import replace
from itertools import combinations, islice, product
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.designs.assembly import check_count
from doe.designs.block_exchange import Division, best_division, block_efficiency
from doe.designs.blocks import with_block
from doe.errors import DesignError, TooFewRunsError
from doe.named_models import model_terms
from doe.runs import JSON, Design
from doe.terms import Terms, model_matrix

if TYPE_CHECKING:
    import pandas as pd

N_STARTS = 20
_MAX_PATTERNS = 64
_MAX_COLUMNS = 150
# What main effects must keep at least; else interactions do not count.
_LEAST_MAIN = 0.9
_SINGULAR = 1e-9


def in_blocks(
    design: Design,
    n_blocks: int,
    terms: Terms | str,
    *,
    block: str | None = None,
    rng: np.random.Generator,
) -> Design:
    """Return the design with its runs divided into blocks of as equal size as can be.

    It serves any design, also one from a table: ``Design(space, runs, "from a table")``. Runs are
    swapped between blocks, from many random starts, as long as the determinant of the model's
    information with blocks eliminated grows. Centre runs (point type ``centre``) are dealt evenly
    to the blocks first and stay apart. Rows come block by block, in their order within each, which
    is also the order of doing; draw it with ``Design.randomised``.

    ``details`` has ``block_efficiency`` (D-efficiency against the design without blocks; 1.0 means
    that blocks are orthogonal to every effect), ``block_sizes``, ``blocked_for`` (the terms) and
    ``disturbed``: the columns that lose information to blocks, and how much each keeps.

    Args:
        design: The runs.
        n_blocks: How many blocks.
        terms: The effects that blocks are to disturb least: terms, a formula, or ``linear``,
            ``interaction``, ``quadratic``.
        block: Name of the block factor; see ``doe.designs.blocks.with_block``.
        rng: Source of the starts.

    Raises:
        DesignError: If the design is in blocks already, or cannot estimate the terms, with or
            without blocks.
        TooFewRunsError: If there are fewer runs than terms and blocks.

    Source:
        Cook and Nachtsheim (1989), Technometrics 31, 339-346.
    """
    n_blocks = check_count(n_blocks, "n_blocks", at_least=2)
    if design.blocks:
        raise DesignError(
            f"This {design.method} is in blocks already, {list(design.blocks)}: divide the design "
            "before it was blocked."
        )
    space, name = with_block(design.space, block)
    terms = model_terms(terms, design.space)
    matrix = model_matrix(terms, design.runs, design.space)
    _check_estimable(matrix, terms, n_blocks, design)
    is_centre = _are_centre_runs(design)
    starts = [_dealt(rng.permutation(design.n_runs), is_centre, n_blocks) for _ in range(N_STARTS)]
    found = best_division(matrix.to_numpy(), starts, is_centre)
    if found.efficiency <= 0:
        raise DesignError(
            f"No division of these {design.n_runs} runs into {n_blocks} blocks was found that lets "
            f"{terms.formula} be told from blocks: take fewer blocks or terms, or more runs."
        )
    facts: dict[str, JSON] = {
        "block_efficiency": round(found.efficiency, 6),
        "block_sizes": np.bincount(found.numbers).tolist(),
        "blocked_for": list(terms.names),
        "disturbed": _disturbed(matrix, found.numbers),
    }
    blocks = {name: tuple(str(number + 1) for number in found.numbers)}
    details, method = {**design.details, **facts}, f"{design.method}, in {n_blocks} blocks"
    divided = replace(
        design, space=space, method=method, blocks=blocks, randomisation="", details=details
    )
    return _by_block(divided, np.argsort(found.numbers, kind="stable"))


def _are_centre_runs(design: Design) -> BoolArray:
    kinds = design.point_types or ("",) * design.n_runs
    return np.array([kind == "centre" for kind in kinds], dtype=np.bool_)


def divided_combinations(levels: IntArray, n_blocks: int) -> tuple[Division, str]:
    """Return a good division of all combinations of levels, and what model it is good for.

    Main effects and two-factor interactions of all levels where the runs are enough for them beside
    blocks and main effects keep nine tenths of their efficiency, else main effects alone.

    Args:
        levels: Level numbers from 0, shape ``(n_runs, n_factors)``.
        n_blocks: How many blocks; fewer than there are runs.
    """
    contrasts = [
        np.eye(int(column.max()) + 1)[column][:, :-1] - 1 / (column.max() + 1)
        for column in levels.T
    ]
    main = np.column_stack(contrasts)
    crossed = [
        (one[:, :, None] * other[:, None, :]).reshape(len(levels), -1)
        for one, other in combinations(contrasts, 2)
    ]
    both = np.column_stack([main, *crossed])
    is_enough = len(contrasts) >= 2 and both.shape[1] + n_blocks <= len(levels)
    none_apart = np.zeros(len(levels), dtype=np.bool_)
    if is_enough and both.shape[1] <= _MAX_COLUMNS:
        division = best_division(both, _patterned_starts(levels, n_blocks), none_apart)
        if block_efficiency(main, division.numbers) >= _LEAST_MAIN:
            return division, "main effects and two-factor interactions"
    return best_division(main, _patterned_starts(levels, n_blocks), none_apart), "main effects"


def _patterned_starts(levels: IntArray, n_blocks: int) -> list[IntArray]:
    """Return divisions by sums of level numbers, which no random draw is needed for.

    Sums modulo the number of blocks give the regular blocks where there are any (a Latin square's
    treatments, for one); where they are unequal, runs are dealt in their order.

    Args:
        levels: Level numbers from 0, shape ``(n_runs, n_factors)``.
        n_blocks: How many blocks.

    Source:
        Kempthorne (1952), The Design and Analysis of Experiments: confounding by sums of levels.
    """
    n_runs, n_factors = levels.shape
    weights = product(range(n_blocks - 1, -1, -1), repeat=n_factors)
    none_apart = np.zeros(n_runs, dtype=np.bool_)
    starts = []
    for weight in islice(weights, _MAX_PATTERNS):
        sums = levels @ np.asarray(weight, dtype=np.int64) % n_blocks
        counts = np.bincount(sums, minlength=n_blocks)
        if np.ptp(counts):
            # Sorted by their sum and cut into equal pieces: as near to the sums as sizes allow.
            sums = _cut(np.argsort(sums, kind="stable"), n_blocks)
        starts.append(sums)
    starts.append(_dealt(np.arange(n_runs), none_apart, n_blocks))
    return starts


def _disturbed(matrix: "pd.DataFrame", numbers: IntArray) -> list[str]:
    """Return the columns that blocks take information from, and how much each keeps, in words."""
    values = matrix.to_numpy(dtype=np.float64)
    contrasts = _contrasts(numbers)
    is_constant = np.ptp(values, axis=0) < _SINGULAR
    varied = values[:, ~is_constant]
    spans_mean = _rank(np.column_stack([np.ones(len(values)), varied])) == varied.shape[1]
    mean = np.empty((len(values), 0)) if spans_mean else np.ones((len(values), 1))
    before = _variances(np.column_stack([varied, mean]))[: varied.shape[1]]
    after = _variances(np.column_stack([varied, mean, contrasts]))[: varied.shape[1]]
    kept = before / after
    names = [name for name, fixed in zip(matrix.columns, is_constant, strict=True) if not fixed]
    return [
        f"{name} keeps {100 * share:.0f} % of its information"
        for name, share in sorted(zip(names, kept, strict=True), key=lambda pair: pair[1])
        if share < 0.995
    ]


def _by_block(design: Design, rows: IntArray) -> Design:
    """Return the design with its rows in another order, which is also that of doing them."""
    types = design.point_types
    return replace(
        design,
        runs=design.runs.iloc[rows],
        point_types=tuple(types[row] for row in rows) if types else (),
        run_order=(),
        blocks={name: tuple(levels[row] for row in rows) for name, levels in design.blocks.items()},
    )


def _check_estimable(matrix: "pd.DataFrame", terms: Terms, n_blocks: int, design: Design) -> None:
    n_runs, n_columns = matrix.shape
    # The components of a mixture add up to a constant, as the intercept does.
    has_mean = terms.has_intercept or bool(design.space.mixture)
    n_needed = n_columns + n_blocks - int(has_mean)
    if n_runs < n_needed:
        raise TooFewRunsError(
            f"{n_runs} runs cannot estimate the {n_columns} columns of {terms.formula} and tell "
            f"{n_blocks} blocks apart, which takes {n_needed}: take fewer blocks or terms, or more "
            "runs."
        )
    values = matrix.to_numpy(dtype=np.float64)
    if _rank(values) == n_columns:
        return
    aliased = [
        name
        for place, name in enumerate(matrix.columns)
        if _rank(values[:, : place + 1]) == _rank(values[:, :place])
    ]
    raise DesignError(
        f"This {design.method} cannot estimate {', '.join(aliased)} beside the other terms of "
        f"{terms.formula}, in blocks or not: leave these terms out."
    )


def _dealt(order: IntArray, is_apart: BoolArray, n_blocks: int) -> IntArray:
    """Return blocks for runs dealt in turn, those apart from the last block backwards."""
    numbers = np.empty(len(order), dtype=np.int64)
    others = order[~is_apart[order]]
    apart = order[is_apart[order]]
    numbers[others] = np.arange(len(others)) % n_blocks
    # Backwards: the blocks that have a run less of the others get one more of these.
    numbers[apart] = n_blocks - 1 - np.arange(len(apart)) % n_blocks
    return numbers


def _cut(order: IntArray, n_blocks: int) -> IntArray:
    numbers = np.empty(len(order), dtype=np.int64)
    for number, rows in enumerate(np.array_split(order, n_blocks)):
        numbers[rows] = number
    return numbers


def _contrasts(numbers: IntArray) -> FloatArray:
    last = numbers.max()
    columns = [(numbers == number) * 1.0 - (numbers == last) for number in range(last)]
    return np.column_stack(columns)


def _variances(matrix: FloatArray) -> FloatArray:
    return np.asarray(np.diag(np.linalg.inv(matrix.T @ matrix)), dtype=np.float64)


def _rank(matrix: FloatArray) -> int:
    return int(np.linalg.matrix_rank(matrix)) if matrix.size else 0

"""The convex part of a factor space: a point inside it and the directions in which it extends."""

from dataclasses import dataclass

import numpy as np

from doe.arrays import BoolArray, FloatArray
from doe.feasible.highs import minimise_linear

_N_CENTRING_STEPS = 12
# In units of the ranges: a row whose slack is never larger holds as an equation.
_FLAT = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Polytope:
    """Columns in the unit cube under linear rows, seen from inside.

    Attributes:
        centre: A point inside, shape ``(n_columns,)``.
        moves: Columns span the directions in which the polytope extends and are scaled so that it
            looks about round, shape ``(n_columns, n_columns)``; zero columns where it is flat.
        is_loose: Which of the inequalities ``matrix @ z <= upper`` are not equations in disguise.
        is_free: Which columns can move, shape ``(n_columns,)``.
        normal: Weights of the equation that ties the free columns together, all zero where nothing
            does; None where there are several. Two columns can then move alone.
    """

    centre: FloatArray
    moves: FloatArray
    is_loose: BoolArray
    is_free: BoolArray
    normal: FloatArray | None


def find_polytope(
    equations: FloatArray, totals: FloatArray, matrix: FloatArray, upper: FloatArray
) -> Polytope | None:
    """Return the polytope of ``equations @ z = totals``, ``matrix @ z <= upper``, or None if empty.

    Args:
        equations: Shape ``(n_equations, n_columns)``.
        totals: Shape ``(n_equations,)``.
        matrix: Shape ``(n_rows, n_columns)``; it must hold the bounds of the columns as rows.
        upper: Shape ``(n_rows,)``.

    Source:
        Freund, Roundy and Todd (1985), "Identifying the set of always-active constraints in a
        system of linear inequalities by a single linear program", MIT Sloan WP 1674-85.
    """
    n_columns = matrix.shape[1]
    if n_columns == 0:
        nothing = np.zeros(0)
        is_met = np.abs(totals) <= _FLAT * np.maximum(1.0, np.abs(totals).max(initial=1.0))
        empty = Polytope(nothing, np.zeros((0, 0)), upper > 0, nothing > 0, nothing)
        return empty if is_met.all() else None
    centre = _loosest_point(equations, totals, matrix, upper)
    if centre is None:
        return None
    is_loose = upper - matrix @ centre > _FLAT
    held = np.vstack([equations, matrix[~is_loose]])
    basis = _null_space(held, n_columns)
    moves = np.zeros((n_columns, n_columns))
    if basis.shape[1]:
        centre, moves[:, : basis.shape[1]] = _analytic_centre(
            centre, basis, matrix[is_loose], upper[is_loose]
        )
    is_free = np.abs(basis).max(axis=1, initial=0.0) > _FLAT
    return Polytope(centre, moves, is_loose, is_free, _normal(basis, is_free))


def _loosest_point(
    equations: FloatArray, totals: FloatArray, matrix: FloatArray, upper: FloatArray
) -> FloatArray | None:
    """Return a point at which as many inequalities as possible have slack.

    With columns ``y = s z`` and a scale ``s >= 1`` each inequality offers ``0 <= t <= 1`` of slack;
    the largest sum of t gives every inequality that can be loose its whole unit.
    """
    n_rows, n_columns = matrix.shape
    n_equations = len(equations)
    rows = np.zeros((n_rows + n_equations, n_columns + 1 + n_rows))
    rows[:n_rows, :n_columns], rows[:n_rows, n_columns] = matrix, -upper
    rows[:n_rows, n_columns + 1 :] = np.eye(n_rows)
    rows[n_rows:, :n_columns], rows[n_rows:, n_columns] = equations, -totals
    none = np.full(n_rows, -np.inf)
    zeros = np.zeros(n_equations)
    cost = np.concatenate([np.zeros(n_columns + 1), -np.ones(n_rows)])
    low = np.concatenate([np.full(n_columns, -np.inf), [1.0], np.zeros(n_rows)])
    high = np.concatenate([np.full(n_columns + 1, np.inf), np.ones(n_rows)])
    found = minimise_linear(
        cost,
        rows,
        np.concatenate([none, zeros]),
        np.concatenate([np.zeros(n_rows), zeros]),
        low,
        high,
    )
    return None if found is None else found[:n_columns] / found[n_columns]


def _null_space(rows: FloatArray, n_columns: int) -> FloatArray:
    if not len(rows):
        return np.eye(n_columns)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    _, singular, directions = np.linalg.svd(rows / np.where(lengths > 0, lengths, 1.0))
    rank = int((singular > 1e-10 * max(1.0, float(singular[0]))).sum())
    return np.asarray(directions[rank:].T, dtype=np.float64)


def _normal(basis: FloatArray, is_free: BoolArray) -> FloatArray | None:
    normal = np.zeros(len(is_free))
    n_equations = int(is_free.sum()) - basis.shape[1]
    if n_equations == 1:
        normal[is_free] = _null_space(basis[is_free].T, int(is_free.sum()))[:, 0]
    return normal if n_equations <= 1 else None


def _analytic_centre(
    centre: FloatArray, basis: FloatArray, matrix: FloatArray, upper: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the analytic centre and the axes of the Dikin ellipsoid about it.

    Source:
        Nesterov and Nemirovskii (1994): the ellipsoid of the logarithmic barrier's Hessian at its
        minimum has the shape of the body, up to a factor of the number of rows.
    """
    reduced = matrix @ basis
    for _ in range(_N_CENTRING_STEPS):
        slack = upper - matrix @ centre
        scaled = reduced / slack[:, None]
        step = -np.linalg.lstsq(scaled.T @ scaled, scaled.sum(axis=0), rcond=None)[0]
        # Full steps only where the barrier is nearly quadratic; otherwise stay well inside.
        length = float(np.abs(scaled @ step).max(initial=0.0))
        centre = centre + basis @ (step * min(1.0, 0.9 / max(length, 1e-12)))
        if length < 1e-3:
            break
    scaled = reduced / (upper - matrix @ centre)[:, None]
    values, vectors = np.linalg.eigh(scaled.T @ scaled)
    return centre, basis @ (vectors / np.sqrt(np.maximum(values, 1e-300)))

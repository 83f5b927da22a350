"""Linear and mixed-integer programs, solved to the accuracy that settings are judged by."""

import numpy as np

from doe.arrays import BoolArray, FloatArray

NODE_LIMIT = 50_000
# Settings are judged to 1e-9; the second is for programs that the solver gives up on at the first.
_TOLERANCES = (1e-10, 1e-8)
_INFEASIBLE = 2


def minimise_linear(
    cost: FloatArray,
    matrix: FloatArray,
    row_low: FloatArray,
    row_high: FloatArray,
    low: FloatArray,
    high: FloatArray,
) -> FloatArray | None:
    """Return the cheapest columns with rows and columns in their ranges, or None if there are none.

    Args:
        cost: Per column, shape ``(n_columns,)``.
        matrix: Weights, shape ``(n_rows, n_columns)``.
        row_low: Lowest value of each row, -inf for none; equal to ``row_high`` for an equation.
        row_high: Highest value of each row, inf for none.
        low: Lowest value of each column.
        high: Highest value of each column.
    """
    from scipy.optimize import linprog

    is_equal = row_low == row_high
    above, below = ~is_equal & np.isfinite(row_high), ~is_equal & np.isfinite(row_low)
    for tolerance in _TOLERANCES:
        found = linprog(
            cost,
            A_ub=np.vstack([matrix[above], -matrix[below]]),
            b_ub=np.concatenate([row_high[above], -row_low[below]]),
            A_eq=matrix[is_equal],
            b_eq=row_high[is_equal],
            bounds=list(zip(low.tolist(), high.tolist(), strict=True)),
            method="highs",
            options={"primal_feasibility_tolerance": tolerance},
        )
        if found.status == 0:
            return np.clip(np.asarray(found.x, dtype=np.float64), low, high)
        if found.status == _INFEASIBLE:
            return None
    return None


def minimise_mixed(
    cost: FloatArray,
    matrix: FloatArray,
    row_low: FloatArray,
    row_high: FloatArray,
    low: FloatArray,
    high: FloatArray,
    is_whole: BoolArray,
) -> FloatArray | None:
    """Return the cheapest columns, some of them whole numbers; arguments as for the linear one."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    if np.any(row_low > row_high):
        return None
    if not is_whole.any():
        return minimise_linear(cost, matrix, row_low, row_high, low, high)
    found = milp(
        cost,
        integrality=is_whole.astype(np.int64),
        bounds=Bounds(low, high),
        constraints=LinearConstraint(matrix, row_low, row_high) if len(matrix) else (),
        options={"mip_rel_gap": 0.0, "node_limit": NODE_LIMIT},
    )
    if found.x is None:
        return None
    whole = np.round(np.asarray(found.x, dtype=np.float64)[is_whole])
    low, high = low.copy(), high.copy()
    low[is_whole] = high[is_whole] = whole
    # The mixed solver forgives 1e-6; with the whole columns fixed the rest is found again, closer.
    return low if is_whole.all() else minimise_linear(cost, matrix, row_low, row_high, low, high)

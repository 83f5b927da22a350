"""Coordinate exchange: settings of runs, sub-plots and whole plots replaced while that pays.

Many starts are improved side by side, in one computation.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from doe.arrays import FloatArray, IntArray
from doe.designs.split_plot.coordinates import Coordinates, Moves
from doe.designs.split_plot.criteria import Objective
from doe.designs.split_plot.layout import Layout
from doe.designs.split_plot.model_rows import ModelRows
from doe.designs.split_plot.strata import Strata

_MAX_PASSES = 60
# Of the log criterion: a smaller gain is rounding error, or not worth a pass.
_GAIN = 1e-9
_PASS_GAIN = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """What is searched.

    Attributes:
        model: The effects, columns of size one over the region.
        coordinates: What each factor may be set to.
        strata: Which factors are set together.
        layout: Which runs are in which plot.
        weights: Inverse of the covariance of the results, shape ``(n_runs, n_runs)``.
        objective: What is made as large as can be.
    """

    model: ModelRows
    coordinates: Coordinates
    strata: Strata
    layout: Layout
    weights: FloatArray
    objective: Objective

    def information(self, settings: FloatArray) -> FloatArray:
        """Return X' V^-1 X of settings ``(n_starts, n_runs, n_factors)``."""
        rows = self.model.rows(settings)
        return np.asarray(np.swapaxes(rows, -1, -2) @ (self.weights @ rows), dtype=np.float64)

    def value(self, settings: FloatArray) -> FloatArray:
        """Return the log criterion of settings ``(..., n_runs, n_factors)``, larger is better."""
        return self.objective.value(self.information(settings))

    def groups(self) -> Iterator[tuple[IntArray, tuple[str, ...]]]:
        """Return the runs that are set together with the factors that are, outermost first."""
        plots = [(self.layout.whole, self.strata.whole)]
        if self.layout.sub is not None:
            plots.append((self.layout.sub, self.strata.sub))
        plots.append((np.arange(self.layout.n_runs), self.strata.run))
        for of_run, names in plots:
            for plot in range(int(of_run.max()) + 1):
                yield np.flatnonzero(of_run == plot), names


def exchange(
    problem: Problem,
    settings: FloatArray,
    reach: Sequence[float] | None,
    *,
    rng: np.random.Generator,
) -> FloatArray:
    """Return starts improved until no exchange pays, shape ``(n_starts, n_runs, n_factors)``.

    The settings of a whole plot's factors are exchanged in all its runs at once.

    Args:
        problem: What is searched.
        settings: Allowed starts, shape ``(n_starts, n_runs, n_factors)``.
        reach: How far settings move in coded units; None for coarse settings of the whole range.
        rng: Source of the runs that are tried as a whole.

    Source:
        Meyer and Nachtsheim (1995), Technometrics 37, 60-69: coordinate exchange; Jones and Goos
        (2007), Applied Statistics 56, 347-364: of split plots; Jones and Goos (2009), Biometrika
        96, 67-82: of split-split plots.
    """
    settings = settings.copy()
    active = np.arange(len(settings))
    for _ in range(_MAX_PASSES):
        state = _State(problem, settings[active])
        before = state.value.copy()
        for rows, names in problem.groups():
            for moves in problem.coordinates.moves(
                names, state.settings[:, rows[0]], reach, rng=rng
            ):
                state.try_moves(rows, moves)
        settings[active] = state.settings
        active = active[state.value - before > _PASS_GAIN]
        if not active.size:
            break
    return settings


class _State:
    """Starts on their way: settings, rows of the model and the inverse of the information."""

    def __init__(self, problem: Problem, settings: FloatArray) -> None:
        self.problem = problem
        self.settings = settings.copy()
        self.rows = problem.model.rows(self.settings)
        self.everyone = np.arange(len(settings))
        self.information = np.swapaxes(self.rows, -1, -2) @ (problem.weights @ self.rows)
        self.inverse = np.empty_like(self.information)
        self.spread = np.empty_like(self.information)
        self.value = np.empty(len(settings))
        self._renew(self.everyone)

    def _renew(self, chosen: IntArray) -> None:
        objective = self.problem.objective
        inverse = objective.inverse(self.information[chosen])
        self.inverse[chosen] = inverse
        if objective.criterion == "D":
            self.value[chosen] = objective.value(self.information[chosen])
        else:
            half = objective.moments @ inverse
            self.spread[chosen] = inverse @ half
            self.value[chosen] = objective.value_of_average(np.trace(half, axis1=-2, axis2=-1))

    def try_moves(self, runs: IntArray, moves: Moves) -> None:
        """Make the best of the moves in each start where it pays, in runs that are set together."""
        n_tried = moves.tried.shape[1]
        moved = np.repeat(self.settings[:, None, runs], n_tried, axis=1)
        moved[..., moves.places] = moves.tried[:, :, None, :]
        rows = self.problem.model.rows(moved)
        defined = np.asarray(np.isfinite(rows).all(axis=(-1, -2)), dtype=np.bool_)
        rows = np.where(defined[..., None, None], rows, self.rows[:, None, runs])
        if len(runs) == 1:
            gain = self._gain_of_run(int(runs[0]), rows[:, :, 0])
        else:
            gain = self._gain_of_plot(runs, rows)
        gain[~defined] = -np.inf
        # Constraints cost more to judge than gains, and few moves gain.
        promising = np.asarray(gain > _GAIN)
        if not promising.any():
            return
        coordinates = self.problem.coordinates
        allowed = coordinates.allowed(moved[promising], moves.places, moves.kept).all(axis=-1)
        gain[promising] = np.where(allowed, gain[promising], -np.inf)
        best = gain.argmax(axis=1)
        chosen = np.flatnonzero(gain.max(axis=1) > _GAIN)
        if chosen.size:
            self._accept(chosen, runs, moved[chosen, best[chosen]], rows[chosen, best[chosen]])

    def _accept(
        self, chosen: IntArray, runs: IntArray, settings: FloatArray, rows: FloatArray
    ) -> None:
        at = np.ix_(chosen, runs)
        self.information[chosen] += self._change(chosen, runs, rows[:, None])[:, 0]
        self.settings[at], self.rows[at] = settings, rows
        self._renew(chosen)

    def _change(self, chosen: IntArray, runs: IntArray, rows: FloatArray) -> FloatArray:
        """Return how the information changes, shape ``(n_chosen, n_candidates, p, p)``."""
        weights = self.problem.weights
        before = self.rows[chosen]
        change = rows - before[:, None, runs]
        cross = np.swapaxes(change, -1, -2) @ (weights[runs] @ before)[:, None]
        own = np.swapaxes(change, -1, -2) @ (weights[np.ix_(runs, runs)] @ change)
        return np.asarray(cross + np.swapaxes(cross, -1, -2) + own, dtype=np.float64)

    def _gain_of_plot(self, runs: IntArray, rows: FloatArray) -> FloatArray:
        information = self.information[:, None] + self._change(self.everyone, runs, rows)
        return self.problem.objective.value(information) - self.value[:, None]

    def _gain_of_run(self, run: int, rows: FloatArray) -> FloatArray:
        """Return what the objective gains when one run changes, shape ``(n_starts, n_candidates)``.

        The information gains a a' and loses u u', so that determinant and inverse follow from
        products with these two, and no candidate needs a factorisation.

        Source:
            Harville (1997), Matrix Algebra from a Statistician's Perspective, sections 13.2, 18.2.
        """
        weights = self.problem.weights
        root = float(np.sqrt(weights[run, run]))
        lost = (weights[run] @ self.rows) / root
        added = root * (rows - self.rows[:, None, run]) + lost[:, None]
        added_in = added @ self.inverse
        lost_in = np.einsum("sp,spq->sq", lost, self.inverse)
        aa = 1 + np.einsum("scp,scp->sc", added_in, added)
        uu = (np.einsum("sp,sp->s", lost_in, lost) - 1)[:, None]
        au = np.einsum("scp,sp->sc", added_in, lost)
        ratio = au * au - aa * uu
        is_sound = ratio > 1e-12
        safe = np.where(is_sound, ratio, 1.0)
        if self.problem.objective.criterion == "D":
            gain = np.log(safe) / rows.shape[-1]
        else:
            added_spread = added @ self.spread
            a_a = np.einsum("scp,scp->sc", added_spread, added)
            a_u = np.einsum("scp,sp->sc", added_spread, lost)
            u_u = np.einsum("sp,spq,sq->s", lost, self.spread, lost)[:, None]
            fall = -(uu * a_a - 2 * au * a_u + aa * u_u) / safe
            share = fall * np.exp(self.value)[:, None]
            gain = -np.log1p(-np.minimum(share, 1 - 1e-12))
        return np.where(is_sound, gain, -np.inf)

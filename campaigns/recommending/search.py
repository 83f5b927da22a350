"""The search for the setting of highest acquisition: many starts, gradients, levels, then steps."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from botorch.optim.batched_lbfgs_b import fmin_l_bfgs_b_batched
from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint, minimize
from torch import Tensor

from campaigns.recommending.acquisition import Acquisition
from campaigns.recommending.feasible import FeasibleRegion, Slack
from doe.arrays import FloatArray
from doe.errors import InfeasibleSpaceError
from doe.factors import ContinuousFactor, MixtureComponent, SearchedFactor

if TYPE_CHECKING:
    import pandas as pd

CHUNK = 256
ROUNDS = 4  # of moving the numbers, then the levels
STEP_ROUNDS = 10
BLEND = (0.05, 0.2)  # how far starts near the best runs are moved towards a random setting
SEPARATION = 0.1  # of the cube's diagonal, between chosen starts
SAME = 1e-9
GAIN = 1e-9  # of log acquisition: less is rounding
REPEATED = 1e6  # of log acquisition: a setting already there is taken only when there is no other


@dataclass(frozen=True, slots=True)
class Effort:
    """How much optimiser work is done for each run; no clock, so that it can be done again.

    Attributes:
        n_draws: Monte Carlo draws of the acquisition; a power of two. Several goals use fewer.
        n_raw: Settings drawn over the whole space and compared at first.
        n_starts: The best of them, from which gradients are followed.
        n_iterations: Iterations of each such search.
    """

    n_draws: int = 512
    n_raw: int = 1024
    n_starts: int = 8
    n_iterations: int = 100


@dataclass
class Tally:
    """How much work was done, kept in the record.

    Attributes:
        evaluations: How often the acquisition was evaluated at a setting, per run.
    """

    evaluations: list[int] = field(default_factory=list)

    def begin_run(self) -> None:
        """Begin counting for the next run."""
        self.evaluations.append(0)

    def add(self, n_settings: int) -> None:
        """Count evaluations."""
        self.evaluations[-1] += n_settings


@dataclass(frozen=True, eq=False)
class Search:
    """Finds settings of high acquisition in an allowed region.

    Attributes:
        region: The allowed settings.
        raw: Allowed settings spread over the whole region, encoded, ``(n_raw, n_columns)``.
        effort: How much work to do.
        tally: Where work is counted.
    """

    region: FeasibleRegion
    raw: Tensor
    effort: Effort
    tally: Tally

    def best_setting(
        self, acquisition: Acquisition, near: Tensor, avoided: Tensor
    ) -> tuple[Tensor, float]:
        """Return the best allowed setting on the steps, encoded, and its log acquisition.

        A setting in ``avoided`` is returned only if no other one was found.

        Args:
            acquisition: What to make large.
            near: Encoded settings of good runs, to start near them as well.
            avoided: Encoded settings already done, under way or chosen.

        Raises:
            InfeasibleSpaceError: If no allowed setting could be found.
        """
        ends = self._climb(acquisition, self._starts(acquisition, near))
        settings = self._on_steps(acquisition, ends)
        values = self._values(acquisition, settings)
        new = np.array([bool(((avoided - one).abs() > SAME).any(dim=-1).all()) for one in settings])
        place = int(np.argmax(np.where(new, values, values - REPEATED)))
        return settings[place], float(values[place])

    def _values(self, acquisition: Acquisition, settings: Tensor) -> FloatArray:
        self.tally.add(len(settings))
        with torch.no_grad():
            parts = [
                acquisition(settings[place : place + CHUNK])
                for place in range(0, len(settings), CHUNK)
            ]
        values = torch.cat(parts).numpy() if parts else np.empty(0)
        return np.where(np.isnan(values), -np.inf, values)

    def _starts(self, acquisition: Acquisition, near: Tensor) -> Tensor:
        """Return the best of the raw settings and of settings near good runs, well apart."""
        near = self.region.held_at(near)
        local = [near]
        for place, share in enumerate(BLEND):
            others = self.raw[place * len(near) : (place + 1) * len(near)]
            blend = near[: len(others)] + share * (others - near[: len(others)])
            # Levels do not blend: those of the good run are kept.
            for column in self.region.frozen:
                blend[:, column] = near[: len(others), column]
            local.append(blend)
        close = torch.cat(local)
        close = close[torch.from_numpy(self.region.contains(close))]
        candidates = torch.cat([self.raw, close])
        values = self._values(acquisition, candidates)
        order = np.argsort(-values, kind="stable")
        apart = SEPARATION * self.region.n_columns**0.5
        chosen: list[int] = []
        for place in order:
            gaps = [float((candidates[place] - candidates[c]).norm()) for c in chosen]
            if all(gap > apart for gap in gaps):
                chosen.append(int(place))
            if len(chosen) == self.effort.n_starts:
                break
        return candidates[chosen].clone()

    def _climb(self, acquisition: Acquisition, starts: Tensor) -> Tensor:
        """Move numbers by gradients and levels one factor at a time until neither gains."""
        moves_numbers = len(self.region.frozen) < self.region.n_columns
        for _ in range(ROUNDS):
            if moves_numbers:
                starts = self._follow_gradients(acquisition, starts)
            if not self.region.frozen:
                break
            moved = self._change_levels(acquisition, starts)
            if torch.equal(moved, starts):
                break
            starts = moved
        return starts

    def _follow_gradients(self, acquisition: Acquisition, starts: Tensor) -> Tensor:
        lower, upper = self.region.boxes(starts)
        if self.region.rows or self.region.slacks:
            ends = [
                self._slsqp(acquisition, start, low, high)
                for start, low, high in zip(starts, lower, upper, strict=True)
            ]
            return torch.stack(ends)
        return self._l_bfgs_b(acquisition, starts, lower, upper)

    def _l_bfgs_b(
        self, acquisition: Acquisition, starts: Tensor, lower: Tensor, upper: Tensor
    ) -> Tensor:
        """Follow gradients in boxes from all starts at once."""
        # Each start has a box of its own, but the search takes one for all: they are searched in
        # shares of their boxes.
        width = upper - lower
        shares = torch.where(width > 0, (starts - lower) / width.clamp_min(SAME), 0.0).clamp(0, 1)

        def loss(flat: FloatArray, batch_indices: Sequence[int]) -> tuple[FloatArray, FloatArray]:
            rows = list(batch_indices)
            positions = lower[rows] + width[rows] * torch.as_tensor(flat)
            values, gradients = self._loss_and_gradient(acquisition, positions)
            return values, gradients * width[rows].numpy()

        found, _, _ = fmin_l_bfgs_b_batched(  # type: ignore[no-untyped-call]  # botorch's own port
            func=loss,
            x0=shares.numpy(),
            bounds=[(0.0, 1.0)] * self.region.n_columns,
            maxiter=self.effort.n_iterations,
            pass_batch_indices=True,
        )
        return lower + width * torch.as_tensor(found).clamp(0, 1)

    def _slsqp(
        self, acquisition: Acquisition, start: Tensor, lower: Tensor, upper: Tensor
    ) -> Tensor:
        """Follow gradients along linear rows and smooth constraints from one start."""
        free = (upper > lower).nonzero()[:, 0]
        if not len(free):
            return start

        def filled(position: FloatArray) -> Tensor:
            whole = start.clone()
            whole[free] = torch.as_tensor(position)
            return whole

        def loss(position: FloatArray) -> tuple[float, FloatArray]:
            values, gradients = self._loss_and_gradient(acquisition, filled(position)[None])
            return float(values[0]), gradients[0, free.numpy()]

        box = np.stack([lower[free].numpy(), upper[free].numpy()], axis=-1)
        result = minimize(
            loss,
            start[free].numpy(),
            jac=True,
            method="SLSQP",
            bounds=Bounds(box[:, 0], box[:, 1]),
            constraints=self._scipy_constraints(filled, start, free),
            options={"maxiter": self.effort.n_iterations, "ftol": 1e-8},
        )
        if not np.isfinite(result.fun):
            return start
        return filled(np.clip(result.x, box[:, 0], box[:, 1]))

    def _scipy_constraints(
        self, filled: Callable[[FloatArray], Tensor], start: Tensor, free: Tensor
    ) -> list[LinearConstraint | NonlinearConstraint]:
        """Return linear rows and smooth constraints over the free columns, as scipy takes them."""
        found: list[LinearConstraint | NonlinearConstraint] = []
        for row in self.region.rows:
            weights = row.weights[free].numpy()
            # What the frozen columns add to the sum belongs to the ends.
            added = float(row.weights @ start) - float(weights @ start[free].numpy())
            found.append(LinearConstraint(weights[None], row.lower - added, row.upper - added))
        for slack in self.region.slacks:

            def value(position: FloatArray, slack: Slack = slack) -> FloatArray:
                return np.atleast_1d(slack(filled(position)).numpy())

            def jacobian(position: FloatArray, slack: Slack = slack) -> FloatArray:
                return _gradient(slack, filled(position))[None, free.numpy()]

            found.append(NonlinearConstraint(value, 0.0, np.inf, jac=jacobian))
        return found

    def _loss_and_gradient(
        self, acquisition: Acquisition, positions: Tensor
    ) -> tuple[FloatArray, FloatArray]:
        settings = positions.detach().clone().requires_grad_()
        self.tally.add(len(settings))
        values = acquisition(settings)
        (gradient,) = torch.autograd.grad(values.sum(), settings)
        return -values.detach().numpy(), -torch.nan_to_num(gradient).numpy()

    def _change_levels(self, acquisition: Acquisition, settings: Tensor) -> Tensor:
        """Return each setting with the one level changed that gains the most, if any does.

        All changes of one level are compared, never products of levels: with 10 factors of 5
        levels that is 40 settings, not ten million.
        """
        best = settings.clone()
        values = self._values(acquisition, settings)
        for place, setting in enumerate(settings):
            changed = [
                _with_value(setting, column, level)
                for column, levels in self.region.levels.items()
                for level in levels
                if abs(level - float(setting[column])) > SAME
            ]
            if not changed:
                continue
            others = torch.stack(changed)
            others = others[torch.from_numpy(self.region.contains(others))]
            if not len(others):
                continue
            gained = self._values(acquisition, others)
            if gained.max() > values[place] + GAIN:
                best[place] = others[int(gained.argmax())]
        return best

    def _on_steps(self, acquisition: Acquisition, ends: Tensor) -> Tensor:
        """Return the ends moved to settings that the equipment can set, then step by step uphill.

        Raises:
            InfeasibleSpaceError: If none of them has an allowed neighbour.
        """
        encoding = self.region.encoding
        found: list[Tensor] = []
        problem: InfeasibleSpaceError | None = None
        for end in ends:
            try:
                nearest = self.region.space.project(self._written(end))
            except InfeasibleSpaceError as error:
                problem = error
                continue
            found.append(encoding.encode(nearest)[0])
        if not found:
            assert problem is not None
            raise problem
        settings = torch.stack(found)
        values = self._values(acquisition, settings)
        place = int(np.argmax(values))
        climbed = self._step_uphill(acquisition, settings[place], float(values[place]))
        return torch.cat([settings, climbed[None]])

    def _written(self, setting: Tensor) -> "pd.DataFrame":
        """Return a setting with factors that have no step as people write them, if it may be so.

        To a thousandth of the range's power of ten; three digits on a log scale.
        """
        frame = self.region.encoding.decode(setting[None])
        rounded = frame.copy()
        for column, factor in enumerate(self.region.space.searched):
            if not isinstance(factor, ContinuousFactor) or factor.step is not None:
                continue
            if column in self.region.held:
                continue
            value = float(frame[factor.name].iloc[0])
            size = abs(value) if factor.scale == "log" else factor.high - factor.low
            n_decimals = (2 if factor.scale == "log" else 3) - math.floor(math.log10(size))
            rounded[factor.name] = min(max(round(value, n_decimals), factor.low), factor.high)
        return rounded if bool(self.region.space.contains(rounded)[0]) else frame

    def _step_uphill(self, acquisition: Acquisition, setting: Tensor, value: float) -> Tensor:
        """Return the setting after single steps, or exchanges of two, that gain."""
        moves = self._step_moves()
        if not len(moves):
            return setting
        for _ in range(STEP_ROUNDS):
            others = setting + moves
            others = others[torch.from_numpy(self.region.can_be_set(others))]
            if not len(others):
                break
            values = self._values(acquisition, others)
            if values.max() <= value + GAIN:
                break
            setting, value = others[int(values.argmax())], float(values.max())
        return setting

    def _step_moves(self) -> Tensor:
        """Return one step up or down per stepped factor, and exchanges between components.

        Factors on a log scale have steps of different encoded lengths and are left where they are.
        """
        factors = self.region.space.searched
        columns = range(len(factors))
        steps = {i: step for i in columns if (step := _linear_step(factors[i])) is not None}
        mixture = {i for i in steps if isinstance(factors[i], MixtureComponent)}
        rows: list[dict[int, float]] = []
        for column in set(steps) - mixture - set(self.region.held):
            rows += [{column: steps[column]}, {column: -steps[column]}]
        # A component gains what another one loses, by the gaining one's step.
        rows += [{i: steps[i], j: -steps[i]} for i in mixture for j in mixture if i != j]
        moves = torch.zeros(len(rows), len(factors), dtype=torch.float64)
        for place, row in enumerate(sorted(rows, key=lambda row: sorted(row.items()))):
            for column, amount in row.items():
                length = self.region.encoding.length(factors[column].name)
                moves[place, column] = amount / length
        return moves


def _linear_step(factor: SearchedFactor) -> float | None:
    if isinstance(factor, ContinuousFactor) and factor.scale == "linear":
        return factor.step
    return factor.step if isinstance(factor, MixtureComponent) else None


def _with_value(setting: Tensor, column: int, value: float) -> Tensor:
    changed = setting.clone()
    changed[column] = value
    return changed


def _gradient(function: Callable[[Tensor], Tensor], setting: Tensor) -> FloatArray:
    point = setting.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(function(point), point)
    return torch.nan_to_num(gradient).numpy()

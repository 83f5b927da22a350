"""All distinct local optima of a desirability over a factor space, from many starts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, product
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import BoolArray, FloatArray, IntArray
from doe.coding import coded_values, is_log, numbers_of
from doe.errors import InfeasibleSpaceError
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
    Settings,
)
from doe.feasible.sampling import draw_settings
from doe.responses import Desirability
from doe.space import FactorSpace
from surrogates.desirability.cell import Cell, FreeFactor, Ramps
from surrogates.desirability.distinct_optima import SAME, hills, is_flat, middle
from surrogates.desirability.expected_responses import ExpectedResponses
from surrogates.desirability.step_moves import MAX_PAIRED, step_moves

if TYPE_CHECKING:
    import pandas as pd

# Up to so many combinations of levels are searched one by one, each with its own optima.
MAX_COMBINATIONS = 24
N_DRAWN = 256
N_DRAWN_PER_COMBINATION = 32
MIN_PER_COMBINATION = 3
# Searches this near to each other end at one place.
MET = 1e-3
# Digits of settings that are tried, of the largest of a range, and what they may cost.
N_DIGITS = (4, 6, 8, 10)
TIDY = 1e-7
PROBES = (0.05, 0.005)
MAX_ROUNDS = 5
MAX_MOVES = 200


@dataclass(frozen=True, eq=False)
class LocalOptima:
    """Settings from which no small change improves the desirability, best first.

    Attributes:
        settings: Natural units, a row per optimum.
        desirability: Overall desirability of each.
        n_reached: How many starts led to each.
        is_flat: Where different settings of one region reach the same desirability.
        n_starts: How many starts there were.
        best_means: For each goal the expected values nearest to what is wanted among all settings
            looked at, shape ``(n_goals,)``.
    """

    settings: "pd.DataFrame"
    desirability: FloatArray
    n_reached: IntArray
    is_flat: BoolArray
    n_starts: int
    best_means: FloatArray


@dataclass(frozen=True, eq=False)
class Search:
    """A desirability over a factor space.

    Attributes:
        space: Where to search.
        objective: What is wanted.
        expected: What gives the responses.
    """

    space: FactorSpace
    objective: Desirability
    expected: ExpectedResponses

    @cached_property
    def ramps(self) -> Ramps:
        """The straight pieces of the desirabilities."""
        return Ramps.of(self.objective)

    @cached_property
    def levels(self) -> tuple[CategoricalFactor, ...]:
        """Categorical factors whose levels are searched apart."""
        choices = [f for f in self.space.searched if isinstance(f, CategoricalFactor)]
        few = math.prod(len(factor.levels) for factor in choices) <= MAX_COMBINATIONS
        return tuple(choices) if few else ()

    @cached_property
    def stepped(self) -> frozenset[str]:
        """Factors that take separate values, those searched apart left out."""
        apart = {factor.name for factor in self.levels}
        return frozenset(
            factor.name
            for factor in self.space.searched
            if isinstance(factor, DiscreteFactor | CategoricalFactor) or factor.step is not None
            if factor.name not in apart
        )

    def score(self, settings: "pd.DataFrame") -> FloatArray:
        """Return the overall desirability; below 0 how far it is from any, shape ``(n,)``."""
        return self.score_of(self.expected.means(settings))

    def score_of(self, means: FloatArray) -> FloatArray:
        """Return the same of responses, shape ``(n_goals, n_settings)``."""
        ramps = self.ramps
        heights = ramps.heights(means)
        ramped = np.where(ramps.is_limit[:, None], 1.0, np.clip(heights, 0.0, 1.0))
        smallest = np.ones(means.shape)
        np.minimum.at(smallest, ramps.goals, ramped)
        overall = np.prod(smallest ** ramps.exponents[:, None], axis=0)
        missed = np.maximum(-heights, 0.0).sum(axis=0)
        is_zero = (overall <= 0) | (missed > 0)
        return np.asarray(np.where(is_zero, -missed, overall), dtype=np.float64)

    def coded(self, settings: "pd.DataFrame") -> FloatArray:
        """Return the numeric factors with every range from -1 to 1, shape ``(n, n_numeric)``."""
        columns = [
            self._spread(factor, numbers_of(settings[factor.name]))
            for factor in self.space.searched
            if not isinstance(factor, CategoricalFactor)
        ]
        return np.column_stack(columns) if columns else np.zeros((len(settings), 0))

    def optima(self, n_starts: int, *, rng: np.random.Generator) -> LocalOptima:
        """Return the distinct local optima.

        Raises:
            InfeasibleSpaceError: If no allowed setting on the steps of the equipment is found.
        """
        import pandas as pd

        drawn = self._drawn(rng)
        scores = self.score(drawn)
        starts = self._starts(drawn, scores, n_starts)
        found = self._local_optima([drawn.iloc[[row]].reset_index(drop=True) for row in starts])
        table = pd.concat(found, ignore_index=True)
        means = np.hstack([self.expected.means(drawn), self.expected.means(table)])
        return self._distinct(table, len(starts), self._nearest_means(means))

    def _drawn(self, rng: np.random.Generator) -> "pd.DataFrame":
        """Return allowed settings to start from; steps are met at the end of each search."""
        n_combinations = math.prod(len(factor.levels) for factor in self.levels)
        n_drawn = N_DRAWN + N_DRAWN_PER_COMBINATION * n_combinations
        drawn = draw_settings(self.space, n_drawn, rng=rng)
        if drawn is None:
            drawn = self.space.sample(n_drawn, rng=rng)
        return drawn[list(self.space.names)].reset_index(drop=True)

    def _spread(
        self, factor: ContinuousFactor | DiscreteFactor | MixtureComponent, values: FloatArray
    ) -> FloatArray:
        if not isinstance(factor, MixtureComponent):
            return coded_values(factor, values, self.space.mixture_total)
        return np.asarray(2 * (values - factor.low) / (factor.high - factor.low) - 1)

    def _starts(self, drawn: "pd.DataFrame", scores: FloatArray, n_starts: int) -> list[int]:
        """Return the rows to start from: the best of their surroundings, then spread ones."""
        names = [factor.name for factor in self.levels]
        rows = np.arange(len(drawn))
        groups = [rows]
        if names:
            groups = [np.asarray(g) for g in drawn.groupby(names, sort=True).indices.values()]
        each = max(-(-n_starts // len(groups)), min(n_starts, MIN_PER_COMBINATION))
        places = self.coded(drawn)
        return [row for group in groups for row in _spread_best(group, places, scores, each)]

    def _local_optima(self, starts: Sequence["pd.DataFrame"]) -> list["pd.DataFrame"]:
        """Return where each start leads to; starts that meet on the way end at one place."""
        on_way: list[tuple[pd.DataFrame, pd.DataFrame | None]] = []
        for start in starts:
            reached, score = self._polished(start, float(self.score(start)[0]), frozenset())
            known = [end for way, end in on_way if self._is_met(way, reached)]
            end = known[0] if known else self._on_steps(self._climbed(reached, score))
            on_way.append((reached, end if known or end is None else self._tidied(end)))
        found = [end for _, end in on_way if end is not None]
        if not found:
            raise InfeasibleSpaceError(
                "No setting near a local optimum is both allowed and on the steps of the "
                f"equipment ({'; '.join(c.sentence() for c in self.space.all_constraints)}): relax "
                "a constraint or a step."
            )
        return found

    def _is_met(self, one: "pd.DataFrame", two: "pd.DataFrame") -> bool:
        fixed = [f.name for f in self.space.searched if isinstance(f, CategoricalFactor)]
        if any(one[name].iloc[0] != two[name].iloc[0] for name in fixed):
            return False
        return bool(np.abs(self.coded(one) - self.coded(two)).max(initial=0.0) <= MET)

    def _climbed(self, best: "pd.DataFrame", score: float) -> "pd.DataFrame":
        """Return where a search ends that goes on from any better place near by."""
        for _ in range(MAX_ROUNDS):
            nearby = self._around(best)
            scores = self.score(nearby) if len(nearby) else np.array([-np.inf])
            if scores.max() <= score + SAME:
                break
            row = int(scores.argmax())
            best, score = nearby.iloc[[row]].reset_index(drop=True), float(scores[row])
            best, score = self._polished(best, score, frozenset())
        return best

    def _tidied(self, best: "pd.DataFrame") -> "pd.DataFrame":
        """Return a setting with the fewest digits that cost nothing."""
        score = float(self.score(best)[0])
        for n_digits in N_DIGITS:
            table = best.copy()
            for factor in self.space.searched:
                if isinstance(factor, FreeFactor) and factor.step is None:
                    table[factor.name] = _rounded(
                        factor, float(best[factor.name].iloc[0]), n_digits
                    )
            fillers = [c for c in self.space.mixture if c.step is None]
            if fillers:
                filler = max(fillers, key=lambda c: float(best[c.name].iloc[0])).name
                rest = sum(float(table[c.name].iloc[0]) for c in self.space.mixture)
                share = float(table[filler].iloc[0]) + self.space.mixture_total - rest
                table[filler] = round(share, max(N_DIGITS))
            is_allowed = self.space.contains(table)[0] and self.space.on_steps(table)[0]
            if is_allowed and float(self.score(table)[0]) >= score - TIDY:
                return table
        return best

    def _polished(
        self, start: "pd.DataFrame", score: float, held: frozenset[str]
    ) -> tuple["pd.DataFrame", float]:
        """Return the better of a start and the optimum of the free factors reached from it."""
        cell = Cell.about(self.space, self.expected, self.ramps, _setting(start), held=held)
        if not cell.free:
            return start, score
        found = cell.best()
        if not self.space.contains(found)[0]:
            near = self._projected(found)
            if near is None:
                return start, score
            found = near
        new = float(self.score(found)[0])
        return (found, new) if new > score else (start, score)

    def _projected(self, settings: "pd.DataFrame") -> "pd.DataFrame | None":
        """Return the nearest setting that is allowed and on the steps, where one is found."""
        try:
            return self.space.project(settings)
        except InfeasibleSpaceError:
            return None  # one start of many; others may end where this one cannot

    def _around(self, best: "pd.DataFrame") -> "pd.DataFrame":
        """Return allowed settings near one, to see whether the search stopped too early."""
        setting = _setting(best)
        cell = Cell.about(self.space, self.expected, self.ramps, setting)
        if not cell.free:
            return best.iloc[:0]
        centre = cell.place(setting)
        width = (cell.bounds[:, 1] - cell.bounds[:, 0]) / 2
        moves = np.vstack([size * _directions(len(centre)) for size in PROBES]) * width
        places = np.clip(centre + moves, cell.bounds[:, 0], cell.bounds[:, 1])
        settings = cell.settings(places)
        return settings[self.space.contains(settings)].reset_index(drop=True)

    def _on_steps(self, best: "pd.DataFrame") -> "pd.DataFrame | None":
        """Return the best setting nearby that the equipment can set, where one is found."""
        current = self._projected(best)
        if current is None or not self.stepped:
            return current
        score = float(self.score(current)[0])
        for _ in range(MAX_MOVES):
            current, score = self._polished(current, score, self.stepped)
            moves = step_moves(self.space, _setting(current), self.stepped)
            scores = self.score(moves) if len(moves) else np.array([-np.inf])
            if scores.max() <= score + 1e-12:
                break
            row = int(scores.argmax())
            current, score = moves.iloc[[row]].reset_index(drop=True), float(scores[row])
        return current

    def _distinct(
        self, table: "pd.DataFrame", n_starts: int, best_means: FloatArray
    ) -> LocalOptima:
        scores = self.score(table)
        places = self.coded(table)
        groups = hills(self.space, table, places=places, scores=scores, score=self.score)
        kept = [middle(group, places, scores) for group in groups]
        flat = [is_flat(group, places, scores) for group in groups]
        return LocalOptima(
            table.iloc[kept].reset_index(drop=True),
            scores[kept],
            np.array([len(group) for group in groups], dtype=np.int64),
            np.array(flat, dtype=np.bool_),
            n_starts,
            best_means,
        )

    def _nearest_means(self, means: FloatArray) -> FloatArray:
        """Return for each goal the value of those seen that comes nearest to what is wanted."""
        best = []
        for goal, values in zip(self.objective.goals, means, strict=True):
            match goal.aim:
                case "maximise":
                    best.append(float(values.max()))
                case "minimise":
                    best.append(float(values.min()))
                case _:
                    low, high = float(goal.low or 0.0), float(goal.high or 0.0)
                    aim = goal.target if goal.target is not None else (low + high) / 2
                    best.append(float(values[np.argmin(np.abs(values - aim))]))
        return np.array(best)


def _setting(table: "pd.DataFrame") -> Settings:
    return {str(name): value for name, value in table.iloc[0].items()}


def _spread_best(
    group: IntArray, places: FloatArray, scores: FloatArray, n_starts: int
) -> list[int]:
    """Return rows of a group: the best among their nearest, then the best that are far apart."""
    order = group[np.argsort(-scores[group], kind="stable")]
    own = places[order]
    distances = np.linalg.norm(own[:, None] - own[None, :], axis=2)
    n_near = min(len(order), 2 * places.shape[1] + 2)
    nearest = np.argsort(distances, axis=1, kind="stable")[:, :n_near]
    tops = [i for i in range(len(order)) if i == nearest[i].min()]
    chosen = tops[: max(1, n_starts // 2)]
    while len(chosen) < min(n_starts, len(order)):
        # A better score counts as well as a longer way from what was chosen.
        gap = distances[:, chosen].min(axis=1)
        gap[chosen] = -1.0
        chosen.append(int(gap.argmax()))
    return [int(order[i]) for i in chosen]


def _rounded(factor: FreeFactor, value: float, n_digits: int) -> float:
    if is_log(factor):
        return float(f"{value:.{n_digits}g}")
    size = max(abs(factor.low), abs(factor.high))
    return round(value, n_digits - math.ceil(math.log10(size))) + 0.0


def _directions(n: int) -> FloatArray:
    """Return single and, for few factors, paired directions, shape ``(n_directions, n)``."""
    units = np.eye(n)
    rows = [*units, *-units]
    if n <= MAX_PAIRED:
        for one, two in combinations(range(n), 2):
            rows += [a * units[one] + b * units[two] for a, b in product((1, -1), (1, -1))]
    return np.array(rows)

"""How well surrogates predict runs that they have not seen: cross-validation with refitting."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy import stats

from doe.arrays import FloatArray
from doe.errors import CancelledError, InvalidValueError, TooFewDataError
from doe.runs import Observations
from surrogates.blocks import BlockLevels, block_paths
from surrogates.learning_rows import LearningRows, learning_rows
from surrogates.surrogate import Surrogate

if TYPE_CHECKING:
    import pandas as pd

SurrogateFactory = Callable[[Observations, np.random.Generator], Surrogate]
Progress = Callable[[float, str], None]
Colour = Literal["red", "amber", "green"]

COVERAGES = (0.50, 0.80, 0.95)
RED_BELOW, AMBER_BELOW = 0.25, 0.50
# Chance of so few values inside 95 % intervals that are right, below which they are called narrow.
TOO_FEW_INSIDE = 0.01
EACH_RUN, REPLICATES = "run", "replicates"


@dataclass(frozen=True, eq=False)
class Validation:
    """Predictions of held-out runs beside what was measured.

    Attributes:
        candidate: The surrogate validated, by the name that the caller gave it.
        response: What it predicts.
        unit: The response's unit.
        groups: What was held out together: ``run``, ``replicates`` or a block factor.
        n_folds: How often it was refitted.
        table: A row per run: ``run``, ``fold``, ``observed``, ``mean``, ``latent_std``,
            ``new_run_std``, ``standardised`` (residual over ``new_run_std``), ``log_density``,
            ``extrapolates``, and ``within 50 %``, ``within 80 %``, ``within 95 %``.
    """

    candidate: str
    response: str
    unit: str
    groups: str
    n_folds: int
    table: "pd.DataFrame"

    @property
    def q2(self) -> float:
        """1 - PRESS / total sum of squares about the mean; below 0 when worse than the mean."""
        deviations = self._column("observed") - self._column("observed").mean()
        residuals = self._column("observed") - self._column("mean")
        # A ratio: in units of the largest deviation no square overflows, whatever the unit.
        scale = float(np.abs(deviations).max())
        return float(1 - np.square(residuals / scale).sum() / np.square(deviations / scale).sum())

    @property
    def rmse(self) -> float:
        """Root mean square of the held-out residuals, in the response's unit."""
        residuals = self._column("observed") - self._column("mean")
        scale = float(np.abs(residuals).max()) or 1.0
        return float(scale * np.sqrt(np.square(residuals / scale).mean()))

    @property
    def log_density(self) -> float:
        """Mean log predictive density of the held-out values."""
        return float(self._column("log_density").mean())

    @property
    def coverage(self) -> Mapping[float, float]:
        """For each nominal coverage the share of held-out values inside the interval."""
        return {c: float(self.table[_within_name(c)].mean()) for c in COVERAGES}

    @property
    def colour(self) -> Colour:
        """Red below a Q2 of 0.25, amber below 0.5."""
        # Written so that a Q2 that is not a number is red.
        if not self.q2 >= RED_BELOW:
            return "red"
        return "amber" if self.q2 < AMBER_BELOW else "green"

    @property
    def verdict(self) -> str:
        """What to make of it, in sentences."""
        held = {EACH_RUN: "single runs", REPLICATES: "replicates together"}.get(
            self.groups, f"whole levels of {self.groups}"
        )
        meaning = {
            "red": "it predicts them hardly better, or worse, than their mean: do not rely on it",
            "amber": "it gives direction, not precision: confirm before relying on it",
            "green": "it predicts them usefully",
        }[self.colour]
        inside = int(self.table[_within_name(0.95)].sum())
        trust = "."
        if stats.binom.cdf(inside, len(self.table), 0.95) < TOO_FEW_INSIDE:
            trust = ": too few, the intervals are too narrow for such runs."
        return (
            f"{self.colour.capitalize()}: with {held} held out, Q2 is {self.q2:.2f} and the error "
            f"{self.rmse:.3g} {self.unit}".rstrip()
            + f"; {meaning}. Of {len(self.table)} held-out values {inside} lay within their 95 % "
            f"interval{trust}"
        )

    def summary(self) -> Mapping[str, object]:
        """Return the figures as plain JSON."""
        return {
            "candidate": self.candidate,
            "response": self.response,
            "groups": self.groups,
            "n_folds": self.n_folds,
            "n_runs": len(self.table),
            "q2": self.q2,
            "rmse": self.rmse,
            "log_density": self.log_density,
            "coverage": {f"{c:.0%}": share for c, share in self.coverage.items()},
            "colour": self.colour,
            "verdict": self.verdict,
        }

    def _column(self, name: str) -> FloatArray:
        return self.table[name].to_numpy(dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Comparison:
    """Several candidates on the same folds.

    Attributes:
        validations: By candidate.
        refusals: Why a candidate could not be fitted on some fold, by candidate.
    """

    validations: Mapping[str, Validation]
    refusals: Mapping[str, str]

    @property
    def best(self) -> str:
        """The candidate with the highest mean log predictive density."""
        return max(self.validations, key=lambda name: self.validations[name].log_density)

    def table(self) -> "pd.DataFrame":
        """Return a row per candidate: Q2, RMSE, log density, coverage."""
        import pandas as pd

        rows = []
        for name, found in self.validations.items():
            shares = {_within_name(c): share for c, share in found.coverage.items()}
            rows.append(
                {
                    "candidate": name,
                    "Q2": found.q2,
                    "RMSE": found.rmse,
                    "log density": found.log_density,
                    **shares,
                }
            )
        return pd.DataFrame(rows)


def cross_validate(
    observations: Observations,
    response: str,
    factory: SurrogateFactory,
    *,
    groups: str = EACH_RUN,
    candidate: str = "surrogate",
    rng: np.random.Generator,
    progress: Progress | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Validation:
    """Return how a surrogate, refitted without them, predicts each group of runs.

    Everything is learned again in each fold, hyper-parameters included. A held-out run in a block
    of which other runs remain is predicted for that block, otherwise for a new one.

    Args:
        observations: All runs.
        response: A measured response.
        factory: Fits the surrogate to the observations it is given.
        groups: What is held out together: ``run``, ``replicates``, or the name of a block factor.
        candidate: What to call the surrogate in the result.
        rng: Source of each fold's own stream.
        progress: Called before each fold with the share done and a sentence.
        is_cancelled: Asked before each fold.

    Raises:
        InvalidValueError: If ``groups`` is none of these.
        TooFewDataError: If there are fewer than two groups, or a fold cannot be fitted.
        CancelledError: If ``is_cancelled`` says so.
    """
    import pandas as pd

    rows = learning_rows(observations, response, censored="leave_out")
    folds = _folds(rows, groups)
    seed = int(rng.integers(2**63 - 1))
    parts = []
    for number, fold in enumerate(folds):
        if is_cancelled is not None and is_cancelled():
            raise CancelledError(f"Validation of {candidate} was cancelled at fold {number + 1}.")
        if progress is not None:
            sentence = f"Validating {candidate} of {response}: fold {number + 1} of {len(folds)}"
            progress(number / len(folds), sentence)
        stream = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(number,)))
        held = {rows.runs[row] for row in fold}
        surrogate = factory(without_runs(observations, held), stream)
        parts.append(_held_out(surrogate, rows, fold, number))
    if progress is not None:
        progress(1.0, f"Validated {candidate} of {response}")
    table = pd.concat(parts, ignore_index=True)
    unit = rows.response.unit
    return Validation(candidate, response, unit, groups, len(folds), table)


def compare(
    observations: Observations,
    response: str,
    candidates: Mapping[str, SurrogateFactory],
    *,
    groups: str = EACH_RUN,
    rng: np.random.Generator,
    progress: Progress | None = None,
    is_cancelled: Callable[[], bool] | None = None,
) -> Comparison:
    """Return the validation of several candidates on the same folds.

    A candidate that the runs of some fold cannot support is listed with the reason.

    Raises:
        InvalidValueError: If there is no candidate, or ``groups`` is unknown.
        TooFewDataError: If there are fewer than two groups.
        CancelledError: If ``is_cancelled`` says so.
    """
    if not candidates:
        raise InvalidValueError("Name at least one candidate to validate.")
    _folds(learning_rows(observations, response, censored="leave_out"), groups)
    seed = int(rng.integers(2**63 - 1))
    validations: dict[str, Validation] = {}
    refusals: dict[str, str] = {}
    for place, (name, factory) in enumerate(candidates.items()):
        try:
            validations[name] = cross_validate(
                observations,
                response,
                factory,
                groups=groups,
                candidate=name,
                rng=np.random.default_rng(seed),
                progress=_part(progress, place, len(candidates)),
                is_cancelled=is_cancelled,
            )
        except TooFewDataError as error:
            refusals[name] = str(error)
    return Comparison(validations, refusals)


def without_runs(observations: Observations, runs: "set[str]") -> Observations:
    """Return the observations without some runs."""
    keep = [str(run) not in runs for run in observations.target.index]
    origins = tuple(o for o, kept in zip(observations.origins, keep, strict=True) if kept)
    return Observations(
        observations.space,
        observations.responses,
        observations.target[keep],
        observations.actual[keep],
        observations.recorded[keep],
        tuple(m for m in observations.measurements if m.run not in runs),
        origins,
    )


def _folds(rows: LearningRows, groups: str) -> list[list[int]]:
    """Return the rows of each fold, in order of first appearance."""
    blocks = [block.name for block in rows.space.blocks]
    keys: Sequence[object]
    if groups == EACH_RUN:
        keys = rows.runs
    elif groups == REPLICATES:
        keys = [int(group) for group in rows.groups]
    elif groups in blocks:
        keys = rows.block_paths()[groups]
    else:
        raise InvalidValueError(
            f"groups {groups!r} is unknown; use '{EACH_RUN}', '{REPLICATES}' or a block factor "
            f"({', '.join(blocks) or 'there is none'})."
        )
    folds: dict[object, list[int]] = {}
    for row, key in enumerate(keys):
        folds.setdefault(key, []).append(row)
    if len(folds) < 2:
        raise TooFewDataError(
            f"Holding out '{groups}' leaves nothing to learn from: there is only one of them."
        )
    return list(folds.values())


def _held_out(
    surrogate: Surrogate, rows: LearningRows, fold: Sequence[int], number: int
) -> "pd.DataFrame":
    import pandas as pd

    settings = rows.settings.iloc[list(fold)]
    learned = surrogate.domain.runs.index
    known = BlockLevels.learned(
        rows.space, rows.settings[rows.settings.index.isin([str(run) for run in learned])]
    )
    paths = {b.name: block_paths(rows.space, settings, b.name) for b in rows.space.blocks}
    parts = []
    for place, row in enumerate(fold):
        block = {
            name: path[place][-1]
            for name, path in paths.items()
            if path[place] in known.levels[name]
        }
        parts.append(_one_row(surrogate, rows, row, block, number))
    return pd.DataFrame(parts)


def _one_row(
    surrogate: Surrogate, rows: LearningRows, row: int, block: Mapping[str, str], fold: int
) -> dict[str, object]:
    prediction = surrogate.predict(rows.settings.iloc[[row]], block=block)
    observed = float(rows.measured[row])
    inside = {}
    for coverage in COVERAGES:
        lower, upper = prediction.interval(coverage)
        inside[_within_name(coverage)] = bool(lower[0] <= observed <= upper[0])
    return {
        "run": rows.runs[row],
        "fold": fold,
        "observed": observed,
        "mean": float(prediction.mean[0]),
        "latent_std": float(prediction.latent_std[0]),
        "new_run_std": float(prediction.new_run_std[0]),
        "standardised": float((observed - prediction.mean[0]) / prediction.new_run_std[0]),
        "log_density": float(prediction.predictive.log_density(np.array([observed]))[0]),
        "extrapolates": bool(prediction.extrapolates[0]),
        **inside,
    }


def _within_name(coverage: float) -> str:
    return f"within {coverage * 100:.0f} %"


def _part(progress: Progress | None, place: int, n_parts: int) -> Progress | None:
    if progress is None:
        return None
    return lambda share, sentence: progress((place + share) / n_parts, sentence)

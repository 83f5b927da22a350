"""Runs: the design that plans them, the measurements made on them, and both together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from doe.errors import DesignError, InvalidValueError, UnknownNameError
from doe.factors import check_name, check_number
from doe.responses import AnyResponse, DerivedResponse, Response
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

Qualifier = Literal["=", "<", ">"]
Origin = Literal["designed", "recommended", "added", "imported"]
JSON = None | bool | int | float | str | Sequence["JSON"] | Mapping[str, "JSON"]


@dataclass(frozen=True, eq=False)
class Design:
    """Runs planned together, in standard order, with what is known about how they were made.

    Attributes:
        space: The factor space that the runs belong to.
        runs: Settings in natural units, one row per run, columns in the order of the factors.
        method: The kind of design in words, such as ``central composite, rotatable``.
        point_types: What each run is: ``factorial``, ``axial``, ``centre``, ``edge``, ``space``...
        run_order: For each row, its place (1 first) in the order of doing; standard order unless
            ``randomised``.
        blocks: For each block factor, the level of each run; outermost first.
        whole_plots: Which of the blocks hold the settings of hard-to-change factors, outermost
            first: within a whole plot these are set once.
        randomisation: How the order of doing was drawn, in words; empty for standard order.
        generators: Generators of a fraction, such as ``E = ABCD``.
        seed: What the random draws came from, when there were any.
        details: Further facts about the construction, plain JSON.

    Raises:
        DesignError: If the parts do not have one entry per run, or a whole plot is no block.
        InvalidValueError: If a factor's column is missing.
    """

    space: FactorSpace
    runs: "pd.DataFrame"
    method: str
    point_types: tuple[str, ...] = ()
    run_order: tuple[int, ...] = ()
    blocks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    whole_plots: tuple[str, ...] = ()
    randomisation: str = ""
    generators: tuple[str, ...] = ()
    seed: int | None = None
    details: Mapping[str, JSON] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.space.check_columns(self.runs)
        runs = self.runs[list(self.space.names)].reset_index(drop=True)
        object.__setattr__(self, "runs", runs)
        n_runs = len(runs)
        if n_runs == 0:
            raise DesignError("A design needs at least one run.")
        for name in self.space.names:
            empty = np.flatnonzero(runs[name].isna())
            if len(empty):
                raise DesignError(f"Run {empty[0] + 1} of the design has no setting of '{name}'.")
        blocks = {name: tuple(map(str, levels)) for name, levels in self.blocks.items()}
        object.__setattr__(self, "blocks", blocks)
        for attribute in ("point_types", "generators", "whole_plots"):
            object.__setattr__(self, attribute, tuple(getattr(self, attribute)))
        object.__setattr__(self, "run_order", tuple(self.run_order) or tuple(range(1, n_runs + 1)))
        self._check_lengths(n_runs)

    def _check_lengths(self, n_runs: int) -> None:
        if sorted(self.run_order) != list(range(1, n_runs + 1)):
            raise DesignError(
                f"run_order must hold each of 1 to {n_runs} once, got {list(self.run_order)[:20]}."
            )
        if self.point_types and len(self.point_types) != n_runs:
            raise DesignError(f"{len(self.point_types)} point types for {n_runs} runs.")
        for name, levels in self.blocks.items():
            if len(levels) != n_runs:
                raise DesignError(f"Block factor '{name}' has {len(levels)} of {n_runs} levels.")
        for name in self.whole_plots:
            if name not in self.blocks:
                raise DesignError(
                    f"Whole plots '{name}' have no levels; blocks are {list(self.blocks)}: give "
                    "each run its whole plot in blocks."
                )

    def __eq__(self, other: object) -> bool:
        """Return whether both plan the same runs in the same way."""
        if not isinstance(other, Design):
            return NotImplemented
        return self._identity() == other._identity() and self.runs.equals(other.runs)

    __hash__ = None  # type: ignore[assignment]  # holds a data frame, which has no hash

    def _identity(self) -> tuple[object, ...]:
        return (
            self.space,
            self.method,
            self.point_types,
            self.run_order,
            dict(self.blocks),
            self.whole_plots,
            self.randomisation,
            self.generators,
            self.seed,
            dict(self.details),
        )

    @property
    def n_runs(self) -> int:
        """How many runs are planned."""
        return len(self.runs)

    def coded(self) -> "pd.DataFrame":
        """Return the settings in coded units, shape ``(n_runs, n_factors)``."""
        return self.space.to_coded(self.runs)

    def randomised(self, *, rng: np.random.Generator, seed: int | None = None) -> "Design":
        """Return the design with its runs in random order, as far as blocks and plots let it.

        Blocks stay in their order; whole plots are drawn within them, and runs within those.
        ``randomisation`` of the result says so, and how often hard-to-change factors change.

        Args:
            rng: Source of the random draws.
            seed: Kept with the design, so that the order can be drawn again.
        """
        from doe.run_order import drawn_order, randomisation_record

        order = drawn_order(self, rng=rng)
        kept = self.seed if seed is None else seed
        drawn = replace(self, run_order=order, seed=kept)
        return replace(drawn, randomisation=randomisation_record(drawn))

    def run_sheet(self) -> "pd.DataFrame":
        """Return the runs in the order of doing, with standard order, blocks and point type.

        Raises:
            DesignError: If a factor has the name of one of these columns.
        """
        columns: dict[str, Sequence[object]] = {
            "run order": self.run_order,
            "standard order": range(1, self.n_runs + 1),
        }
        if self.point_types:
            columns["point type"] = self.point_types
        names = [*columns, *self.blocks, *self.space.names]
        for name in names:
            if names.count(name) > 1:
                raise DesignError(
                    f"The run sheet would have two columns '{name}': rename the factor."
                )
        columns.update(self.blocks)
        sheet = self.runs.copy()
        for name, levels in reversed(columns.items()):
            sheet.insert(0, name, list(levels))
        return sheet.sort_values("run order").reset_index(drop=True)


@dataclass(frozen=True, slots=True)
class Measurement:
    """One value of one response on one run.

    Attributes:
        run: Identifier of the run.
        response: Name of the response.
        value: The value, in the response's unit; 0 or 1 for pass/fail.
        qualifier: ``<`` when the true value is known only to be below ``value``, ``>`` above.
        time: When in the run, in the response's ``time_unit``, for a time course.
        replicate: Number of the repeated determination on the same run, from 1.
        sd: Standard deviation of this value, where it is known from outside.
        method: The analytical method, where it differs from the response's.
        measured_at: When it was measured, with its time zone.

    Raises:
        InvalidValueError: If a number or choice is not allowed.
    """

    run: str
    response: str
    value: float
    qualifier: Qualifier = field(default="=", kw_only=True)
    time: float | None = field(default=None, kw_only=True)
    replicate: int = field(default=1, kw_only=True)
    sd: float | None = field(default=None, kw_only=True)
    method: str | None = field(default=None, kw_only=True)
    measured_at: datetime | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.run, "run")
        check_name(self.response, "response")
        what = f"Measurement of '{self.response}' on run '{self.run}'"
        object.__setattr__(self, "value", check_number(self.value, what))
        if self.qualifier not in ("=", "<", ">"):
            raise InvalidValueError(f"{what}: qualifier {self.qualifier!r}; use '=', '<' or '>'.")
        for attribute in ("time", "sd"):
            number = getattr(self, attribute)
            if number is not None:
                object.__setattr__(self, attribute, check_number(number, f"{what}, {attribute}"))
        if self.sd is not None and self.sd <= 0:
            raise InvalidValueError(f"{what}: sd must be positive, got {self.sd}.")
        if isinstance(self.replicate, bool) or not isinstance(self.replicate, int):
            raise InvalidValueError(f"{what}: replicate must be a whole number.")
        if self.replicate < 1:
            raise InvalidValueError(f"{what}: replicate counts from 1, got {self.replicate}.")
        if self.measured_at is not None and self.measured_at.tzinfo is None:
            raise InvalidValueError(f"{what}: measured_at needs a time zone.")

    @property
    def key(self) -> tuple[str, str, float | None, int]:
        """What must be unique: run, response, time and replicate."""
        return (self.run, self.response, self.time, self.replicate)


@dataclass(frozen=True, eq=False)
class Observations:
    """Runs with their settings, asked for and achieved, and everything measured on them.

    Attributes:
        space: The factor space.
        responses: What was measured, and what is derived from it.
        target: Settings asked for, index run identifier, columns the searched factors.
        actual: Settings achieved, same shape, missing where they were not read.
        recorded: Covariates, contexts and blocks of each run, same index.
        measurements: Every value, long form.
        origins: How each run came to be; analyses of variance on recommended runs say so.

    Raises:
        InvalidValueError: If runs repeat, or a measurement repeats or names something unknown.
    """

    space: FactorSpace
    responses: tuple[AnyResponse, ...]
    target: "pd.DataFrame"
    actual: "pd.DataFrame"
    recorded: "pd.DataFrame"
    measurements: tuple[Measurement, ...]
    origins: tuple[Origin, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "responses", tuple(self.responses))
        object.__setattr__(self, "measurements", tuple(self.measurements))
        self.space.check_columns(self.target)
        self._check_runs()
        self._check_measurements()

    def _check_runs(self) -> None:
        runs = self.runs
        if len(set(runs)) < len(runs):
            twice = sorted({run for run in runs if runs.count(run) > 1})
            raise InvalidValueError(f"Runs occur twice: {twice}. Give each run its own name.")
        for what, table in (("actual", self.actual), ("recorded", self.recorded)):
            if tuple(str(run) for run in table.index) != runs:
                raise InvalidValueError(
                    f"The {what} settings have other runs than the target, {list(table.index)[:5]} "
                    f"and {list(runs)[:5]}: give both the same index."
                )
        lacking = [name for name in self.space.names if name not in self.actual.columns]
        if lacking:
            raise InvalidValueError(
                f"The actual settings lack the factors {lacking}: add the columns, empty where a "
                "setting was not read."
            )
        if not self.origins:
            object.__setattr__(self, "origins", ("imported",) * len(runs))
        if len(self.origins) != len(runs):
            raise InvalidValueError(f"{len(self.origins)} origins for {len(runs)} runs.")

    def _check_measurements(self) -> None:
        names = [response.name for response in self.responses]
        if len(set(names)) < len(names):
            raise InvalidValueError(f"A response occurs twice among {names}: rename one.")
        runs = set(self.runs)
        measured = {r.name for r in self.responses if isinstance(r, Response)}
        seen: set[object] = set()
        for measurement in self.measurements:
            what = f"Measurement of '{measurement.response}' on run '{measurement.run}'"
            if measurement.run not in runs:
                raise InvalidValueError(f"{what}: no such run; the first are {self.runs[:5]}.")
            if measurement.response not in measured:
                raise InvalidValueError(
                    f"{what}: no such measured response; those are {sorted(measured)}."
                )
            if measurement.key in seen:
                raise InvalidValueError(
                    f"Run '{measurement.run}' has two values of '{measurement.response}' at time "
                    f"{measurement.time}, replicate {measurement.replicate}: number the replicates."
                )
            seen.add(measurement.key)

    @classmethod
    def from_frame(
        cls, table: "pd.DataFrame", space: FactorSpace, responses: Sequence[AnyResponse]
    ) -> "Observations":
        """Return the observations in a wide table: a row per run, a column per factor and response.

        Run names are taken from a column ``run``, else from the row number (from 1). A column
        ``<factor> (actual)`` holds achieved settings, one ``time`` the times of a time course.
        Rows with the same run and target settings are repeated determinations on that run. Empty
        response cells are values not measured; ``<0.5`` is a value known to be below 0.5.

        Raises:
            InvalidValueError: If a column is missing, a cell cannot be read, or rows of one run
                differ.
        """
        from doe.wide_tables import observations_from_frame

        return observations_from_frame(table, space, responses)

    @property
    def runs(self) -> tuple[str, ...]:
        """The identifiers of the runs."""
        return tuple(str(run) for run in self.target.index)

    def response(self, name: str) -> AnyResponse:
        """Return the response of this name.

        Raises:
            UnknownNameError: If there is none.
        """
        for response in self.responses:
            if response.name == name:
                return response
        raise UnknownNameError(
            f"No response is called '{name}'; the responses are {[r.name for r in self.responses]}."
        )

    def settings(self) -> "pd.DataFrame":
        """Return what surrogates learn from: per factor the achieved or the asked-for setting.

        The recorded columns (covariates, contexts, blocks) stand beside the factors.
        """
        from doe.observing import learned_settings

        return learned_settings(self)

    def values(self, response: str) -> "pd.DataFrame":
        """Return the values of a response, a row per run and replicate, time courses summarised.

        Columns ``run``, ``replicate``, ``value``, ``qualifier``, ``sd`` (missing where unknown).

        Raises:
            UnknownNameError: If there is no such response.
        """
        from doe.summaries import summarised_values

        return summarised_values(self, response)

    def replicate_groups(self) -> "pd.Series[Any]":
        """Return for each run the number of its group of replicates, from 0.

        Runs are replicates when their targets and contexts are equal and their achieved settings
        agree within each factor's tolerance (within 2 % of its range where it has none).
        """
        from doe.observing import replicate_groups

        return replicate_groups(self)

    def table(self) -> "pd.DataFrame":
        """Return the wide table: a row per run, settings, recorded columns, mean responses."""
        from doe.wide_tables import wide_table

        return wide_table(self)

    def derived(self) -> tuple[DerivedResponse, ...]:
        """Return the responses that are computed from others."""
        return tuple(r for r in self.responses if isinstance(r, DerivedResponse))

"""What is measured, what limits it must meet, and what is wanted of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, assert_never

from doe.errors import InvalidValueError
from doe.expressions import parse_expression
from doe.factors import check_name, check_number, check_range

ResponseKind = Literal["continuous", "pass_fail"]
Transform = Literal["none", "log", "sqrt", "inverse", "logit"]
Basis = Literal["specification", "in-process", "target"]
Aim = Literal["maximise", "minimise", "target", "range"]


@dataclass(frozen=True, slots=True)
class At:
    """The value of a time course at one time, interpolated linearly between its samples.

    Attributes:
        time: When, in ``unit``.
        unit: Unit of the time, such as ``d`` or ``h``.
    """

    time: float
    unit: str = "d"

    def __post_init__(self) -> None:
        object.__setattr__(self, "time", check_number(self.time, "Time of a summary"))


Summary = Literal["end", "max", "integral"] | At


@dataclass(frozen=True, slots=True)
class Response:
    """What is measured on a run.

    Attributes:
        name: How tables, formulas and people call it.
        unit: Natural unit, read by pint; empty for a plain number.
        kind: ``pass_fail`` responses hold 1 for pass and 0 for fail.
        transform: The scale on which surrogates model it.
        detection_limit: Values below it are reported as ``<limit`` and kept as such.
        method: The analytical method.
        method_sd: Standard deviation of one determination by the method, in ``unit``; gives
            surrogates a known variance, so it must come from outside the campaign's runs.
        summary: How a time course becomes one number per run.
        time_unit: Unit of the times in a time course.
        aliases: Other names of its column in tables.

    Raises:
        InvalidValueError: If a number or choice is not allowed.
    """

    name: str
    unit: str = ""
    kind: ResponseKind = field(default="continuous", kw_only=True)
    transform: Transform = field(default="none", kw_only=True)
    detection_limit: float | None = field(default=None, kw_only=True)
    method: str | None = field(default=None, kw_only=True)
    method_sd: float | None = field(default=None, kw_only=True)
    summary: Summary = field(default="end", kw_only=True)
    time_unit: str = field(default="h", kw_only=True)
    aliases: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.name, "response")
        what = f"Response '{self.name}'"
        if self.kind not in ("continuous", "pass_fail"):
            raise InvalidValueError(f"{what} kind {self.kind!r}: use 'continuous' or 'pass_fail'.")
        if self.transform not in ("none", "log", "sqrt", "inverse", "logit"):
            raise InvalidValueError(
                f"{what} transform {self.transform!r}: use none, log, sqrt, inverse or logit."
            )
        if not isinstance(self.summary, At) and self.summary not in ("end", "max", "integral"):
            raise InvalidValueError(
                f"{what} summary {self.summary!r}: use 'end', 'max', 'integral' or At(time, unit)."
            )
        if self.detection_limit is not None:
            check_number(self.detection_limit, f"{what} detection limit")
        if self.method_sd is not None and check_number(self.method_sd, f"{what} method SD") <= 0:
            raise InvalidValueError(f"{what} method SD must be positive, got {self.method_sd}.")
        object.__setattr__(self, "aliases", tuple(self.aliases))


@dataclass(frozen=True, slots=True)
class DerivedResponse:
    """A number computed from responses and factors of the same run.

    It is evaluated on joint draws of its parts, never on their means: the mean of a ratio is not
    the ratio of the means.

    Attributes:
        name: How formulas and people call it.
        expression: Arithmetic of responses and factors, such as ``titre / volume``.
        unit: Unit of the result.

    Raises:
        ExpressionError: If the expression cannot be read.
    """

    name: str
    expression: str
    unit: str = ""

    def __post_init__(self) -> None:
        check_name(self.name, "derived response")
        if self.name in parse_expression(self.expression).names:
            raise InvalidValueError(f"Derived response '{self.name}' is defined by itself.")


AnyResponse = Response | DerivedResponse


@dataclass(frozen=True, slots=True)
class Specification:
    """The limits that a response must stay within, in its natural unit.

    Attributes:
        response: Name of a response or derived response.
        lower: Lowest acceptable value.
        upper: Highest acceptable value.
        basis: Where the limits come from.

    Raises:
        InvalidValueError: If there is no limit, or the lower is not below the upper.
    """

    response: str
    lower: float | None = None
    upper: float | None = None
    basis: Basis = field(default="specification", kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.response, "response")
        what = f"Specification of '{self.response}'"
        if self.lower is None and self.upper is None:
            raise InvalidValueError(f"{what} needs a lower or an upper limit.")
        for attribute in ("lower", "upper"):
            limit = getattr(self, attribute)
            if limit is not None:
                object.__setattr__(self, attribute, check_number(limit, f"{what} {attribute}"))
        if self.lower is not None and self.upper is not None:
            check_range(self.lower, self.upper, what)
        if self.basis not in ("specification", "in-process", "target"):
            raise InvalidValueError(
                f"{what} basis {self.basis!r}: use specification, in-process or target."
            )

    def sentence(self, unit: str = "") -> str:
        """Return the limits in words, such as ``62 <= viscosity <= 68 mPa s``."""
        left = f"{self.lower:g} <= " if self.lower is not None and self.upper is not None else ""
        right = f" <= {self.upper:g}" if self.upper is not None else f" >= {self.lower:g}"
        return f"{left}{self.response}{right} {unit}".strip()


@dataclass(frozen=True, slots=True)
class Goal:
    """What is wanted of one response.

    Attributes:
        response: Name of a response or derived response.
        aim: ``maximise``, ``minimise``, hit a ``target`` or stay in a ``range``.
        target: The value to hit, for aim ``target``.
        low: For a desirability, where it becomes zero on the lower side; for ``range`` its start.
        high: For a desirability, where it becomes zero on the upper side; for ``range`` its end.
        weight: Shape of a desirability (1 linear, above 1 stricter), or weight in a weighted sum.
        importance: Exponent of this response's desirability in the overall one.

    Raises:
        InvalidValueError: If the numbers do not fit the aim.
    """

    response: str
    aim: Aim = "maximise"
    target: float | None = field(default=None, kw_only=True)
    low: float | None = field(default=None, kw_only=True)
    high: float | None = field(default=None, kw_only=True)
    weight: float = field(default=1.0, kw_only=True)
    importance: float = field(default=1.0, kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.response, "response")
        what = f"Goal for '{self.response}'"
        if self.aim not in ("maximise", "minimise", "target", "range"):
            raise InvalidValueError(
                f"{what}: aim {self.aim!r} is unknown; use maximise, minimise, target or range."
            )
        for attribute in ("target", "low", "high", "weight", "importance"):
            value = getattr(self, attribute)
            if value is not None:
                object.__setattr__(self, attribute, check_number(value, f"{what} {attribute}"))
        if self.aim == "target" and self.target is None:
            raise InvalidValueError(f"{what}: aim 'target' needs the target value.")
        if self.aim != "target" and self.target is not None:
            raise InvalidValueError(
                f"{what} has a target of {self.target:g} but aim '{self.aim}': use aim 'target'."
            )
        if self.aim == "range" and (self.low is None or self.high is None):
            raise InvalidValueError(f"{what}: aim 'range' needs low and high.")
        if self.low is not None and self.high is not None:
            check_range(self.low, self.high, what)
        if self.weight <= 0 or self.importance <= 0:
            raise InvalidValueError(f"{what}: weight and importance must be positive.")


@dataclass(frozen=True, slots=True)
class Single:
    """One response is to be as good as possible."""

    goal: Goal


@dataclass(frozen=True, slots=True)
class Pareto:
    """Several responses at once, none traded for another beforehand.

    Attributes:
        goals: Two or more.
        reference: The worst acceptable value per response, in natural units; inferred from the
            results when absent.
    """

    goals: tuple[Goal, ...]
    reference: Mapping[str, float] | None = field(default=None, hash=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "goals", tuple(self.goals))
        _check_goals(self.goals, "Pareto objective", at_least=2)
        if self.reference is not None:
            unknown = set(self.reference) - {goal.response for goal in self.goals}
            if unknown:
                raise InvalidValueError(f"Pareto reference names {sorted(unknown)}, not a goal.")
            reference = {
                name: check_number(value, f"Pareto reference of '{name}'")
                for name, value in self.reference.items()
            }
            object.__setattr__(self, "reference", reference)


@dataclass(frozen=True, slots=True)
class Desirability:
    """The geometric mean of one desirability per response (Derringer and Suich 1980).

    Every goal needs the values where its desirability is zero and one: ``maximise`` rises from
    ``low`` to ``high``, ``minimise`` falls, ``target`` peaks at its target.
    """

    goals: tuple[Goal, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "goals", tuple(self.goals))
        _check_goals(self.goals, "Desirability objective", at_least=1)
        for goal in self.goals:
            if goal.low is None or goal.high is None:
                raise InvalidValueError(
                    f"Desirability of '{goal.response}' needs low and high: the values between "
                    "which it changes from 0 to 1."
                )
            if goal.target is not None and not goal.low < goal.target < goal.high:
                raise InvalidValueError(
                    f"Desirability of '{goal.response}': target {goal.target:g} must lie between "
                    f"{goal.low:g} and {goal.high:g}."
                )


@dataclass(frozen=True, slots=True)
class Weighted:
    """A weighted sum: responses to maximise count positive, those to minimise negative."""

    goals: tuple[Goal, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "goals", tuple(self.goals))
        _check_goals(self.goals, "Weighted objective", at_least=1)
        for goal in self.goals:
            if goal.aim not in ("maximise", "minimise"):
                raise InvalidValueError(
                    f"A weighted sum can maximise or minimise '{goal.response}', not '{goal.aim}'."
                )


@dataclass(frozen=True, slots=True)
class ProbabilityInSpecification:
    """The probability that a new run meets every specification is to be as high as possible."""


Objective = Single | Pareto | Desirability | Weighted | ProbabilityInSpecification


def goals_of(objective: Objective) -> tuple[Goal, ...]:
    """Return the goals that an objective is made of."""
    match objective:
        case Single(goal):
            return (goal,)
        case Pareto(goals) | Desirability(goals) | Weighted(goals):
            return goals
        case ProbabilityInSpecification():
            return ()
        case _:
            assert_never(objective)


def _check_goals(goals: tuple[Goal, ...], what: str, *, at_least: int) -> None:
    if len(goals) < at_least:
        raise InvalidValueError(f"A {what} needs at least {at_least} goals, got {len(goals)}.")
    names = [goal.response for goal in goals]
    if len(set(names)) < len(names):
        raise InvalidValueError(f"A {what} names a response twice: {names}.")

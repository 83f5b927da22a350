"""What is varied in an experiment, and what is recorded beside it but never searched."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from doe.errors import InvalidValueError

Change = Literal["easy", "hard", "very_hard"]
Scale = Literal["linear", "log"]
LearnFrom = Literal["actual", "target"]
Distribution = Literal["normal", "truncated_normal", "uniform"]
Value = float | str

MAX_NAME = 100
# 0.5 - 0.45 is a little less than 0.05: what a step is compared with carries rounding error.
ROUNDING = 1e-9


def check_name(name: object, noun: str) -> None:
    """Refuse a name that could not stand in a table, a formula or a file.

    Raises:
        InvalidValueError: If it is empty, too long, padded, or has a backtick or control character.
    """
    if not isinstance(name, str) or not name.strip():
        raise InvalidValueError(f"A {noun} needs a name, got {name!r}: give it a short text.")
    if name != name.strip() or len(name) > MAX_NAME or "`" in name or not name.isprintable():
        raise InvalidValueError(
            f"{noun.capitalize()} name {name!r} is not usable: at most {MAX_NAME} printable "
            "characters, no backtick, no space at its ends."
        )


def check_number(value: object, what: str) -> float:
    """Return a finite number as a float.

    Raises:
        InvalidValueError: If it is not a finite number.
    """
    # bool is an int in Python; a bound of True is a mistake.
    if isinstance(value, bool) or not isinstance(value, int | float):
        try:
            value = float(value.item())  # type: ignore[attr-defined]  # numpy scalars, else refused
        except (AttributeError, TypeError, ValueError):
            raise InvalidValueError(f"{what} must be a number, got {value!r}.") from None
    if not math.isfinite(value):
        raise InvalidValueError(f"{what} must be finite, got {value!r}.")
    return float(value)


def check_range(low: float, high: float, what: str) -> None:
    """Refuse a range that is empty.

    Raises:
        InvalidValueError: If ``low`` is not below ``high``.
    """
    if not low < high:
        raise InvalidValueError(
            f"{what}: low {low:g} must be below high {high:g}: swap them, or make it a constant."
        )


@dataclass(frozen=True, slots=True)
class ControlCapability:
    """How closely the plant holds a factor at its set point, in the factor's natural unit.

    Attributes:
        sd: Standard deviation about the set point.
        half_width: Half the width of the range that the factor stays in.
        distribution: How the deviations are spread.
    """

    sd: float | None = None
    half_width: float | None = None
    distribution: Distribution = "normal"

    def __post_init__(self) -> None:
        if (self.sd is None) == (self.half_width is None):
            raise InvalidValueError(
                f"A control capability needs sd or half_width, and not both; got sd={self.sd}, "
                f"half_width={self.half_width}."
            )
        for what, value in (("sd", self.sd), ("half_width", self.half_width)):
            if value is not None and check_number(value, f"Control capability {what}") <= 0:
                raise InvalidValueError(f"Control capability {what} must be positive, got {value}.")
        if self.distribution == "uniform" and self.half_width is None:
            raise InvalidValueError("A uniform control capability needs half_width, not sd.")


@dataclass(frozen=True, slots=True)
class ContinuousFactor:
    """A setting that can take any value of a range, such as pH or temperature.

    Attributes:
        name: How tables, formulas and people call it.
        low: Lowest setting that may be asked for, in ``unit``.
        high: Highest setting that may be asked for, in ``unit``.
        unit: Natural unit, read by pint; empty for a plain number.
        step: Smallest change that the equipment can set; settings are ``low + i * step``.
        scale: ``log`` when ratios matter rather than differences.
        change: How hard it is to change between runs.
        capability: How closely the plant holds it.
        learn_from: Whether surrogates learn from the achieved or from the asked-for setting.
        tolerance: How far apart two achieved settings may be and still be replicates.
        aliases: Other names of its column in tables.

    Raises:
        InvalidValueError: If the range is empty, a step does not fit, or log meets zero.
    """

    name: str
    low: float
    high: float
    unit: str = ""
    step: float | None = field(default=None, kw_only=True)
    scale: Scale = field(default="linear", kw_only=True)
    change: Change = field(default="easy", kw_only=True)
    capability: ControlCapability | None = field(default=None, kw_only=True)
    learn_from: LearnFrom = field(default="actual", kw_only=True)
    tolerance: float | None = field(default=None, kw_only=True)
    aliases: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.name, "factor")
        what = f"Factor '{self.name}'"
        object.__setattr__(self, "low", check_number(self.low, f"{what} low"))
        object.__setattr__(self, "high", check_number(self.high, f"{what} high"))
        check_range(self.low, self.high, what)
        if self.scale == "log" and self.low <= 0:
            raise InvalidValueError(
                f"{what} has scale 'log' but starts at {self.low:g} {self.unit}: "
                "a log scale needs low above zero."
            )
        _check_choice(self.scale, ("linear", "log"), f"{what} scale")
        _check_choice(self.change, ("easy", "hard", "very_hard"), f"{what} change")
        _check_choice(self.learn_from, ("actual", "target"), f"{what} learn_from")
        if self.step is not None:
            step = check_number(self.step, f"{what} step")
            if not 0 < step <= (self.high - self.low) * (1 + ROUNDING):
                raise InvalidValueError(
                    f"{what} step {step:g} {self.unit} must be positive and at most the range "
                    f"{self.high - self.low:g}."
                )
            object.__setattr__(self, "step", step)
        if self.tolerance is not None and check_number(self.tolerance, f"{what} tolerance") < 0:
            raise InvalidValueError(f"{what} tolerance must not be negative, got {self.tolerance}.")
        _freeze_aliases(self)


@dataclass(frozen=True, slots=True)
class DiscreteFactor:
    """A number that can only take some values, such as an impeller count or a shift day.

    Attributes:
        name: How tables, formulas and people call it.
        levels: The values, ascending, in ``unit``.
        unit: Natural unit, read by pint; empty for a plain number.
        scale: ``log`` when ratios matter rather than differences.
        change: How hard it is to change between runs.
        aliases: Other names of its column in tables.

    Raises:
        InvalidValueError: If there are fewer than two different levels, or log meets zero.
    """

    name: str
    levels: tuple[float, ...]
    unit: str = ""
    scale: Scale = field(default="linear", kw_only=True)
    change: Change = field(default="easy", kw_only=True)
    aliases: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.name, "factor")
        what = f"Factor '{self.name}'"
        levels = tuple(
            check_number(level, f"{what} level") for level in _sequence(self.levels, what)
        )
        if len(levels) < 2 or len(set(levels)) < len(levels):
            raise InvalidValueError(
                f"{what} needs at least two different levels, got {list(levels)}."
            )
        if self.scale == "log" and min(levels) <= 0:
            raise InvalidValueError(f"{what} has scale 'log': its levels must be above zero.")
        _check_choice(self.scale, ("linear", "log"), f"{what} scale")
        _check_choice(self.change, ("easy", "hard", "very_hard"), f"{what} change")
        object.__setattr__(self, "levels", tuple(sorted(levels)))
        _freeze_aliases(self)

    @property
    def low(self) -> float:
        """The lowest level, in ``unit``."""
        return self.levels[0]

    @property
    def high(self) -> float:
        """The highest level, in ``unit``."""
        return self.levels[-1]


@dataclass(frozen=True, slots=True)
class CategoricalFactor:
    """A choice without order, such as the resin or the clone.

    Attributes:
        name: How tables, formulas and people call it.
        levels: The choices; their order is kept and means nothing.
        change: How hard it is to change between runs.
        aliases: Other names of its column in tables.

    Raises:
        InvalidValueError: If there are fewer than two different levels.
    """

    name: str
    levels: tuple[str, ...]
    change: Change = field(default="easy", kw_only=True)
    aliases: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.name, "factor")
        object.__setattr__(self, "levels", _check_levels(self.levels, f"Factor '{self.name}'"))
        _check_choice(self.change, ("easy", "hard", "very_hard"), f"Factor '{self.name}' change")
        _freeze_aliases(self)


@dataclass(frozen=True, slots=True)
class MixtureComponent:
    """A share of a mixture; the components of a factor space add up to its ``mixture_total``.

    Attributes:
        name: How tables, formulas and people call it.
        low: Lowest share, in ``unit``.
        high: Highest share, in ``unit``.
        unit: Natural unit, read by pint; empty for a fraction.
        step: Smallest change that can be dosed.
        aliases: Other names of its column in tables.

    Raises:
        InvalidValueError: If the range is empty or negative.
    """

    name: str
    low: float = 0.0
    high: float = 1.0
    unit: str = ""
    step: float | None = field(default=None, kw_only=True)
    aliases: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.name, "mixture component")
        what = f"Mixture component '{self.name}'"
        object.__setattr__(self, "low", check_number(self.low, f"{what} low"))
        object.__setattr__(self, "high", check_number(self.high, f"{what} high"))
        check_range(self.low, self.high, what)
        if self.low < 0:
            raise InvalidValueError(f"{what} low {self.low:g} must not be negative.")
        if self.step is not None:
            step = check_number(self.step, f"{what} step")
            if not 0 < step <= (self.high - self.low) * (1 + ROUNDING):
                raise InvalidValueError(f"{what} step {step:g} must fit into its range.")
            object.__setattr__(self, "step", step)
        _freeze_aliases(self)


@dataclass(frozen=True, slots=True)
class Covariate:
    """A number that is recorded and not set, such as a lot attribute or the harvest time.

    Attributes:
        name: How tables, formulas and people call it.
        unit: Natural unit, read by pint.
        low: Lowest value that is possible at all; a recorded value below contradicts itself.
        high: Highest value that is possible at all.
        expression: How it follows from other columns of a run, when it is not measured.
        aliases: Other names of its column in tables.

    Raises:
        InvalidValueError: If the possible range is empty.
        ExpressionError: If the expression cannot be read.
    """

    name: str
    unit: str = ""
    low: float | None = field(default=None, kw_only=True)
    high: float | None = field(default=None, kw_only=True)
    expression: str | None = field(default=None, kw_only=True)
    aliases: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.name, "covariate")
        what = f"Covariate '{self.name}'"
        for attribute in ("low", "high"):
            bound = getattr(self, attribute)
            if bound is not None:
                object.__setattr__(self, attribute, check_number(bound, f"{what} {attribute}"))
        if self.low is not None and self.high is not None:
            check_range(self.low, self.high, what)
        if self.expression is not None:
            from doe.expressions import parse_expression

            parse_expression(self.expression)
        _freeze_aliases(self)


@dataclass(frozen=True, slots=True)
class Context:
    """Where or on what a run was done, such as the scale, the site or the clone.

    Attributes:
        name: How tables, formulas and people call it.
        levels: The contexts that occur.
        aliases: Other names of its column in tables.

    Raises:
        InvalidValueError: If there are fewer than two different levels.
    """

    name: str
    levels: tuple[str, ...]
    aliases: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.name, "context")
        object.__setattr__(self, "levels", _check_levels(self.levels, f"Context '{self.name}'"))
        _freeze_aliases(self)


@dataclass(frozen=True, slots=True)
class BlockFactor:
    """A group of runs that share something uncontrolled, such as the vessel, the day or the lot.

    Attributes:
        name: How tables, formulas and people call it.
        random: Whether its levels are a sample of many (random) or all there are (fixed).
        nested_in: The block factor that contains it, if any.
        aliases: Other names of its column in tables.
    """

    name: str
    random: bool = field(default=True, kw_only=True)
    nested_in: str | None = field(default=None, kw_only=True)
    aliases: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.name, "block factor")
        if self.nested_in == self.name:
            raise InvalidValueError(f"Block factor '{self.name}' cannot be nested in itself.")
        _freeze_aliases(self)


SearchedFactor = ContinuousFactor | DiscreteFactor | CategoricalFactor | MixtureComponent
RecordedFactor = Covariate | Context | BlockFactor
Factor = SearchedFactor | RecordedFactor
Settings = Mapping[str, Value]


def _sequence(values: object, what: str) -> Sequence[object]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise InvalidValueError(f"{what} levels must be a list, got {values!r}.")
    return values


def _check_levels(levels: object, what: str) -> tuple[str, ...]:
    values = _sequence(levels, what)
    for level in values:
        check_name(level, f"level of {what[0].lower()}{what[1:]}")
    texts = tuple(str(level) for level in values)
    if len(texts) < 2 or len(set(texts)) < len(texts):
        raise InvalidValueError(f"{what} needs at least two different levels, got {list(texts)}.")
    return texts


def _check_choice(value: object, choices: tuple[str, ...], what: str) -> None:
    if value not in choices:
        raise InvalidValueError(f"{what} is {value!r}; expected one of {', '.join(choices)}.")


def _freeze_aliases(factor: Factor) -> None:
    aliases = tuple(_sequence(factor.aliases, f"'{factor.name}' aliases"))
    for alias in aliases:
        check_name(alias, f"alias of '{factor.name}'")
    object.__setattr__(factor, "aliases", aliases)

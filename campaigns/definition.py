"""What a campaign is about: factors, responses, limits and goal, as one readable document."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

from doe.constraints import Constraint
from doe.errors import InvalidValueError
from doe.expressions import parse_expression
from doe.factors import Factor, check_name
from doe.responses import (
    AnyResponse,
    DerivedResponse,
    Objective,
    Response,
    Specification,
    goals_of,
)
from doe.space import FactorSpace

# Columns that run sheets and tables of runs have besides factors and responses.
RESERVED = frozenset({"run", "order", "status", "replicate", "run order", "standard order"})


@dataclass(frozen=True)
class CampaignDefinition:
    """Everything that is known of a campaign before its first run.

    Attributes:
        name: What people call it; unique in its store.
        factors: What is varied, and what is recorded beside it.
        responses: What is measured, and what is derived from it.
        constraints: What combinations of settings are allowed.
        specifications: The limits to meet.
        objective: What is wanted; without one the campaign can learn and not recommend.
        seed: Every random draw of the campaign comes from it.
        mixture_total: What the mixture components add up to, in their unit.
        description: What it is for, in words.

    Raises:
        InvalidValueError: If names repeat, or a limit or goal names no response.
        InfeasibleSpaceError: If the constraints contradict each other.
    """

    name: str
    factors: tuple[Factor, ...]
    responses: tuple[AnyResponse, ...]
    constraints: tuple[Constraint, ...] = ()
    specifications: tuple[Specification, ...] = ()
    objective: Objective | None = None
    seed: int = field(default=0, kw_only=True)
    mixture_total: float = field(default=1.0, kw_only=True)
    description: str = field(default="", kw_only=True)

    def __post_init__(self) -> None:
        check_name(self.name, "campaign")
        for attribute in ("factors", "responses", "constraints", "specifications"):
            object.__setattr__(self, attribute, tuple(getattr(self, attribute)))
        if isinstance(self.seed, bool) or not isinstance(self.seed, int) or self.seed < 0:
            raise InvalidValueError(
                f"The seed must be a whole number from 0 up, got {self.seed!r}."
            )
        if self.seed >= 2**53:
            raise InvalidValueError(f"The seed {self.seed} is too large: use one below 2^53.")
        _check_reserved(self)
        check_responses(self.space, self.responses)
        check_limits(self.responses, self.specifications, self.objective)

    @cached_property
    def space(self) -> FactorSpace:
        """The factor space of the campaign."""
        return FactorSpace(self.factors, self.constraints, self.mixture_total)


def _check_reserved(definition: CampaignDefinition) -> None:
    for named in (*definition.factors, *definition.responses):
        if named.name.casefold() in RESERVED:
            raise InvalidValueError(
                f"The name '{named.name}' is taken: run sheets have a column '{named.name}' of "
                "their own. Choose another name, such as 'stir order' for 'order'."
            )


def check_responses(space: FactorSpace, responses: Iterable[AnyResponse]) -> None:
    """Refuse responses that repeat a name, or are derived from something that is not there.

    Raises:
        InvalidValueError: With the name that is wrong.
    """
    known = {factor.name for factor in space.factors}
    taken = {alias for factor in space.factors for alias in (factor.name, *factor.aliases)}
    measured = 0
    for response in responses:
        names = (response.name, *(response.aliases if isinstance(response, Response) else ()))
        for name in names:
            if name in taken:
                raise InvalidValueError(
                    f"The name '{name}' is used twice among factors and responses: rename one."
                )
            taken.add(name)
        if isinstance(response, DerivedResponse):
            missing = [n for n in parse_expression(response.expression).names if n not in known]
            if missing:
                raise InvalidValueError(
                    f"Derived response '{response.name}' reads {missing}, which is no factor "
                    f"and no response before it; those are {sorted(known)}."
                )
        else:
            measured += 1
        known.add(response.name)
    if measured == 0:
        raise InvalidValueError("A campaign needs at least one response that is measured.")


def check_limits(
    responses: Iterable[AnyResponse],
    specifications: Iterable[Specification],
    objective: Objective | None,
) -> None:
    """Refuse limits and goals that name no response, or name one twice.

    Raises:
        InvalidValueError: With the name that is wrong.
    """
    names = [response.name for response in responses]
    limited: set[str] = set()
    for specification in specifications:
        if specification.response not in names:
            raise InvalidValueError(
                f"A specification names '{specification.response}', which is not a response; "
                f"those are {names}."
            )
        if specification.response in limited:
            raise InvalidValueError(
                f"'{specification.response}' has two specifications: write both limits in one."
            )
        limited.add(specification.response)
    if objective is None:
        return
    for goal in goals_of(objective):
        if goal.response not in names:
            raise InvalidValueError(
                f"The objective names '{goal.response}', which is not a response; "
                f"those are {names}."
            )
    if not goals_of(objective) and not limited:
        raise InvalidValueError(
            "The objective is the probability of meeting the specifications, and there are none: "
            "add a specification."
        )

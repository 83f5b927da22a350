"""The models that people call by name: linear, interaction, quadratic, cubic; or a formula."""

from typing import Literal

from doe.errors import InvalidValueError
from doe.space import FactorSpace
from doe.terms import (
    Terms,
    cubic_terms,
    interaction_terms,
    linear_terms,
    parse_terms,
    quadratic_terms,
)

ModelName = Literal["linear", "interaction", "quadratic", "cubic"]


def model_terms(terms: Terms | ModelName | str, space: FactorSpace) -> Terms:
    """Return the terms of a model, from its name or from a formula such as ``"A*B + I(A**2)"``.

    Raises:
        ExpressionError: If a formula cannot be read.
        InvalidValueError: If the model is neither terms nor text, or a space with a mixture is
            asked for the cubic model.
    """
    match terms:
        case Terms():
            return terms
        case "linear":
            return linear_terms(space)
        case "interaction":
            return interaction_terms(space)
        case "quadratic":
            return quadratic_terms(space)
        case "cubic":
            return cubic_terms(space)
        case str():
            return parse_terms(terms, space)
        case _:
            # Callers without a type checker come here.
            raise InvalidValueError(
                f"The model is {terms!r}; expected terms, or text: 'linear', 'interaction', "
                "'quadratic', 'cubic', or a formula such as 'A*B + I(A**2)'."
            )

"""The models that further runs are for: read, or made of what the runs so far can estimate."""

from collections.abc import Sequence

from doe.augmentation.blocks import AddedBlock
from doe.augmentation.existing import ExistingRuns
from doe.augmentation.gains import model_runs
from doe.designs.aliasing import letters
from doe.designs.fractions import parse_word
from doe.errors import DesignError, ExpressionError
from doe.formulas import formula_name
from doe.space import FactorSpace
from doe.terms import (
    Term,
    Terms,
    interaction_terms,
    linear_terms,
    model_columns,
    parse_terms,
)


def named_term(text: str, space: FactorSpace) -> Term | None:
    """Return an effect such as ``A``, ``A:B`` or ``AB``; None where it is no single effect.

    Letters are those of the alias tables, see ``doe.designs.aliasing.letters``.

    Raises:
        DesignError: If it cannot be read, or names an unknown factor.
    """
    if not isinstance(text, str):
        raise DesignError(f"An effect is a text such as '{space.names[0]}', got {text!r}.")
    try:
        terms = parse_terms(f"0 + {text}", space).terms
    except ExpressionError:
        # Not a formula of names: letters, of which the message speaks if they are none either.
        names = [space.names[place] for place in parse_word(text, letters(space), space.names)]
        terms = parse_terms("0 + " + ":".join(map(formula_name, names)), space).terms
    is_plain = len(terms) == 1 and not terms[0].expressions
    return terms[0] if is_plain and all(power == 1 for _, power in terms[0].powers) else None


def named_interactions(effects: Sequence[str], space: FactorSpace) -> list[str]:
    """Return effects of one or more factors as formulas, having refused what is none.

    Raises:
        DesignError: If no effect is named, or one is no product of different factors.
    """
    if isinstance(effects, str) or not isinstance(effects, Sequence) or not effects:
        raise DesignError(
            f"effects must be a list of effects, such as ['A:B', 'C:D'], got {effects!r}."
        )
    formulas = []
    for text in effects:
        term = named_term(text, space)
        if term is None or not term.powers:
            raise DesignError(
                f"effects names '{text}', which is no main effect or interaction, such as "
                f"'{':'.join(space.names[:2])}': name single effects."
            )
        formulas.append(":".join(map(formula_name, term.factors)))
    return list(dict.fromkeys(formulas))


def with_all_interactions(space: FactorSpace, squared: Sequence[str]) -> Terms:
    """Return the model with all two-factor interactions and the squares of some factors."""
    squares = [f"I({formula_name(name)}**2)" for name in squared]
    return parse_terms(" + ".join([interaction_terms(space).formula, *squares]), space)


def with_squares(
    existing: ExistingRuns, block: AddedBlock, squared: Sequence[str]
) -> tuple[Terms, Terms]:
    """Return the model that the runs can estimate, and the same with squares of some factors.

    It has the main effects and those two-factor interactions that the runs tell apart from all
    other main effects and two-factor interactions. Products of a mixture component and another
    factor are left out: they add up to the main effect of that factor.
    """
    space = existing.space
    components = {component.name for component in space.mixture}
    whole = interaction_terms(space)
    found = model_runs(whole, existing.settings, existing, block.before()).estimable()
    columns = model_columns(whole, space)
    known = [
        term
        for term in whole.terms
        if term.order == 2
        and len(set(term.factors) & components) != 1
        and all(found[place] for place, c in enumerate(columns) if c.term == term)
    ]
    linear = linear_terms(space).formula
    crossed = [":".join(map(formula_name, term.factors)) for term in known]
    base = " + ".join([linear, *crossed])
    squares = [f"I({formula_name(name)}**2)" for name in squared]
    return parse_terms(base, space), parse_terms(" + ".join([base, *squares]), space)

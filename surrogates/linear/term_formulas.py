"""Terms from their parts, and which terms a term builds on."""

from collections.abc import Iterable, Sequence

from doe.errors import ExpressionError, InvalidValueError
from doe.factors import MixtureComponent
from doe.formulas import formula_name
from doe.space import FactorSpace
from doe.terms import Term, Terms, parse_terms

SortKey = tuple[int, tuple[tuple[str, int], ...], tuple[str, ...]]


def terms_from(chosen: Iterable[Term], space: FactorSpace) -> Terms:
    """Return terms with the formula that says so, lowest order first.

    Raises:
        ExpressionError: If there is no term.
    """
    parts = list(dict.fromkeys(chosen))
    if not parts:
        raise ExpressionError("No term is left: keep the intercept or a factor.")
    written = [_formula(term) for term in parts if not term.is_intercept]
    constant = "1" if any(term.is_intercept for term in parts) else "0"
    return parse_terms(" + ".join([constant, *written]), space)


def parents(term: Term, among: Iterable[Term]) -> tuple[Term, ...]:
    """Return the terms among some that a term builds on: those one factor or power smaller.

    ``A^2:B`` builds on ``A^2`` and ``A:B``. Where one of these is not among them, what it builds
    on itself takes its place.

    Source:
        Peixoto (1990), American Statistician 44, 26-30: well-formulated polynomial models.
    """
    available = set(among)
    found: dict[Term, None] = {}
    for smaller in _one_smaller(term):
        if smaller.is_intercept:
            continue
        if smaller in available:
            found[smaller] = None
        else:
            found.update(dict.fromkeys(parents(smaller, available)))
    return tuple(found)


def is_blending(term: Term, space: FactorSpace) -> bool:
    """Return whether a term is the linear blending of a mixture component."""
    if term.order != 1 or not term.powers:
        return False
    return isinstance(space.factor(term.powers[0][0]), MixtureComponent)


def named_terms(names: Sequence[str], terms: Terms) -> tuple[Term, ...]:
    """Return the terms of these names.

    Raises:
        InvalidValueError: If a name is not that of a term.
    """
    by_name = {term.name: term for term in terms.terms}
    wrong = [name for name in names if name not in by_name]
    if wrong:
        raise InvalidValueError(
            f"'{wrong[0]}' is not one of the terms {', '.join(by_name)}: write it as it is there."
        )
    return tuple(by_name[name] for name in names)


def sort_key(term: Term) -> SortKey:
    """Return what sorts terms alike whatever the order of the factors: order, then names."""
    return (term.order, tuple(sorted(term.powers)), tuple(e.text for e in term.expressions))


def _one_smaller(term: Term) -> list[Term]:
    smaller = []
    for place, (name, exponent) in enumerate(term.powers):
        reduced = ((name, exponent - 1),) if exponent > 1 else ()
        powers = (*term.powers[:place], *reduced, *term.powers[place + 1 :])
        smaller.append(Term(powers, term.expressions))
    for place in range(len(term.expressions)):
        rest = (*term.expressions[:place], *term.expressions[place + 1 :])
        smaller.append(Term(term.powers, rest))
    return smaller


def _formula(term: Term) -> str:
    parts = [
        formula_name(name) if exponent == 1 else f"I({formula_name(name)}**{exponent})"
        for name, exponent in term.powers
    ]
    parts += [Term((), (expression,)).name for expression in term.expressions]
    return ":".join(parts)

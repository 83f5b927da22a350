"""Which effects a model has, and the columns of its model matrix."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.errors import ExpressionError, InvalidValueError
from doe.expression_trees import FUNCTIONS, Binary, Call, Name, Node, Number
from doe.expressions import Expression
from doe.factors import (
    CategoricalFactor,
    ContinuousFactor,
    DiscreteFactor,
    MixtureComponent,
    SearchedFactor,
)
from doe.formulas import Atom, formula_name, parse_formula
from doe.space import FactorSpace

if TYPE_CHECKING:
    import pandas as pd

INTERCEPT = "Intercept"


@dataclass(frozen=True, slots=True)
class Term:
    """One effect: a product of powers of factors and of expressions of factors.

    Attributes:
        powers: The exponent of each factor, in the order of the factor space.
        expressions: What stands in ``I(...)`` or a function and is more than a product of powers.
    """

    powers: tuple[tuple[str, int], ...] = ()
    expressions: tuple[Expression, ...] = ()

    @property
    def is_intercept(self) -> bool:
        """Whether this is the constant term."""
        return not self.powers and not self.expressions

    @property
    def order(self) -> int:
        """The sum of the exponents, an expression counting as one; 0 for the intercept."""
        return sum(exponent for _, exponent in self.powers) + len(self.expressions)

    @property
    def factors(self) -> tuple[str, ...]:
        """The factors that take part."""
        read = (name for expression in self.expressions for name in expression.names)
        return tuple(dict.fromkeys((*(name for name, _ in self.powers), *read)))

    @property
    def name(self) -> str:
        """The term as people read it, such as ``pH:temperature`` or ``pH^2``."""
        return self._named({})

    def _named(self, levels: dict[str, str]) -> str:
        parts = [_part_name(name, power, levels.get(name)) for name, power in self.powers]
        parts += [_expression_name(expression) for expression in self.expressions]
        return ":".join(parts) or INTERCEPT


@dataclass(frozen=True, slots=True)
class Column:
    """One column of a model matrix: a term, and for categorical factors the level it stands for.

    Attributes:
        term: The effect that the column belongs to.
        levels: The level of each categorical factor of the term.
    """

    term: Term
    levels: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """The column as people read it, such as ``pH:resin[A]``."""
        return self.term._named(dict(self.levels))


@dataclass(frozen=True, slots=True)
class Terms:
    """The effects of a model, lowest order first.

    Attributes:
        formula: As the user wrote it.
        terms: What it means.
    """

    formula: str
    terms: tuple[Term, ...]

    @property
    def has_intercept(self) -> bool:
        """Whether the model has a constant term."""
        return any(term.is_intercept for term in self.terms)

    @property
    def names(self) -> tuple[str, ...]:
        """The terms as people read them."""
        return tuple(term.name for term in self.terms)


def parse_terms(formula: str, space: FactorSpace) -> Terms:
    """Read a model formula, such as ``A*B + I(A**2)`` or ``(A + B + C)**2``.

    The notation is Wilkinson and Rogers', as formulaic, patsy and R read it: ``+ - : * / **`` and
    an intercept unless ``0 +`` or ``- 1`` takes it away. Names that are no plain words stand in
    backticks. ``I(...)`` and the functions of ``doe.expressions`` compute with coded columns.

    Raises:
        ExpressionError: If the formula cannot be read, names something that is not varied, computes
            with a categorical factor, or has no term.

    Source:
        Wilkinson and Rogers (1973), Applied Statistics 22, 392-399.
    """
    found = dict.fromkeys(_term(atoms, formula, space) for atoms in parse_formula(formula))
    if not found:
        raise ExpressionError(f"Formula '{formula}' leaves no term: add a factor or 1.")
    return Terms(formula, tuple(sorted(found, key=lambda term: term.order)))


def linear_terms(space: FactorSpace) -> Terms:
    """Return the model with an intercept and a main effect of every factor.

    With a mixture there is no intercept, because the components add up to a constant; each
    component has its term (Scheffe's linear blending), beside the main effects of the others.
    """
    return parse_terms(_sum(space.names, has_intercept=not space.mixture), space)


def interaction_terms(space: FactorSpace) -> Terms:
    """Return the model with main effects and every interaction of two factors.

    With a mixture: linear and quadratic blending, each process factor crossed with the components
    (these add up to its main effect, which is therefore left out), and interactions of the process
    factors.

    Source:
        Scheffe (1958), J. Royal Statistical Society B 20, 344-360; with process factors Kowalski,
        Cornell and Vining (2000), Communications in Statistics 29, 2255-2280.
    """
    return parse_terms(_interactions(space), space)


def quadratic_terms(space: FactorSpace) -> Terms:
    """Return the full quadratic model: the interaction model and the squares.

    Mixture components take no squares (they follow from the sum), nor do categorical factors or
    factors that can take only two values.

    Source:
        As for ``interaction_terms``.
    """
    squares = [f"I({formula_name(f.name)}**2)" for f in space.searched if _largest_power(f) >= 2]
    return parse_terms(" + ".join([_interactions(space), *squares]), space)


def cubic_terms(space: FactorSpace) -> Terms:
    """Return the full cubic model: the quadratic one, cubes, and products of three factors.

    Products are those of three factors and of a factor with another's square. Factors take the
    powers that their number of settings supports; categorical factors take none.

    Raises:
        InvalidValueError: If there are mixture components, whose cubic models are Scheffe's.
    """
    if space.mixture:
        raise InvalidValueError(
            f"The components {[c.name for c in space.mixture]} add up to a constant, which a cubic "
            "model in every factor does not allow for: use scheffe_terms or cox_terms."
        )
    parts = [f"({_sum(space.names, has_intercept=True)})**3"]
    for factor in space.searched:
        name, largest = formula_name(factor.name), _largest_power(factor)
        others = [formula_name(other) for other in space.names if other != factor.name]
        if largest >= 2:
            parts += [f"I({name}**2)", *(f"I({name}**2):{other}" for other in others)]
        if largest >= 3:
            parts.append(f"I({name}**3)")
    return parse_terms(" + ".join(parts), space)


def model_columns(terms: Terms, space: FactorSpace) -> tuple[Column, ...]:
    """Return the columns of the model matrix: a term has one per combination of free levels."""
    columns: list[Column] = []
    for term in terms.terms:
        choices: list[list[tuple[str, str]]] = []
        for name, _ in term.powers:
            factor = space.factor(name)
            if isinstance(factor, CategoricalFactor):
                choices.append([(name, level) for level in factor.levels[:-1]])
        columns.extend(Column(term, levels) for levels in product(*choices))
    return tuple(columns)


def model_matrix(terms: Terms, settings: "pd.DataFrame", space: FactorSpace) -> "pd.DataFrame":
    """Return the model matrix in coded units, shape ``(n_runs, n_columns)``, index as ``settings``.

    Categorical factors are coded to sum to zero: level ``A`` of ``resin`` has a column ``resin[A]``
    that is 1 for A, -1 for the last level, and 0 for others, whether or not there is an intercept.

    Args:
        terms: The effects.
        settings: Runs in natural units.
        space: The factor space that names the columns and codes them.

    Raises:
        InvalidValueError: If a factor's column is missing, empty in a row, or has unknown levels.
        ExpressionError: If an expression is undefined for a run.
    """
    import pandas as pd

    columns = model_columns(terms, space)
    numbers, texts = _coded_columns(settings, space)
    computed = {
        expression: _computed(expression, numbers, len(settings))
        for term in terms.terms
        for expression in term.expressions
    }
    values = np.ones((len(settings), len(columns)))
    for place, column in enumerate(columns):
        levels = dict(column.levels)
        for name, exponent in column.term.powers:
            if name in levels:
                values[:, place] *= contrast(space, name, levels[name], texts[name])
            else:
                values[:, place] *= numbers[name] ** exponent
        for expression in column.term.expressions:
            values[:, place] *= computed[expression]
    return pd.DataFrame(values, index=settings.index, columns=[c.name for c in columns])


def contrast(space: FactorSpace, name: str, level: str, settings: Sequence[object]) -> FloatArray:
    """Return the sum-to-zero column of one level of a categorical factor, shape ``(n_runs,)``."""
    factor = space.factor(name)
    last = factor.levels[-1] if isinstance(factor, CategoricalFactor) else None
    return np.array([(value == level) * 1.0 - (value == last) * 1.0 for value in settings])


def _sum(names: Sequence[str], *, has_intercept: bool) -> str:
    return " + ".join(["1" if has_intercept else "0", *map(formula_name, names)])


def _interactions(space: FactorSpace) -> str:
    components = [component.name for component in space.mixture]
    process = [name for name in space.names if name not in components]
    if not components:
        crossed = _sum(process, has_intercept=True)
        return f"({crossed})**2" if len(process) > 1 else crossed
    blend = " + ".join(map(formula_name, components))
    parts = ["0", f"({blend})**2"]
    if process:
        others = " + ".join(map(formula_name, process))
        parts.append(f"({blend}):({others})")
        if len(process) > 1:
            parts.append(f"(({others})**2 - ({others}))")
    return " + ".join(parts)


def _largest_power(factor: SearchedFactor) -> int:
    """Return the largest exponent, of those up to 3, that the factor's settings can tell apart."""
    match factor:
        case ContinuousFactor(low=low, high=high, step=step):
            return 3 if step is None else min(3, int((high - low) / step + 1e-9))
        case DiscreteFactor(levels=levels):
            return min(3, len(levels) - 1)
        case CategoricalFactor() | MixtureComponent():
            return 1


def _term(atoms: Sequence[Atom], formula: str, space: FactorSpace) -> Term:
    powers: dict[str, int] = {}
    expressions: list[Expression] = []
    for atom in atoms:
        _check_names(atom, formula, space)
        monomial = {atom.name: 1} if isinstance(atom, Name) else _monomial(atom.node)
        if monomial is None:
            expressions.append(atom)  # type: ignore[arg-type]  # a Name is always a monomial
            continue
        for name, exponent in monomial.items():
            powers[name] = powers.get(name, 0) + exponent
    ordered = tuple((name, powers[name]) for name in space.names if name in powers)
    return Term(ordered, tuple(expressions))


def _check_names(atom: Atom, formula: str, space: FactorSpace) -> None:
    for name in (atom.name,) if isinstance(atom, Name) else atom.names:
        if name not in space.names:
            raise ExpressionError(
                f"Formula '{formula}' names '{name}', which is not a factor that is varied; those "
                f"are {', '.join(map(formula_name, space.names))}: correct the name."
            )
        factor = space.factor(name)
        if isinstance(atom, Expression) and isinstance(factor, CategoricalFactor):
            raise ExpressionError(
                f"Formula '{formula}' computes with '{name}' in '{atom.text}', but '{name}' is "
                "categorical and has no number: use it outside I(...) and functions."
            )
    if isinstance(atom, Expression) and not atom.names:
        raise ExpressionError(
            f"Formula '{formula}': '{atom.text}' names no factor; write 1 for the intercept."
        )


def _monomial(node: Node) -> dict[str, int] | None:
    """Return the exponents when the expression is a plain product of powers, else None."""
    match node:
        case Name(name):
            return {name: 1}
        case Binary("raised", base, Number(power)) if power >= 1 and power == int(power):
            inner = _monomial(base)
            return inner and {name: exponent * int(power) for name, exponent in inner.items()}
        case Binary("multiply", left, right):
            one, other = _monomial(left), _monomial(right)
            if one is None or other is None:
                return None
            return {name: one.get(name, 0) + other.get(name, 0) for name in one | other}
        case _:
            return None


def _coded_columns(
    settings: "pd.DataFrame", space: FactorSpace
) -> tuple[dict[str, FloatArray], dict[str, list[object]]]:
    coded = space.to_coded(settings)
    numbers: dict[str, FloatArray] = {}
    texts: dict[str, list[object]] = {}
    for factor in space.searched:
        if isinstance(factor, CategoricalFactor):
            texts[factor.name] = list(coded[factor.name])
            wrong = [value for value in texts[factor.name] if value not in factor.levels]
            expected = f"one of {', '.join(factor.levels)}"
        else:
            numbers[factor.name] = coded[factor.name].to_numpy(dtype=np.float64)
            wrong = list(settings[factor.name][~np.isfinite(numbers[factor.name])])
            expected = "a finite number"
        if wrong:
            raise InvalidValueError(
                f"Factor '{factor.name}' is {wrong[0]!r} in {len(wrong)} of {len(coded)} runs; the "
                f"model matrix needs {expected}: correct or drop these runs."
            )
    return numbers, texts


def _computed(expression: Expression, numbers: dict[str, FloatArray], n_runs: int) -> FloatArray:
    values = np.broadcast_to(np.asarray(expression.evaluate(numbers), np.float64), (n_runs,))
    undefined = int(np.sum(~np.isfinite(values)))
    if undefined:
        raise ExpressionError(
            f"'{expression.text}' is not defined in {undefined} of {n_runs} runs. Formulas compute "
            "with coded factors, which run from -1 at low to +1 at high (mixture components: their "
            "share): for a logarithm of the setting give the factor scale='log'."
        )
    return values


def _part_name(name: str, exponent: int, level: str | None) -> str:
    # A factor's name must not look like a product, a power, a level, a call or the intercept.
    is_structure = any(sign in name for sign in ":^[]") or name == INTERCEPT
    is_call = "(" in name and name.partition("(")[0] in {"I", *FUNCTIONS}
    text = f"`{name}`" if is_structure or is_call else name
    if level is not None:
        return f"{text}[{level}]"
    return text if exponent == 1 else f"{text}^{exponent}"


def _expression_name(expression: Expression) -> str:
    return expression.text if isinstance(expression.node, Call) else f"I({expression.text})"

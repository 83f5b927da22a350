"""How likely a planned test is to find an effect that is there."""

from collections.abc import Mapping

import numpy as np

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, UnknownNameError
from doe.factors import check_number
from doe.terms import Terms


def power_of_f_test(
    noncentrality: float, df_effect: int, df_error: int, *, alpha: float = 0.05
) -> float:
    """Return the probability that an F test of level ``alpha`` finds an effect.

    With ``df_effect`` 1 it is the two-sided t test. The noncentral F distribution is summed over
    its Poisson weights; each part is an incomplete beta function, accurate at both ends.

    Args:
        noncentrality: ``beta' C^-1 beta / sd^2`` for coefficients ``beta`` whose estimates have the
            covariance ``C sd^2``.
        df_effect: How many coefficients are tested together.
        df_error: Degrees of freedom of the error that they are tested against.
        alpha: Level of the test.

    Raises:
        InvalidValueError: If a number is out of its range.

    Source:
        Patnaik (1949), Biometrika 36, 202-232, the mixture form of the noncentral F distribution.
    """
    from scipy import special

    if not noncentrality >= 0 or not np.isfinite(noncentrality):
        raise InvalidValueError(f"noncentrality must be zero or more, got {noncentrality}.")
    if df_effect < 1 or df_error < 1:
        raise InvalidValueError(
            f"A test needs degrees of freedom for effect and error, got {df_effect} and "
            f"{df_error}: add runs or drop terms."
        )
    check_alpha(alpha)
    critical = float(special.fdtri(df_effect, df_error, 1.0 - alpha))
    share = df_effect * critical / (df_effect * critical + df_error)
    mean = noncentrality / 2.0
    # Beyond ten standard deviations the weights are below the rounding of a double.
    reach = 12.0 * np.sqrt(mean) + 40.0
    counts = np.arange(max(0.0, np.floor(mean - reach)), np.ceil(mean + reach) + 1.0)
    weights = np.exp(special.xlogy(counts, mean) - mean - special.gammaln(counts + 1.0))
    missed = special.betainc(df_effect / 2.0 + counts, df_error / 2.0, share)
    return float(np.clip(1.0 - weights @ missed, 0.0, 1.0))


def least_noncentrality(rows: FloatArray, covariance: FloatArray, effect: float) -> float:
    """Return the noncentrality in the worst case that a term makes a difference of ``effect``.

    The response differs by ``effect`` between two settings, and by no more between any others, in
    the way that is hardest to find. For a numeric factor that leaves one way, a coefficient of half
    the effect; for a factor with several levels, two levels differ by the effect and the others lie
    between them. It is ``effect^2`` over the largest variance of a difference.

    Args:
        rows: The term's columns at its extreme settings, shape ``(n_settings, n_columns)``.
        covariance: Of its coefficients in multiples of the variance, ``(n_columns, n_columns)``.
        effect: The difference, in multiples of the run-to-run SD.

    Source:
        Oehlert and Whitcomb (2001), Quality and Reliability Engineering International 17, 291-306:
        effects sized by the change that they make, and the least power among them; Kastenbaum, Hoel
        and Bowman (1970), Biometrika 57, 421-430, for the largest difference of group means. By
        Lagrange's multiplier, of all ``beta`` with ``d' beta = effect``, ``beta' C^-1 beta`` is
        least at ``effect^2 / d' C d``.
    """
    products = rows @ covariance @ rows.T
    own = np.diag(products)
    differences = own[:, None] + own[None, :] - 2.0 * products
    largest = float(differences.max())
    return effect**2 / largest if largest > 0 else 0.0


def check_alpha(alpha: float) -> None:
    """Refuse a level of a test that is not between 0 and 1.

    Raises:
        InvalidValueError: With the level.
    """
    if not 0.0 < check_number(alpha, "alpha") < 1.0:
        raise InvalidValueError(f"alpha must be between 0 and 1, such as 0.05, got {alpha!r}.")


def t_quantile(probability: float, df: int) -> float:
    """Return the value that Student's t stays below with this probability."""
    from scipy import special

    return float(special.stdtrit(df, probability))


def effects_to_find(
    effect: float | Mapping[str, float] | None, sd: float, terms: Terms
) -> dict[str, float]:
    """Return the effect to be found for each term, in multiples of the run-to-run SD.

    Args:
        effect: One for all terms, or by term, in the unit of the response; ``2 * sd`` where absent.
        sd: Run-to-run standard deviation, in the same unit.
        terms: The effects of the model.

    Raises:
        InvalidValueError: If a number is not positive.
        UnknownNameError: If a term is not in the model.
    """
    if check_number(sd, "sd") <= 0:
        raise InvalidValueError(f"sd must be positive, got {sd:g}: give the run-to-run SD.")
    effects = dict.fromkeys(terms.names, 2.0 * sd)
    if isinstance(effect, Mapping):
        unknown = [name for name in effect if name not in effects]
        if unknown:
            raise UnknownNameError(
                f"effect names {unknown}, but the terms are {list(terms.names)}: correct it."
            )
        for name, value in effect.items():
            effects[name] = _size_of_change(value, f" for '{name}'")
    elif effect is not None:
        effects = dict.fromkeys(terms.names, _size_of_change(effect, ""))
    return {name: size / sd for name, size in effects.items()}


def _size_of_change(value: float, where: str) -> float:
    size = check_number(value, f"effect{where}")
    if size <= 0:
        raise InvalidValueError(
            f"effect must be positive, got {size:g}{where}: give the size of the change that "
            "should be found."
        )
    return size

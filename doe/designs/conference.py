"""Conference matrices: square, zero on the diagonal, plus and minus one elsewhere, orthogonal."""

from itertools import product

import numpy as np

from doe.arrays import FloatArray
from doe.designs.structure import check_conference
from doe.errors import DesignError

# An irreducible polynomial for each field that is not the whole numbers modulo a prime, lowest
# power first and without its leading 1: x^2 + 1 over 3, x^2 - 2 over 5, x^3 - x + 1 over 3.
_FIELDS: dict[int, tuple[int, tuple[int, ...]]] = {
    9: (3, (1, 0)),
    25: (5, (-2, 0)),
    27: (3, (1, -1, 0)),
}
_PRIMES = (3, 5, 7, 11, 13, 17, 19, 23, 29)
_DOUBLED = {16: 8}

ORDERS = tuple(sorted([*(q + 1 for q in (*_PRIMES, *_FIELDS)), *_DOUBLED]))


def conference_matrix(order: int) -> FloatArray:
    """Return a matrix C with zeros on its diagonal and C'C = (order - 1) I.

    Symmetric or skew: 4 to 30 rows and columns, all even orders but 22, for which there is none
    (21 is no sum of two squares).

    Raises:
        DesignError: If there is no such matrix in the list.

    Source:
        Paley (1933), J. Mathematics and Physics 12, 311-320: squares in a finite field. A skew
        matrix S gives [[S, S + I], [S - I, -S]] of twice its order, as multiplication shows. 22 is
        excluded by Belevitch (1950), Electrical Communication 27, 231-244.
    """
    if order not in ORDERS:
        raise DesignError(
            f"No conference matrix of order {order} is listed; the orders are "
            f"{', '.join(map(str, ORDERS))}."
        )
    if order in _DOUBLED:
        skew, one = conference_matrix(_DOUBLED[order]), np.eye(_DOUBLED[order])
        matrix = np.block([[skew, skew + one], [skew - one, -skew]])
    else:
        residues = _residues(order - 1)
        matrix = np.zeros((order, order))
        matrix[0, 1:] = 1.0
        # With q = 3 modulo 4 the inner matrix is skew, and the border has to be skew as well.
        matrix[1:, 0] = 1.0 if order % 4 == 2 else -1.0
        matrix[1:, 1:] = residues
    check_conference(matrix, f"conference matrix of order {order}")
    return matrix


def _residues(q: int) -> FloatArray:
    """Return for each pair of field elements whether their difference is a square (1) or not (-1).

    Shape ``(q, q)``, 0 on the diagonal.
    """
    prime, modulus = _FIELDS.get(q, (q, (0,)))
    elements = list(product(range(prime), repeat=len(modulus)))
    squares = {_square(element, prime, modulus) for element in elements if any(element)}
    residues = np.zeros((q, q))
    for row, one in enumerate(elements):
        for column, other in enumerate(elements):
            if row != column:
                apart = tuple((a - b) % prime for a, b in zip(one, other, strict=True))
                residues[row, column] = 1.0 if apart in squares else -1.0
    return residues


def _square(element: tuple[int, ...], prime: int, modulus: tuple[int, ...]) -> tuple[int, ...]:
    degree = len(modulus)
    powers = [0] * (2 * degree - 1)
    for (i, a), (j, b) in product(enumerate(element), repeat=2):
        powers[i + j] += a * b
    for power in range(2 * degree - 2, degree - 1, -1):
        for i, coefficient in enumerate(modulus):
            powers[power - degree + i] -= powers[power] * coefficient
    return tuple(value % prime for value in powers[:degree])

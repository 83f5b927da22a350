import numpy as np
import pytest

from doe.designs.conference import ORDERS, conference_matrix
from doe.designs.structure import check_conference
from doe.errors import DesignError


@pytest.mark.requirement("DOE-3")
@pytest.mark.parametrize("order", ORDERS)
def test_columns_of_a_conference_matrix_are_orthogonal_with_one_zero_each(order):
    matrix = conference_matrix(order)

    np.testing.assert_array_equal(matrix.T @ matrix, (order - 1) * np.eye(order))
    np.testing.assert_array_equal(np.abs(matrix), 1 - np.eye(order))


@pytest.mark.parametrize("order", ORDERS)
def test_a_conference_matrix_is_skew_when_four_divides_its_order_and_symmetric_otherwise(order):
    """Delsarte, Goethals and Seidel (1971): so it is, up to signs of rows and columns."""
    matrix = conference_matrix(order)

    np.testing.assert_array_equal(matrix.T, -matrix if order % 4 == 0 else matrix)


def test_every_even_order_up_to_thirty_is_there_but_the_impossible_one():
    """Belevitch (1950): an order of 2 modulo 4 less one is a sum of two squares, and 21 is none."""
    sums = {a * a + b * b for a in range(6) for b in range(6)}
    possible = [n for n in range(4, 31, 2) if n % 4 == 0 or n - 1 in sums]

    assert list(ORDERS) == possible
    assert 22 not in ORDERS


@pytest.mark.parametrize("order", [0, 2, 5, 22, 32])
def test_an_order_that_is_not_listed_is_refused_with_those_that_are(order):
    with pytest.raises(DesignError, match=rf"order {order} is listed; the orders are 4, 6, .*, 30"):
        conference_matrix(order)


@pytest.mark.parametrize(
    ("row", "column", "value", "complaint"),
    [(0, 0, 1.0, "0 on its diagonal"), (2, 1, 0.0, "-1 or"), (2, 1, None, "not orthogonal")],
)
def test_a_broken_conference_matrix_is_refused(row, column, value, complaint):
    matrix = conference_matrix(6)
    matrix[row, column] = -matrix[row, column] if value is None else value

    with pytest.raises(DesignError, match=complaint):
        check_conference(matrix, "conference matrix")

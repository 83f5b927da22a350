"""The exception tree of all four packages.

::

    ExperimentError                       everything the product refuses
    ├── InvalidValueError (ValueError)        a value, name or unit is not allowed here
    │   ├── ExpressionError                       an expression cannot be read or evaluated
    │   ├── DocumentError                         a JSON or YAML document does not fit its format
    │   └── UnitError                             a unit is unknown, or two units do not convert
    ├── InfeasibleSpaceError (ValueError)     no setting meets every constraint
    ├── UnknownNameError (KeyError)           a factor, response, run or campaign is not there
    ├── TableError (ValueError)               a table has problems; all of them are listed
    ├── DesignError (ValueError)              the design asked for does not exist or is not sound
    │   └── TooFewRunsError                       fewer runs than the terms need
    ├── TooFewDataError (ValueError)          the results cannot support what is asked
    ├── StateError (RuntimeError)             the action does not fit the run's or campaign's state
    ├── RecordError (RuntimeError)            the stored record cannot be read or was altered
    ├── ConflictError (RuntimeError)          somebody else wrote first; retry on the new state
    └── CancelledError (RuntimeError)         long work was cancelled by its user

Packages above add leaves beside their use: ``NumericalError (ArithmeticError)`` in
``surrogates.surrogate``; ``StoreError``, ``StoreBusyError (RuntimeError)`` and ``RepeatedKeyError
(ValueError)`` in ``campaigns.ledger``.

Each leaf also subclasses the builtin in brackets, so that generic handlers work.
A message says what is wrong (with name, value, unit), what was expected, and what to do.
"""


class ExperimentError(Exception):
    """Root of every error that the product raises on purpose."""

    # KeyError would print the message as a quoted repr; people read these messages.
    def __str__(self) -> str:
        """Return the message as it was written."""
        return " ".join(str(part) for part in self.args)


class InvalidValueError(ExperimentError, ValueError):
    """A value, name or unit is not allowed where it stands."""


class ExpressionError(InvalidValueError):
    """An expression cannot be read, or names something that is not there."""


class DocumentError(InvalidValueError):
    """A JSON or YAML document does not fit the published format; ``problems`` lists why."""

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class UnitError(InvalidValueError):
    """A unit is unknown, or two units measure different things."""


class InfeasibleSpaceError(ExperimentError, ValueError):
    """No setting, or no setting that could be found, meets every constraint."""


class UnknownNameError(ExperimentError, KeyError):
    """A factor, response, run or campaign of this name does not exist."""


class TableError(ExperimentError, ValueError):
    """A table of runs has problems; ``problems`` lists every one of them."""

    def __init__(self, message: str, problems: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.problems = problems


class DesignError(ExperimentError, ValueError):
    """The design asked for does not exist, or fails its structural check."""


class TooFewRunsError(DesignError):
    """There are fewer runs than the terms of the model need."""


class TooFewDataError(ExperimentError, ValueError):
    """The results at hand cannot support what is asked of them."""


class StateError(ExperimentError, RuntimeError):
    """The action does not fit the state that the run or campaign is in."""


class RecordError(ExperimentError, RuntimeError):
    """The stored record cannot be read, or is not what was written."""


class ConflictError(ExperimentError, RuntimeError):
    """Somebody else wrote first: read the new state and try again."""


class CancelledError(ExperimentError, RuntimeError):
    """Long work was cancelled by the person who started it."""

"""Expected values of several responses, from surrogates, from plain functions, or from both."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from doe.arrays import FloatArray
from doe.errors import InvalidValueError, UnknownNameError
from surrogates.surrogate import Surrogate, SurrogateSet, derive

if TYPE_CHECKING:
    import pandas as pd

Function = Callable[["pd.DataFrame"], FloatArray]
Responses = SurrogateSet | Mapping[str, Surrogate | Function]


@dataclass(frozen=True, eq=False)
class ExpectedResponses:
    """What gives each response: a surrogate, an expression of others, or a function.

    Attributes:
        names: The responses asked for.
        surrogate_set: Surrogates, and responses derived from them; absent when all are functions.
        functions: Functions from settings, a data frame in natural units, to ``(n_settings,)``.
    """

    names: tuple[str, ...]
    surrogate_set: SurrogateSet | None
    functions: Mapping[str, Function]

    @classmethod
    def of(cls, responses: Responses, names: Sequence[str]) -> "ExpectedResponses":
        """Return the source of some responses.

        Raises:
            UnknownNameError: If nothing gives one of them.
            InvalidValueError: If what should give one is neither a surrogate nor a function.
        """
        if isinstance(responses, SurrogateSet):
            known: Sequence[str] = responses.responses
            found = cls(tuple(names), responses, {})
        else:
            known = tuple(responses)
            surrogates, functions = {}, {}
            for name, source in responses.items():
                if isinstance(source, Surrogate):
                    surrogates[name] = source
                elif callable(source):
                    functions[name] = source
                else:
                    raise InvalidValueError(
                        f"'{name}' is given by {type(source).__name__}; expected a surrogate or a "
                        "function of settings."
                    )
            found = cls(tuple(names), SurrogateSet(surrogates) if surrogates else None, functions)
        for name in names:
            if name not in known:
                raise UnknownNameError(
                    f"Nothing predicts '{name}'; there are {', '.join(known)}: fit a surrogate of "
                    "it, or leave it out of the objective."
                )
        return found

    @property
    def derived(self) -> tuple[str, ...]:
        """Those of the names that are expressions of other responses."""
        if self.surrogate_set is None:
            return ()
        every = {response.name for response in self.surrogate_set.derived}
        return tuple(name for name in self.names if name in every)

    @property
    def is_predicted(self) -> bool:
        """Whether all names come from surrogates, so that their uncertainty is known."""
        return not set(self.names) & set(self.functions)

    def unit(self, name: str) -> str:
        """Return the unit of a response; empty where a function gives it."""
        if self.surrogate_set is None or name in self.functions:
            return ""
        return self.surrogate_set.unit(name)

    def means(self, settings: "pd.DataFrame") -> FloatArray:
        """Return the expected value of each name, shape ``(n_names, n_settings)``.

        A derived response is computed from the expected values of its parts, which is near its own
        expected value and smooth; see ``draws`` for the latter.

        Raises:
            InvalidValueError: If a function gives no finite number per setting.
        """
        found: dict[str, FloatArray] = {}
        if self.surrogate_set is not None:
            wanted = None if self.derived else set(self.names)
            for name, surrogate in self.surrogate_set.surrogates.items():
                if wanted is None or name in wanted:
                    found[name] = surrogate.predict(settings).mean
            if self.derived:
                parts = {name: mean[None, :] for name, mean in found.items()}
                values = derive(self.surrogate_set.derived, parts, settings)
                for response, value in zip(self.surrogate_set.derived, values, strict=True):
                    found[response.name] = value[0]
        for name in self.names:
            if name in self.functions:
                found[name] = self._computed(name, settings)
        return np.array([found[name] for name in self.names])

    def draws(
        self, settings: "pd.DataFrame", n_draws: int, *, rng: np.random.Generator
    ) -> FloatArray:
        """Return joint draws of new runs, shape ``(n_names, n_draws, n_settings)``.

        Raises:
            InvalidValueError: If a name is given by a function, which has no uncertainty.
        """
        if self.surrogate_set is None or not self.is_predicted:
            raise InvalidValueError(
                f"{', '.join(sorted(self.functions))} are plain functions without uncertainty; "
                "draws need surrogates."
            )
        every = self.surrogate_set.sample(settings, n_draws, kind="new_run", rng=rng)
        places = [self.surrogate_set.responses.index(name) for name in self.names]
        return np.moveaxis(every[:, :, places], -1, 0)

    def _computed(self, name: str, settings: "pd.DataFrame") -> FloatArray:
        values = np.asarray(self.functions[name](settings), dtype=np.float64)
        if values.shape != (len(settings),):
            raise InvalidValueError(
                f"The function of '{name}' gave an array of shape {values.shape}; expected one "
                f"number per setting, shape ({len(settings)},)."
            )
        if not np.isfinite(values).all():
            row = int(np.argmin(np.isfinite(values)))
            setting = ", ".join(f"{k} {v}" for k, v in settings.iloc[row].items())
            raise InvalidValueError(
                f"The function of '{name}' gives {values[row]} at {setting}; expected a finite "
                "number everywhere in the factor space: restrict the space or mend the function."
            )
        return values

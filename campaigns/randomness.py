"""Where random draws come from: the campaign's seed, the place in its stream and the purpose."""

from typing import Literal

import numpy as np

Purpose = Literal[
    "design",
    "surrogates",
    "recommend",
    "drivers",
    "design_space",
    "validation",
    "advice",
    "evaluation",
]

# Codes are stored in events as part of a spawn key; never reuse one.
_CODES: dict[Purpose, int] = {
    "design": 1,
    "surrogates": 2,
    "recommend": 3,
    "drivers": 4,
    "design_space": 5,
    "validation": 6,
    "advice": 7,
    "evaluation": 8,
}


def spawn_key(sequence: int, purpose: Purpose) -> tuple[int, int]:
    """Return the spawn key of the draws made for a purpose on the state at an event."""
    return (sequence, _CODES[purpose])


def generator(seed: int, key: tuple[int, ...]) -> np.random.Generator:
    """Return the generator of a campaign's seed and a spawn key; the same pair, the same draws."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))

"""The two settings that every torch computation here runs under: its seed and its device."""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch

from doe.errors import InvalidValueError
from surrogates.gaussian_process.options import Device

# Below this many runs a GPU spends its time on starting kernels.
GPU_FROM_RUNS = 500


@contextmanager
def seeded_torch(rng: np.random.Generator) -> Iterator[int]:
    """Seed torch from ``rng`` for the length of a ``with`` block, then restore its state.

    Yields:
        The seed, so that it can be stored.
    """
    seed = int(rng.integers(2**63 - 1))
    devices = range(torch.cuda.device_count()) if torch.cuda.is_available() else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        yield seed


def choose_device(wanted: Device, n_runs: int) -> torch.device:
    """Return where to compute: the GPU when it is wanted, or pays.

    Raises:
        InvalidValueError: If a GPU is wanted and there is none.
    """
    has_gpu = torch.cuda.is_available()
    if wanted == "cuda" and not has_gpu:
        raise InvalidValueError(
            "device 'cuda' is wanted, but there is no GPU: use 'auto' or 'cpu'."
        )
    if wanted == "cpu" or not has_gpu or (wanted == "auto" and n_runs < GPU_FROM_RUNS):
        return torch.device("cpu")
    return torch.device("cuda")

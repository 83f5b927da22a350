"""The code on a run's vessel and samples, which tells rows of a sheet that were mixed up."""

import hashlib

# Without I, L, O and U, which are misread.
_LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def run_code(campaign: str, run: str) -> str:
    """Return the code that labels a run's vessel and samples, such as ``12-K7QD``.

    Its second part follows from campaign and run, so that a sheet whose rows were mixed up, or that
    belongs to another campaign, is noticed when it is read.

    Source:
        Crockford, Base32: the letters, without I, L, O and U that are misread.
    """
    digest = hashlib.sha256(f"{campaign}\n{run}".encode()).digest()
    return f"{run}-{''.join(_LETTERS[byte % 32] for byte in digest[:4])}"

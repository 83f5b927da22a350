"""Counts in words: one run, two runs."""


def counted(count: int, what: str) -> str:
    """Return a count with its noun, such as ``1 degree of freedom`` or ``3 runs``.

    Args:
        count: How many.
        what: The noun in the singular; the first word takes the plural.
    """
    first, _, rest = what.partition(" ")
    plural = first if count == 1 else f"{first}s"
    return f"{count} {plural} {rest}".rstrip()

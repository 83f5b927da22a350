"""What a check found: how serious it is, which run or factor it concerns, and a sentence."""

from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["error", "warning", "note"]

_ORDER: tuple[Severity, ...] = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found.

    Attributes:
        severity: ``error`` when the runs must not be done like this, ``warning`` when somebody
            should decide, ``note`` when it is good to know.
        sentence: What was found, what was expected, what to do.
        factor: The factor or block factor that it concerns.
        run: The run that it concerns, 1 for the first in standard order.
    """

    severity: Severity
    sentence: str
    factor: str | None = field(default=None, kw_only=True)
    run: int | None = field(default=None, kw_only=True)


def most_serious_first(findings: list[Finding]) -> list[Finding]:
    """Return findings with errors before warnings before notes, otherwise as they stand."""
    return sorted(findings, key=lambda finding: _ORDER.index(finding.severity))

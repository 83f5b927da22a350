"""How an event stands in its row of the ledger, and how a row is read with distrust."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from campaigns.canonical import MAX_INTEGER
from campaigns.envelope import (
    JSON,
    Actor,
    Event,
    canonical_json,
    parse_json,
    sealed_digest,
    timestamp,
    timestamp_text,
)
from doe.errors import InvalidValueError


@dataclass(frozen=True, slots=True)
class Column:
    """One column of the event table."""

    name: str
    type: Literal["integer", "text"] = "text"
    nullable: bool = False


COLUMNS = (
    Column("stream"),
    Column("sequence", "integer"),
    Column("kind"),
    Column("payload"),
    Column("occurred_at"),
    Column("recorded_at"),
    Column("actor"),
    Column("actor_name"),
    Column("actor_kind"),
    Column("on_behalf_of", nullable=True),
    Column("reason", nullable=True),
    Column("idempotency_key", nullable=True),
    Column("format_version", "integer"),
    Column("previous_hash"),
    Column("hash"),
)
"""The event table. Times are text, because a database's own type would drop the offset."""


@dataclass(frozen=True, slots=True)
class RowReading:
    """What one stored row says.

    Args:
        event: The event, or None where the row does not hold one.
        digest: The hash that the stored content calls for, or None where that cannot be told.
        faults: What is wrong with the row by itself, in words; empty when nothing is.
    """

    event: Event | None
    digest: str | None
    faults: tuple[str, ...]


def stored_values(event: Event) -> dict[str, str | int | None]:
    """Return the row of an event, by column name."""
    return {
        "stream": event.stream,
        "sequence": event.sequence,
        "kind": event.kind,
        "payload": canonical_json(event.payload).decode(),
        "occurred_at": timestamp_text(event.occurred_at),
        "recorded_at": timestamp_text(event.recorded_at),
        "actor": event.actor.id,
        "actor_name": event.actor.name,
        "actor_kind": event.actor.kind,
        "on_behalf_of": event.on_behalf_of,
        "reason": event.reason,
        "idempotency_key": event.idempotency_key,
        "format_version": event.format_version,
        "previous_hash": event.previous_hash,
        "hash": event.hash,
    }


def read_row(values: Mapping[str, Any]) -> RowReading:
    """Read a stored row, by column name; every fault is named and none is raised.

    The hash is taken over the text as it is stored, so that a changed byte cannot hide behind
    text that means the same.
    """
    if misfits := tuple(_misfits(values)):
        return RowReading(None, None, misfits)
    calls_for = sealed_digest(_envelope(values), values["payload"].encode())
    faults: tuple[str, ...] = ()
    if calls_for != values["hash"]:
        faults = (
            f"what is stored was changed: it calls for the hash {calls_for[:12]}..., "
            f"and the event was sealed with {values['hash'][:12]}...",
        )
    try:
        return RowReading(_event(values), calls_for, faults)
    except InvalidValueError as error:
        return RowReading(None, calls_for, (*faults, f"it is not an event: {error}"))


def _misfits(values: Mapping[str, Any]) -> list[str]:
    found = []
    for column in COLUMNS:
        value = values[column.name]
        if value is None and column.nullable:
            continue
        if column.type == "text" and isinstance(value, str):
            continue
        if column.type == "integer" and type(value) is int and abs(value) <= MAX_INTEGER:
            continue
        expected = "text" if column.type == "text" else "a whole number"
        found.append(f"{column.name} holds {value!r:.60} instead of {expected}")
    return found


def _envelope(values: Mapping[str, Any]) -> dict[str, JSON]:
    envelope = {
        column.name: values[column.name]
        for column in COLUMNS
        if column.name not in ("payload", "hash", "actor_name", "actor_kind")
    }
    envelope["actor"] = {
        "id": values["actor"],
        "name": values["actor_name"],
        "kind": values["actor_kind"],
    }
    return envelope


def _event(values: Mapping[str, Any]) -> Event:
    return Event(
        stream=values["stream"],
        sequence=values["sequence"],
        kind=values["kind"],
        payload=parse_json(values["payload"]),  # type: ignore[arg-type]  # Event refuses others
        occurred_at=timestamp(values["occurred_at"], "occurred_at"),
        recorded_at=timestamp(values["recorded_at"], "recorded_at"),
        actor=Actor(values["actor"], values["actor_name"], values["actor_kind"]),
        on_behalf_of=values["on_behalf_of"],
        reason=values["reason"],
        idempotency_key=values["idempotency_key"],
        format_version=values["format_version"],
        previous_hash=values["previous_hash"],
        hash=values["hash"],
    )

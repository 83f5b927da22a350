"""One sealed line of the record: who did what, when and why, and the hash that seals it.

An `Event` carries the hash of the event before it, so a stream of events is a chain: whoever
changes one of them must change every later one as well. Payloads are plain JSON and are sealed in
their canonical form (RFC 8785), so the same content has the same hash everywhere and for ever.
"""

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timezone
from typing import Any, Literal, get_args

import rfc8785

from campaigns.canonical import JSON, MAX_INTEGER, canonical_json, parse_json, plain
from doe.errors import DocumentError, InvalidValueError

__all__ = [
    "GENESIS",
    "JSON",
    "Actor",
    "Draft",
    "Event",
    "canonical_json",
    "digest",
    "parse_json",
    "require_reason",
    "seal",
    "sealed_digest",
    "timestamp",
    "timestamp_text",
    "utc_now",
]

ActorKind = Literal["person", "service", "system"]

GENESIS = "0" * 64
"""The previous hash of the first event of a stream."""

MIN_REASON = 5
"""Characters that a reason has at least."""

_STREAM = re.compile(r"installation|(?:campaign|process)/\S(?:.*\S)?")
_HASH = re.compile(r"[0-9a-f]{64}")
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
# A reason may have several lines; PostgreSQL stores no NUL, and UTF-8 no half of a pair.
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")

# The fields under the hash, in the order of RFC 8785. The payload stands between the two groups,
# so that its stored text can be sealed as it is, without being parsed and written again.
_BEFORE_PAYLOAD = (
    "actor",
    "format_version",
    "idempotency_key",
    "kind",
    "occurred_at",
    "on_behalf_of",
)
_AFTER_PAYLOAD = ("previous_hash", "reason", "recorded_at", "sequence", "stream")


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: every write acts for one.

    Args:
        id: Unique account id, never given to another.
        name: Printed name; the id when left empty.
        kind: ``person``, ``service`` (a script or an instrument) or ``system`` (the product).
    """

    id: str
    name: str = ""
    kind: ActorKind = "person"

    def __post_init__(self) -> None:
        _check_line(self.id, "id of the actor")
        object.__setattr__(self, "name", self.name or self.id)
        _check_line(self.name, "name of the actor")
        if self.kind not in get_args(ActorKind):
            raise _refusal(
                "kind of the actor", self.kind, f"one of {', '.join(get_args(ActorKind))}"
            )


@dataclass(frozen=True, slots=True)
class Draft:
    """What a writer hands to the ledger: an event before it has a place, a time and a hash.

    Args:
        kind: What happened, for example ``"campaign-created"``.
        payload: Plain JSON object.
        reason: Why, where a reason is asked for.
        occurred_at: When it happened, aware; the time of recording when left out.
        on_behalf_of: Id of the account acted for, when it is not the actor's own.
        idempotency_key: Makes a repeated append of the same content harmless.
        format_version: Of the payload of this kind.
    """

    kind: str
    payload: Mapping[str, JSON] = field(hash=False)
    reason: str | None = None
    occurred_at: datetime | None = None
    on_behalf_of: str | None = None
    idempotency_key: str | None = None
    format_version: int = 1


@dataclass(frozen=True, slots=True)
class Event:
    """One sealed line of the record; made by `seal` or read from a ledger.

    Args:
        stream: ``campaign/<name>``, ``process/<name>`` or ``installation``.
        sequence: Place in the stream: 1, 2, 3 without a gap.
        kind: What happened.
        payload: What there is to say about it, a plain JSON object.
        occurred_at: When it happened, with the offset it was given in.
        recorded_at: When the ledger took it, in UTC.
        actor: Who did it.
        on_behalf_of: Id of the account acted for, or None.
        reason: Why, or None.
        idempotency_key: The writer's own name for the act, or None.
        format_version: Of the payload of this kind.
        previous_hash: Hash of the event before, 64 hexadecimal digits; `GENESIS` for the first.
        hash: SHA-256 of the RFC 8785 form of all other fields.

    Raises:
        InvalidValueError: If a field is not what it has to be. Whether the hash is right, `digest`
            tells.
    """

    stream: str
    sequence: int
    kind: str
    payload: Mapping[str, JSON] = field(hash=False)
    occurred_at: datetime
    recorded_at: datetime
    actor: Actor
    on_behalf_of: str | None
    reason: str | None
    idempotency_key: str | None
    format_version: int
    previous_hash: str
    hash: str

    def __post_init__(self) -> None:
        check_stream(self.stream)
        _check_count(self.sequence, "sequence")
        _check_line(self.kind, "kind of the event")
        if not isinstance(self.payload, Mapping):
            raise _refusal("payload", self.payload, "a JSON object")
        _check_aware(self.occurred_at, "occurred_at")
        _check_aware(self.recorded_at, "recorded_at")
        if self.recorded_at.utcoffset():
            raise _refusal("recorded_at", self.recorded_at.isoformat(), "a time in UTC")
        if not isinstance(self.actor, Actor):
            raise _refusal("actor", self.actor, "an Actor")
        _check_note(self)
        _check_count(self.format_version, "format_version")
        for name, value in (("previous_hash", self.previous_hash), ("hash", self.hash)):
            if not isinstance(value, str) or not _HASH.fullmatch(value):
                raise _refusal(name, value, "64 hexadecimal digits in lower case")
        if (self.sequence == 1) != (self.previous_hash == GENESIS):
            expected = "64 zeros for event 1, and the hash of the event before for any other"
            raise _refusal(f"previous_hash of event {self.sequence}", self.previous_hash, expected)

    def to_document(self) -> dict[str, JSON]:
        """Return the event as plain JSON; `from_document` gives it back exactly."""
        return {**_envelope(self), "payload": plain(self.payload), "hash": self.hash}

    @classmethod
    def from_document(cls, document: JSON) -> "Event":
        """Read an event from plain JSON, strictly; whether its hash is right, `digest` tells.

        Raises:
            DocumentError: If a field is missing, unknown, or not of the type and form it has.
        """
        try:
            fields: dict[str, Any] = dict(_exactly(document, _DOCUMENT_FIELDS, "event"))
            actor: dict[str, Any] = dict(_exactly(fields["actor"], _ACTOR_FIELDS, "actor"))
            _check_line(actor["name"], "name of the actor")  # Actor itself would put the id
            fields["actor"] = Actor(**actor)
            fields["payload"] = plain(fields["payload"], lift_integers=True)
            for name in ("occurred_at", "recorded_at"):
                fields[name] = timestamp(fields[name], name)
            return cls(**fields)
        except InvalidValueError as error:
            raise DocumentError(f"This is not an event of a record. {error}") from error


_ACTOR_FIELDS = frozenset({"id", "name", "kind"})
_DOCUMENT_FIELDS = frozenset((*_BEFORE_PAYLOAD, "payload", *_AFTER_PAYLOAD, "hash"))


def seal(
    *,
    stream: str,
    sequence: int,
    kind: str,
    payload: Mapping[str, JSON],
    actor: Actor,
    recorded_at: datetime,
    occurred_at: datetime | None = None,
    on_behalf_of: str | None = None,
    reason: str | None = None,
    idempotency_key: str | None = None,
    format_version: int = 1,
    previous_hash: str = GENESIS,
) -> Event:
    """Return the event with its hash.

    The payload is copied and takes the form in which it will be read again (``1.0`` becomes ``1``).
    Times keep their instant; ``recorded_at`` is turned into UTC and ``occurred_at`` keeps its
    offset. Without ``occurred_at``, the event occurred when it was recorded.

    Raises:
        InvalidValueError: If a field is not allowed, a time has no offset, or the payload holds
            something that has no JSON form.
    """
    _check_aware(recorded_at, "recorded_at")
    occurred_at = recorded_at if occurred_at is None else occurred_at
    _check_aware(occurred_at, "occurred_at")
    payload_text = canonical_json(payload)
    unsealed = Event(
        stream=stream,
        sequence=sequence,
        kind=kind,
        payload=parse_json(payload_text.decode()),  # type: ignore[arg-type]  # Event checks it
        occurred_at=_at_fixed_offset(occurred_at),
        recorded_at=_in_utc(recorded_at),
        actor=actor,
        on_behalf_of=on_behalf_of,
        reason=reason,
        idempotency_key=idempotency_key,
        format_version=format_version,
        previous_hash=previous_hash,
        hash=GENESIS,
    )
    sealed = sealed_digest(_envelope(unsealed), payload_text)
    object.__setattr__(unsealed, "hash", sealed)
    return unsealed


def digest(event: Event) -> str:
    """Return the hash that the content of this event calls for, whatever hash it carries."""
    return sealed_digest(_envelope(event), canonical_json(event.payload))


def sealed_digest(envelope: Mapping[str, JSON], payload_text: bytes) -> str:
    """Return the hash over an envelope document and the text of its payload.

    This is the SHA-256 of the RFC 8785 form of the whole when the payload text is canonical, and
    no event's hash when it is not: any changed byte of the text changes it.
    """
    before = rfc8785.dumps({name: envelope[name] for name in _BEFORE_PAYLOAD})
    after = rfc8785.dumps({name: envelope[name] for name in _AFTER_PAYLOAD})
    text = b'%b,"payload":%b,%b' % (before[:-1], payload_text, after[1:])
    return hashlib.sha256(text).hexdigest()


def require_reason(reason: str | None, action: str) -> str:
    """Return the reason without the blanks around it, for an action that needs one.

    Args:
        reason: What the person wrote.
        action: What it is the reason of, for example ``"to exclude run 7"``.

    Raises:
        InvalidValueError: If nothing is said: no text, blanks, or fewer than five characters.
    """
    text = (reason or "").strip()
    # Zero-width characters look blank and are no blanks to strip().
    visible = sum(unicodedata.category(character)[0] not in "CZ" for character in text)
    if visible == 0 or visible + text.count(" ") < MIN_REASON:
        raise InvalidValueError(
            f"A reason is needed {action}, and {reason!r} is none: "
            f"write at least {MIN_REASON} characters that tell a later reader why."
        )
    return text


def utc_now() -> datetime:
    """Return the time of the machine's clock, in UTC."""
    return datetime.now(UTC)


def timestamp_text(moment: datetime) -> str:
    """Return ISO 8601 with microseconds and the offset: ``2025-01-31T09:30:00.000000+01:00``."""
    return moment.isoformat(timespec="microseconds")


def timestamp(text: object, name: str = "time") -> datetime:
    """Read a time in exactly the form that `timestamp_text` writes.

    Raises:
        InvalidValueError: If it is in any other form, even one that means the same moment.
    """
    expected = "ISO 8601 with microseconds and offset, as 2025-01-31T09:30:00.000000+01:00"
    if not isinstance(text, str):
        raise _refusal(name, text, expected)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise _refusal(name, text, expected) from error
    if moment.tzinfo is None or timestamp_text(moment) != text:
        raise _refusal(name, text, expected)
    return moment


def check_stream(stream: str) -> None:
    """Check the name of a stream.

    Raises:
        InvalidValueError: If it is not ``campaign/<name>``, ``process/<name>`` or ``installation``.
    """
    if not isinstance(stream, str) or not _STREAM.fullmatch(stream) or _UNPRINTABLE.search(stream):
        expected = "campaign/<name>, process/<name> or installation, in printable characters"
        raise _refusal("stream", stream, expected)


def _envelope(event: Event) -> dict[str, JSON]:
    """Return all fields under the hash except the payload, as plain JSON."""
    return {
        "stream": event.stream,
        "sequence": event.sequence,
        "kind": event.kind,
        "occurred_at": timestamp_text(event.occurred_at),
        "recorded_at": timestamp_text(event.recorded_at),
        "actor": {"id": event.actor.id, "name": event.actor.name, "kind": event.actor.kind},
        "on_behalf_of": event.on_behalf_of,
        "reason": event.reason,
        "idempotency_key": event.idempotency_key,
        "format_version": event.format_version,
        "previous_hash": event.previous_hash,
    }


def _exactly(document: object, names: frozenset[str], what: str) -> Mapping[str, JSON]:
    if not isinstance(document, Mapping):
        raise _refusal(what, document, "a JSON object")
    missing, unknown = names - set(document), set(document) - names
    if missing or unknown:
        found = f"without {sorted(missing)} and with {sorted(map(str, unknown))}"
        raise _refusal(
            f"list of fields of the {what}", found, f"exactly {', '.join(sorted(names))}"
        )
    return document


def _at_fixed_offset(moment: datetime) -> datetime:
    # A named zone is stored by its offset alone; `fold` has done its work once that is known.
    offset = moment.utcoffset()
    return moment.replace(tzinfo=timezone(offset) if offset else UTC, fold=0)


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        expected = "a time whose year in UTC is 1 to 9999"
        raise _refusal("recorded_at", moment.isoformat(), expected) from error


def _check_aware(moment: datetime, name: str) -> None:
    if not isinstance(moment, datetime):
        raise _refusal(name, moment, "a date with time and offset")
    if moment.utcoffset() is None:
        raise _refusal(name, moment.isoformat(), "a time with an offset: say which zone it is in")


def _check_count(value: int, name: str) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MAX_INTEGER:
        raise _refusal(name, value, "a whole number from 1")


def _check_note(event: Event) -> None:
    for name in ("on_behalf_of", "idempotency_key"):
        if (value := getattr(event, name)) is not None:
            _check_line(value, name)
    reason = event.reason
    if reason is not None and (
        not isinstance(reason, str) or not reason.strip() or _UNSTORABLE.search(reason)
    ):
        raise _refusal("reason", reason, "text, or None where no reason is given")


def _check_line(text: str, name: str) -> None:
    if not isinstance(text, str) or not text.strip() or _UNPRINTABLE.search(text):
        raise _refusal(name, text, "one line of printable text")


def _refusal(name: str, value: object, expected: str) -> InvalidValueError:
    shown = ascii(value) if isinstance(value, str) and _UNSTORABLE.search(value) else repr(value)
    return InvalidValueError(f"The {name} is {shown:.200}. Expected {expected}.")

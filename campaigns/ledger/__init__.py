"""The record: an append-only, hash-chained table of events, in a file or on a server."""

from campaigns.ledger.check import Fault, Head, RecordCheck, clock_notes
from campaigns.ledger.ledger import Ledger, RepeatedKeyError, StreamSummary
from campaigns.ledger.schema import StoreBusyError, StoreError

__all__ = [
    "Fault",
    "Head",
    "Ledger",
    "RecordCheck",
    "RepeatedKeyError",
    "StoreBusyError",
    "StoreError",
    "StreamSummary",
    "clock_notes",
]

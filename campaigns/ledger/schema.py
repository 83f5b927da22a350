"""The tables of the ledger, what their triggers say, and what can be wrong with a store.

Three tables: the events, the head of each stream (its last sequence and hash), and the format of
the store. `sqlite` and `postgresql` create them, each with triggers that refuse
UPDATE, DELETE and whatever else its database offers to change an event; that take an event only if
it follows the head of its stream; that move the head with it, and let nothing else move a head.
"""

import sqlalchemy as sa

from campaigns.ledger.rows import COLUMNS
from doe.errors import ExperimentError

STORE_FORMAT = 1
"""Version of these tables; a store with a higher one was written by a newer Bayeswell."""

_TYPES = {"integer": sa.BigInteger, "text": sa.Text}

EVENTS = sa.table("bayeswell_events", *(sa.column(c.name, _TYPES[c.type]) for c in COLUMNS))
HEADS = sa.table(
    "bayeswell_heads",
    sa.column("stream", sa.Text),
    sa.column("sequence", sa.BigInteger),
    sa.column("hash", sa.Text),
)
STORE = sa.table("bayeswell_store", sa.column("format_version", sa.BigInteger))
TABLES = frozenset((EVENTS.name, HEADS.name, STORE.name))

APPEND_ONLY = "Bayeswell: the record is append-only, it is neither changed nor deleted."
FOLLOWS = "Bayeswell: an event has to follow the last event of its stream."
HEAD_MOVES = "Bayeswell: a head moves one event forward, with its event."


class StoreError(ExperimentError, RuntimeError):
    """The store of a record cannot be opened, read or written."""


class StoreBusyError(StoreError):
    """Somebody else holds the store for longer than the ledger waits."""

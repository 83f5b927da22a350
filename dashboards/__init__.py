"""The web app: campaigns on a page."""

from typing import TYPE_CHECKING

from doe.lazy_exports import lazy_exports

_EXPORTS: dict[str, str] = {}

if not TYPE_CHECKING:
    __getattr__, __dir__ = lazy_exports(__name__, _EXPORTS)

"""Documents of the archive entered into a catalog a page at a time, each with its result."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from sqlalchemy import Connection

from recording_archive.catalog.database import Catalog
from recording_archive.catalog.rows import chunked
from recording_archive.errors import PermanentError, RunError
from recording_archive.model import PartId
from recording_archive.recovery.result import Indexed, IndexResult

_PAGE = 100  # documents of one transaction
_HASH = re.compile(r"[0-9a-f]{64}")


def enter_documents(
    catalog: Catalog,
    what: str,
    keys: Iterable[str],
    *,
    read: Callable[[str], bytes],
    enter: Callable[[Connection, str, bytes], bool],
) -> Iterator[Indexed]:
    """Read and enter each document; ``enter`` returns False when the catalog knew it.

    A document is bad when either raises PermanentError; a RunError, which concerns all of them, ends it.
    """
    for page in chunked(keys, _PAGE):
        contents = {key: _content(read, key) for key in page}
        with catalog.write() as connection:
            indexed = [_entered(connection, what, key, content, enter) for key, content in contents.items()]
        yield from indexed


def foreign(key: str, effect: str) -> PermanentError:
    """The problem of a document that nobody is known to have made; ``effect`` is what it does meanwhile."""
    return PermanentError(
        f"{key} is foreign: no event tells that a person made it, so {effect}. Find out who put it there; if it is "
        f"right, take it up with `recording-archive take-up {key} --reason …`"
    )


def changed(key: str, digest: str, recorded: str) -> PermanentError:
    """The problem of a document that is not the one its event records."""
    return PermanentError(f"{key} was changed: its SHA-256 is {digest}, the ledger has {recorded}; restore it")


def is_hash(text: str) -> bool:
    """Tell whether a text is a SHA-256."""
    return _HASH.fullmatch(text) is not None


def part_in(columns: Mapping[str, Any]) -> PartId:
    """Name the part of a row that is not in the catalog yet."""
    return PartId(columns["interaction_id"], columns["recording_id"], columns["part"])


def _content(read: Callable[[str], bytes], key: str) -> bytes | PermanentError:
    try:
        return read(key)
    except RunError:
        raise
    except PermanentError as error:
        return error


def _entered(
    connection: Connection,
    what: str,
    key: str,
    content: bytes | PermanentError,
    enter: Callable[[Connection, str, bytes], bool],
) -> Indexed:
    try:
        if isinstance(content, PermanentError):
            raise content
        return Indexed(what, key, IndexResult.ADDED if enter(connection, key, content) else IndexResult.KNOWN)
    except PermanentError as error:
        return Indexed(what, key, IndexResult.BAD, str(error))

"""Policies and access documents, compared with the events of their adoption; the catalog has no rows of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from hashlib import sha256

from sqlalchemy import Connection

from recording_archive.access import in_force
from recording_archive.catalog.database import Catalog
from recording_archive.recovery.documents import changed, enter_documents, foreign
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.retention.policy_in_force import FOLDER, adoptions
from recording_archive.store.base import Store


def reindex_policies(store: Store, catalog: Catalog) -> Iterator[Indexed]:
    """Name policies that nobody adopted, that are not as they were adopted, or that are gone."""
    effect = "it is not in force, and enforce_retention deletes nothing while it is the newest"
    yield from _compared(store, catalog, ("policies", FOLDER), adoptions(catalog), effect)


def reindex_access(store: Store, catalog: Catalog) -> Iterator[Indexed]:
    """Name access documents that nobody adopted, that are not as they were adopted, or that are gone."""
    effect = "it is not in force, and nobody sees a recording while it is the newest"
    yield from _compared(store, catalog, ("access", in_force.FOLDER), in_force.adoptions(catalog), effect)


def _compared(
    store: Store, catalog: Catalog, kind: tuple[str, str], adopted: dict[str, str | None], effect: str
) -> Iterator[Indexed]:
    what, folder = kind
    found = set[str]()
    enter = partial(_compare, adopted, effect)
    for each in enter_documents(catalog, what, store.list(folder), read=store.read, enter=enter):
        found.add(each.key)
        yield each
    for key in sorted(set(adopted) - found):
        yield Indexed(what, key, IndexResult.BAD, "the ledger records it, and it is missing: restore it from a copy")


def _compare(adopted: dict[str, str | None], effect: str, _: Connection, key: str, content: bytes) -> bool:
    digest = sha256(content).hexdigest()
    if key not in adopted:
        raise foreign(key, effect)
    recorded = adopted[key]
    if recorded not in (None, digest):
        raise changed(key, digest, str(recorded))
    return False

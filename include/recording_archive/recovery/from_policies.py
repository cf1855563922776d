"""Policies of the archive, compared with the events of their adoption; the catalog has no rows of them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from hashlib import sha256

from sqlalchemy import Connection

from recording_archive.catalog.database import Catalog
from recording_archive.recovery.documents import changed, enter_documents, foreign
from recording_archive.recovery.result import Indexed, IndexResult
from recording_archive.retention.policy_in_force import FOLDER, adoptions
from recording_archive.store.base import Store


def reindex_policies(store: Store, catalog: Catalog) -> Iterator[Indexed]:
    """Name policies that nobody adopted, that are not as they were adopted, or that are gone."""
    adopted, found = adoptions(catalog), set[str]()
    for each in enter_documents(
        catalog, "policies", store.list(FOLDER), read=store.read, enter=partial(_compare, adopted)
    ):
        found.add(each.key)
        yield each
    for key in sorted(set(adopted) - found):
        yield Indexed(
            "policies", key, IndexResult.BAD, "the ledger tells of it, and it is gone: restore it from a copy"
        )


def _compare(adopted: dict[str, str | None], _: Connection, key: str, content: bytes) -> bool:
    digest = sha256(content).hexdigest()
    if key not in adopted:
        raise foreign(key, "it is not in force, and enforce_retention deletes nothing while it is the newest")
    told = adopted[key]
    if told not in (None, digest):
        raise changed(key, digest, str(told))
    return False

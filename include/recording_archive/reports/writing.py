"""The files of a report: written once, as they stream; an event names them even when an attempt was cut short.

Each attempt writes under a number of its own. The checksums come last: a report without them was never finished.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain, islice
from typing import Any

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import events
from recording_archive.errors import PermanentError, StoreError
from recording_archive.reports.cells import spreadsheet_cell
from recording_archive.reports.reading import hash_of
from recording_archive.store import staging

ENDINGS = ("csv", "json", "sha256")
_NUMBERS = 10_000  # reports of one run: each attempt of its last task makes one
_REFUSED = 20  # attempts that were faster, one after the other: that many tasks never write one report at once


def publish_report(
    archive: Archive,
    *,
    day: str,
    run_id: str,
    name: str,
    table: Callable[[], Iterable[str]],
    document: Iterable[str],
    manifest: Iterable[str] = (),
) -> tuple[str, dict[str, str]]:
    """Write a report's CSV, JSON, manifest and checksums under the next free number; return the JSON's key, and hashes.

    The attempt that creates the CSV has its number, so two attempts at once write two reports. The hashes, by key,
    include those of files that an attempt of this run left behind without an event. A manifest that would be empty is
    not written: `sha256sum -c` calls it a mistake.
    """
    run = staging.safe_name(run_id)
    number, digest = _write_numbered(archive, f"reports/{day}/{run}", name, table)
    stem = f"reports/{day}/{run}/{number}/{name}"
    hashes = {f"{stem}.csv": digest, f"{stem}.json": _write_new(archive, f"{stem}.json", document)}
    lines = [f"{digest}  {key.rpartition('/')[2]}\n" for key, digest in hashes.items()]
    listed = iter(manifest)
    if first := list(islice(listed, 1)):
        key = manifest_key(day, run, number)
        hashes[key] = _write_new(archive, key, chain(first, listed))
    hashes[f"{stem}.sha256"] = _write_new(archive, f"{stem}.sha256", lines)
    left = _left_over(archive, run_id, (key for n in range(1, number) for key in _keys(day, run, n, name)))
    return f"{stem}.json", {**left, **hashes}


def _write_numbered(archive: Archive, folder: str, name: str, table: Callable[[], Iterable[str]]) -> tuple[int, str]:
    """Write the CSV under the first free number; return the number and the hash. Raise StoreError when none is."""
    refused = 0
    for number in range(1, _NUMBERS + 1):
        key = f"{folder}/{number}/{name}.csv"
        if archive.store.size(key) is not None:
            continue
        if digest := _write(archive, key, table()):
            return number, digest
        refused += 1
        if refused == _REFUSED:
            raise StoreError(
                f"{folder} in {archive.store}: {refused} free numbers were said to be taken as soon as a report was "
                "written there: the file system gives wrong answers about names; check it and its mount options"
            )
    raise StoreError(
        f"{folder} in {archive.store} has {_NUMBERS} reports: find out what reports this run again and again"
    )


def manifest_key(day: str, run: str, number: int | str) -> str:
    """Return the key of the manifest of a report."""
    return f"manifests/{day}/{run}.{number}/manifest-sha256.txt"


def as_json(top: Mapping[str, Any], **lists: Iterable[Any]) -> Iterator[str]:
    """Yield a JSON document with long lists at its end, a line for each entry."""
    yield json.dumps(top, indent=1, ensure_ascii=False).removesuffix("\n}")
    for name, entries in lists.items():
        yield f',\n "{name}": ['
        for number, entry in enumerate(entries):
            yield (",\n  " if number else "\n  ") + json.dumps(entry, ensure_ascii=False)
        yield "]"
    yield "\n}\n"


def as_csv(columns: Sequence[str], entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield entries as CSV in which no spreadsheet takes a cell for a formula."""
    line = io.StringIO()
    writer = csv.DictWriter(line, columns, lineterminator="\r\n")  # as RFC 4180; else "\r" in a cell is not quoted
    writer.writeheader()
    for entry in entries:
        writer.writerow({name: spreadsheet_cell(entry.get(name)) for name in columns})
        yield line.getvalue()
        line.seek(0)
        line.truncate()
    yield line.getvalue()


def _write_new(archive: Archive, key: str, lines: Iterable[str]) -> str:
    """Write a document under a key that must be free; return its SHA-256."""
    digest = _write(archive, key, lines)
    if digest is None:
        raise PermanentError(f"{key} in {archive.store} is there already: find out who put it there")
    return digest


def _write(archive: Archive, key: str, lines: Iterable[str]) -> str | None:
    """Write a text document, durable on return; return its SHA-256, None when the key is taken."""
    digest = hashlib.sha256()
    with archive.store.begin(key) as draft:
        for line in lines:
            content = line.encode()
            digest.update(content)
            draft.file.write(content)
        draft.seal()
        published = draft.publish()
    archive.store.sync([key])
    return digest.hexdigest() if published else None


def _keys(day: str, run: str, number: int, name: str) -> Iterator[str]:
    """Yield the keys that an attempt may have written."""
    yield from (f"reports/{day}/{run}/{number}/{name}.{ending}" for ending in ENDINGS)
    yield manifest_key(day, run, number)


def _left_over(archive: Archive, run_id: str, keys: Iterable[str]) -> dict[str, str]:
    there = [key for key in keys if archive.store.size(key) is not None]
    if not there:
        return {}
    # by the absent interaction first: of that there is an index
    own = (events.c.interaction_id.is_(None), events.c.kind == "reported", events.c.run_id == run_id)
    with archive.catalog.read() as connection:
        details = connection.execute(select(events.c.detail).where(*own)).scalars().all()
    known = {key for detail in details for key in detail["files"]}
    return {key: hash_of(archive.store, key) for key in there if key not in known}

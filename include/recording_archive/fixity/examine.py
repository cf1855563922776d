"""Examining one recording: its object to the last byte, its sidecar, and the catalog's row about both."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, BinaryIO

from sqlalchemy import Row

from recording_archive.archive import Archive
from recording_archive.errors import ArchiveError, TransientError
from recording_archive.store import bgzf, sidecar
from recording_archive.store.stoppable import Stoppable

_NEVER = threading.Event()


@dataclass(frozen=True, slots=True)
class Flaws:
    """The flaws of a recording by place; an empty text for a sound one.

    ``catalog`` is set when the row differs from an intact sidecar. A damaged sidecar cannot judge the row.
    """

    catalog: str = ""
    sidecar: str = ""
    object: str = ""

    def __str__(self) -> str:
        return "; ".join(flaw for flaw in (self.catalog, self.sidecar, self.object) if flaw)


def examine(archive: Archive, row: Row[Any], stop: threading.Event = _NEVER) -> Flaws | None:
    """Find the flaws of a recording, a row of `recordings`; it is read a second time before it is called bad.

    Raises TransientError when the place does not answer, Stopped when told to stop: neither is the recording's fault.
    """
    return (_look(archive, row, stop) and _look(archive, row, stop)) or None


def _look(archive: Archive, row: Row[Any], stop: threading.Event) -> Flaws | None:
    flaws = Flaws(*_sidecar_flaws(archive, row), _object_flaw(archive, row, stop))
    return flaws if str(flaws) else None


def _sidecar_flaws(archive: Archive, row: Row[Any]) -> tuple[str, str]:
    """Find the flaw of the catalog's row, by an intact sidecar; or else the flaw of the sidecar."""
    key = sidecar.beside(row.key)
    try:
        with archive.store.open(key) as file:
            _forget_cached(file)
        content = archive.store.read(key)
        if (found := sha256(content).hexdigest()) != row.sidecar_sha256:
            return "", f"sidecar {key}: SHA-256 is {found}, the catalog has {row.sidecar_sha256}"
        recorded = sidecar.to_recording(content, key, archive.settings.phone_region)
        names = sidecar.differing(row._asdict(), recorded)
    except TransientError:
        raise
    except ArchiveError as error:
        return "", str(error)
    return f"the catalog differs from the sidecar {key} in {', '.join(names)}" if names else "", ""


def _object_flaw(archive: Archive, row: Row[Any], stop: threading.Event) -> str:
    """Find the flaw of the object; none when it can be read to its end and has the catalog's hashes and sizes."""
    try:
        with archive.store.open(row.key) as file:
            _forget_cached(file)
            found = bgzf.read_back(Stoppable(file, stop), row.key)
    except TransientError:
        raise
    except ArchiveError as error:
        return str(error)
    for name in ("stored_sha256", "stored_bytes", "sha256", "size_bytes"):
        if getattr(found, name) != getattr(row, name):
            return f"object {row.key}: {name} is {getattr(found, name)}, the catalog has {getattr(row, name)}"
    return ""


def _forget_cached(file: BinaryIO) -> None:
    """Ask the system to read the disk, not its memory of it; some file systems cannot."""
    with suppress(OSError):
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

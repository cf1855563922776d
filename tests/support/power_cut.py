"""A disk that forgets: what would be left of a folder if the power went out, and which promises that would break."""

from __future__ import annotations

import gzip
import os
import re
import shutil
import sqlite3
import stat
import zlib
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from recording_archive.settings import Settings

SHOWING = {"link", "rename", "replace", "unlink", "commit"}  # effects that show, promise or drop something


class Disk:
    """Durable part of ``folder``: a file's bytes as they were when it was last fsynced, a folder's names likewise.

    That is the least a disk may keep. It may keep more, in any order; so what is *visible* must be durable already.
    What was there at the start is durable, and so is the catalog at each commit, for SQLite syncs it itself.
    ``losses`` are the promises that a power cut after some effect would have broken. The fsync of a path below the
    folder that matches ``ignore`` does nothing, as if it were not in the code.
    """

    def __init__(self, folder: Path, settings: Settings, *, ignore: str | None = None) -> None:
        self.losses: list[str] = []
        self._folder, self._settings, self._ignore = folder, settings, re.compile(ignore or r"(?!)")
        self._names: dict[int, dict[str, int]] = {}
        self._bytes: dict[int, bytes] = {}
        self._held: list[int] = []  # open files keep their inode numbers from being used again
        for path in (folder, *folder.rglob("*")):
            self._keep(path)

    def witness(self, effect: str, arguments: Sequence[object]) -> None:
        """Take note of an effect that just happened, and compare promises with what is durable."""
        if effect == "fsync" and isinstance(descriptor := arguments[0], int):
            path = Path(f"/proc/self/fd/{descriptor}").readlink()
            if path.is_relative_to(self._folder) and not self._ignore.search(str(path.relative_to(self._folder))):
                self._keep(path)
        if effect.startswith("commit "):
            self.losses.append(effect)
        if effect in SHOWING:
            self.losses += [f"after {effect}: {loss}" for loss in (*self._half_visible(), *self._half_recorded())]

    def rebuild(self, folder: Path) -> None:
        """Put what is durable into another folder."""
        self._rebuild(self._inode(self._folder), folder)
        for path in self._folder.glob("catalog.db*"):
            if not path.name.endswith("-shm"):
                shutil.copyfile(path, folder / path.name)

    def _keep(self, path: Path) -> None:
        found = path.stat()
        if found.st_ino not in self._bytes and found.st_ino not in self._names:
            self._held.append(os.open(path, os.O_RDONLY))
        if stat.S_ISDIR(found.st_mode):
            with os.scandir(path) as found_entries:
                entries = list(found_entries)
            self._names[found.st_ino] = {entry.name: entry.inode() for entry in entries}
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):  # whose own names are not durable yet
                    self._names.setdefault(entry.inode(), {})
        else:
            self._bytes[found.st_ino] = path.read_bytes()

    def _rebuild(self, inode: int, place: Path) -> None:
        place.mkdir(exist_ok=True)
        for name, child in self._names.get(inode, {}).items():
            if child in self._names:
                self._rebuild(child, place / name)
            elif not name.startswith("catalog.db"):
                (place / name).write_bytes(self._bytes.get(child, b""))

    @staticmethod
    def _inode(path: Path) -> int:
        return path.stat().st_ino

    def _durable(self, path: Path) -> bytes | None:
        """The bytes that would be found under ``path``; None when the name would be gone."""
        inode = self._inode(self._folder)
        for name in path.relative_to(self._folder).parts:
            known = self._names.get(inode, {}).get(name)
            if known is None:
                return None
            inode = known
        return self._bytes.get(inode, b"")

    def _has(self, path: Path, digest: str | None = None) -> bool:
        """Test whether ``path`` would be there, with these bytes."""
        content = self._durable(path)
        return content is not None and digest in {None, sha256(content).hexdigest()}

    def _half_visible(self) -> Iterator[str]:
        """Objects whose bytes are not durable, and sidecars whose object is not there for certain."""
        root = self._settings.root
        for path in root.rglob("*"):
            if path.is_file() and not path.name.startswith("."):
                if len(self._bytes.get(self._inode(path), b"")) != path.stat().st_size:
                    yield f"{path.name} is visible before it is durable"
                if path.suffix == ".json" and path.is_relative_to(root / "recordings"):
                    beside = [other for other in path.parent.glob("*.gz") if other.name.startswith(f"{path.stem}.")]
                    if not beside or not self._has(beside[0], sha256(beside[0].read_bytes()).hexdigest()):
                        yield f"{path.name} is visible before its object is durable"

    def _half_recorded(self) -> Iterator[str]:
        """Rows of the catalog whose files would be gone."""
        root, staging = self._settings.root, self._settings.staging
        path = self._folder / "catalog.db"
        if not path.exists():
            return
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as catalog:
            try:
                bound = catalog.execute("SELECT id FROM archive").fetchall()
            except sqlite3.OperationalError:  # before its tables are there
                return
            archived = catalog.execute(
                "SELECT key, stored_sha256, sidecar_sha256 FROM recordings WHERE state = 'archived'"
            ).fetchall()
            staged = catalog.execute("SELECT run_id, id, sha256 FROM work WHERE staged AND outcome IS NULL").fetchall()
            closed = catalog.execute("SELECT report_key FROM runs WHERE closed_at IS NOT NULL").fetchall()
        catalog.close()
        if bound and not self._has(root / "archive.json"):
            yield "the catalog is bound to an archive that would be gone"
        for key, stored, sidecar in archived:
            beside = root / f"{key.rsplit('.', 2)[0]}.json"
            if not self._has(root / key, stored) or not self._has(beside, sidecar):
                yield f"{key} is recorded before it is durable"
        for run_id, number, digest in staged:
            staged = self._durable(staging / run_id / f"{number}.gz")
            if staged is None or sha256(_media(staged)).hexdigest() != digest:
                yield f"staged file {number} is recorded before it is durable, or dropped too early"
        for (key,) in closed:
            folder = root / key.rpartition("/")[0]
            manifests = list((root / "manifests").rglob("manifest-sha256.txt"))
            files = [folder / f"compliance_report.{ending}" for ending in ("json", "csv", "sha256")] + manifests
            lacking = archived and not manifests  # a run that archived nothing has none
            if lacking or not all(self._has(file, sha256(file.read_bytes()).hexdigest()) for file in files):
                yield f"{key} is recorded before it is durable"


def _media(packed: bytes) -> bytes:
    """The media in a packed file; nothing when it is damaged."""
    try:
        return gzip.decompress(packed)
    except (OSError, EOFError, zlib.error):
        return b""

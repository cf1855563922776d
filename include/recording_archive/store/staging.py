"""The place where downloads wait for the archive: a file per work row, in a folder or a bucket.

A transfer always grows a local file. `LocalStaging` leaves it there, for workers that share a disk. `BucketStaging`
moves the finished file into a bucket of its own, without versions or locks, for workers that do not.

Where the archive can take the file itself, as on the volume of its root, it is *packed*: the finished object, named
``17.gz``. Elsewhere it is the raw media, named ``17``, as in all versions before.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, NamedTuple, Protocol

from recording_archive.errors import ArchiveError
from recording_archive.store.base import AbsentError, Store
from recording_archive.store.disk import disk_errors, exhausted, mount_of, sync_folder
from recording_archive.store.local import LocalStore

_COPY_BYTES = 2**20


def safe_name(run_id: str) -> str:
    """A run id as a path segment; two run ids may share one, so what lies below it is numbered."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", run_id).lstrip(".")[:150] or "run"


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a staged file for reading; raise FileNotFoundError when it is gone."""
    with _explained(path), path.open("rb") as file:
        yield file


def remove(path: Path) -> None:
    """Unlink a staged file that nobody waits for."""
    with _explained(path):
        path.unlink(missing_ok=True)


class Staged(NamedTuple):
    """A staged file, open for reading: raw media, or packed as the object that it is to become."""

    file: BinaryIO
    is_packed: bool


class Staging(Protocol):
    """Staged bytes by run and number of the work row. What the disk or bucket refuses is a StoreError."""

    def scratch(self, run_id: str) -> Path:
        """A folder on this machine for files of a run; it is there."""

    def packs_for(self, store: Store) -> bool:  # noqa: ARG002 - for staging on a disk
        """Tell if what is staged can become an object of ``store`` as it is, and so is to be packed."""
        return False

    def target(self, run_id: str, number: int, *, packed: bool = False) -> Path:
        """Return the path to which a transfer writes the bytes on this machine."""
        return self.scratch(run_id) / _name(number, packed=packed)

    def share(self, run_id: str, number: int) -> None:
        """Put finished bytes where every worker finds them."""

    def sync(self, run_id: str) -> None:
        """Make what was shared survive a power cut."""

    def opened(self, run_id: str, number: int) -> AbstractContextManager[Staged]:
        """Open staged bytes for reading; raise FileNotFoundError when they are gone."""

    def remove(self, run_id: str, number: int) -> None:
        """Drop staged bytes that nobody waits for."""

    def probe(self) -> str:
        """Try it, and say what it is like."""

    def drop(self, run_id: str, is_over: Callable[[int], bool]) -> None:
        """Remove what killed attempts left behind of work that ``is_over``.

        What cannot be removed harms nobody: the report is out by now, and sweeping comes by again.
        """


class LocalStaging(Staging):
    """Files below a folder that every worker has."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __str__(self) -> str:
        return str(self.root)

    def scratch(self, run_id: str) -> Path:
        """The folder where they are staged."""
        path = self._folder(run_id)
        with _explained(path):
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
        return path

    def packs_for(self, store: Store) -> bool:
        """Compare the mounts of both folders: the archive links what lies on its own."""
        mount = mount_of(self.root) if isinstance(store, LocalStore) else None
        return isinstance(store, LocalStore) and mount is not None and mount == mount_of(store.root)

    def share(self, run_id: str, number: int) -> None:
        """Do nothing: a folder is shared as it is."""

    def sync(self, run_id: str) -> None:
        """Sync the run's folder and those above it: files are synced by whoever wrote them."""
        path = self._folder(run_id)
        with _explained(path):
            for place in (path, path.parent, path.parent.parent):
                with suppress(PermissionError):  # of a mount point's parent, which is not ours to sync
                    sync_folder(place)

    @contextmanager
    def opened(self, run_id: str, number: int) -> Iterator[Staged]:
        """Open the file: the packed one, else the raw one, which an older version may have left."""
        folder = self._folder(run_id)
        with ExitStack() as stack:
            try:
                found = Staged(stack.enter_context(opened(folder / _name(number, packed=True))), is_packed=True)
            except FileNotFoundError:
                found = Staged(stack.enter_context(opened(folder / _name(number))), is_packed=False)
            yield found

    def remove(self, run_id: str, number: int) -> None:
        """Unlink the file in either form."""
        for packed in (True, False):
            remove(self._folder(run_id) / _name(number, packed=packed))

    def probe(self) -> str:
        """Probe the folder as the archive's own folder is probed."""
        return str(self)

    def drop(self, run_id: str, is_over: Callable[[int], bool]) -> None:
        """Unlink left-overs, and the folder with the last of them."""
        path = self._folder(run_id)
        with suppress(OSError):
            for file in path.iterdir():
                number = file.name.partition(".")[0]
                if number.isdecimal() and is_over(int(number)):
                    file.unlink(missing_ok=True)
            path.rmdir()

    def _folder(self, run_id: str) -> Path:
        return self.root / safe_name(run_id)


class BucketStaging(Staging):
    """Objects of a bucket; ``scratch`` is where files grow on the machine that fetches them."""

    def __init__(self, bucket: Store, scratch: LocalStaging) -> None:
        self._bucket, self._scratch = bucket, scratch

    def __str__(self) -> str:
        return str(self._bucket)

    def scratch(self, run_id: str) -> Path:
        """A folder on this machine."""
        return self._scratch.scratch(run_id)

    def share(self, run_id: str, number: int) -> None:
        """Move the file into the bucket, in the place of what an earlier attempt left there."""
        key = self._key(run_id, number)
        self._bucket.remove(key)
        with opened(self._scratch.target(run_id, number)) as file, self._bucket.begin(key) as draft:
            shutil.copyfileobj(file, draft.file, _COPY_BYTES)
            draft.publish()
        self._scratch.remove(run_id, number)

    def sync(self, run_id: str) -> None:
        """Do nothing: an object that the bucket confirmed is durable."""

    @contextmanager
    def opened(self, run_id: str, number: int) -> Iterator[Staged]:
        """Read it from the bucket."""
        key = self._key(run_id, number)
        try:
            file = self._bucket.open(key)
        except AbsentError as error:
            raise FileNotFoundError(f"{self}/{key}") from error
        with file:
            yield Staged(file, is_packed=False)

    def remove(self, run_id: str, number: int) -> None:
        """Delete it in the bucket, and here."""
        self._bucket.remove(self._key(run_id, number))
        self._scratch.remove(run_id, number)

    def probe(self) -> str:
        """Try the bucket."""
        return self._bucket.probe()

    def drop(self, run_id: str, is_over: Callable[[int], bool]) -> None:
        """Delete left-overs in the bucket, and here."""
        with suppress(ArchiveError):
            for key in list(self._bucket.list(f"{safe_name(run_id)}/")):
                number = key.rpartition("/")[2]
                if number.isdecimal() and is_over(int(number)):
                    self._bucket.remove(key)
        self._scratch.drop(run_id, is_over)

    def _key(self, run_id: str, number: int) -> str:
        return f"{safe_name(run_id)}/{number}"


def _name(number: int, *, packed: bool = False) -> str:
    return f"{number}.gz" if packed else str(number)


def _explained(path: Path) -> AbstractContextManager[None]:
    """Turn what the disk refuses into a StoreError with its remedy; a file that is gone stays FileNotFoundError."""

    def message(reason: str, error: OSError) -> str:
        remedy = exhausted(path, error) or "check space, permissions and the disk behind RECORDING_ARCHIVE_STAGING_URL"
        return f"Staging {path} cannot be used ({reason}): {remedy}"

    return disk_errors(message, absent=True)

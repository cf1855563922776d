"""Evidence packs for tests: made, unpacked, tampered with, and checked as their receiver would."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from recording_archive.archive import Archive
from recording_archive.catalog.tables import recordings
from recording_archive.evidence.pack import Pack, plan_pack
from recording_archive.evidence.request import Asked
from recording_archive.model import Fetched, MediaFormat, PartId
from recording_archive.store import bgzf, sidecar
from support.contents import ids


def make_pack(archive: Archive, target: Path, **asked: Any) -> Pack:
    """Write a pack of what is asked for, by default of every recording, to the file ``target``."""
    wanted = Asked(**{"reason": "letter of counsel", **(asked or {"ids": tuple(ids(archive))})})
    pack = plan_pack(archive, wanted, "clerk")
    with target.open("wb") as file:
        file.writelines(pack.stream())
    return pack


class _Silence:
    """So many bytes of nothing."""

    def __init__(self, size: int) -> None:
        self.left = size

    def read(self, size: int = -1) -> bytes:
        """Read some of them."""
        size = self.left if size < 0 else min(size, self.left)
        self.left -= size
        return bytes(size)


def add_call(archive: Archive, name: str, size: int) -> None:
    """Archive a silent call of so many bytes, without an event."""
    part, at = PartId(name, name, 0), archive.clock()
    key = sidecar.object_key("default", part, at, "wav")
    with archive.store.begin(key) as draft:
        bgzf.compress(_Silence(size), draft.file)
        draft.seal()
        found = bgzf.read_back(draft.file)
        draft.publish()
    fetched = Fetched(found.sha256, size, size, 1, MediaFormat("wav", "audio/wav"), "host", at, at)
    content = sidecar.compose(
        **{"archive_id": archive.id, "source": "interactions:default", "part": part, "interaction_date": at},
        **{"listing": {}, "fetched": fetched, "compressed": found, "key": key, "expected_sha256": None},
        **{"run_id": "made-up", "archived_at": at},
    )
    archive.store.put(sidecar.beside(key), content)
    with archive.catalog.write() as connection:
        connection.execute(insert(recordings).values(sidecar.to_recording(content, key, "")))


def unpack(file: Path, folder: Path) -> Path:
    """Unpack a pack; return the folder of its bag."""
    with zipfile.ZipFile(file) as opened:
        opened.extractall(folder)
    (bag,) = folder.iterdir()
    return bag


def pack_again(bag: Path, target: Path) -> Path:
    """Make the ZIP of a bag's folder, as a person would."""
    with zipfile.ZipFile(target, "w") as opened:
        for path in sorted(bag.rglob("*")):
            if path.is_file():
                opened.write(path, f"{bag.name}/{path.relative_to(bag).as_posix()}")
    return target


def check(*arguments: object, bag: Path) -> tuple[int, str]:
    """Run the pack's own ``verify.py``, with nothing of ours in reach; return its exit code and output."""
    command = [sys.executable, "-I", "-S", str(bag / "verify.py"), *map(str, arguments)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=bag)
    return ended.returncode, ended.stdout + ended.stderr

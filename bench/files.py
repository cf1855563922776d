"""The files that are compared over: made from nothing but their names, so everybody measures the same bytes."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genesys_sandbox.media import wav

Entry = Mapping[str, Any]
"""A recording in a manifest: ``id``, ``mediaUrl``, ``checksum`` (SHA-256 in hex), ``size`` in bytes."""


def mp3_like(key: str, size_bytes: int) -> Iterator[bytes]:
    """Frames of 128 kbit/s, 44.1 kHz MPEG layer III with noise in them: as incompressible as real ones."""
    chance = random.Random(key)  # noqa: S311  # repeatable, not secret
    for _ in range(size_bytes // 417):
        yield b"\xff\xfb\x90\x64" + chance.randbytes(413)


@dataclass(frozen=True, slots=True)
class FileSet:
    """A number of files between ``low`` and ``high`` bytes, log-uniform, the same ones every time."""

    name: str
    count: int
    low: float
    high: float
    make: Callable[[str, int], Iterable[bytes | memoryview]] = wav
    extension: str = "wav"
    first_byte_s: float = 0.0  # how long the media host lets each request wait

    def make_below(self, folder: Path) -> None:
        """Make the files in a folder of the set's name, unless an earlier run did."""
        place, partial = folder / self.name, folder / f"{self.name}.part"
        if place.is_dir():
            return
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        for n in range(self.count):
            name = f"{self.name}-{n:03}"
            size_bytes = int(self.low * (self.high / self.low) ** (n * 0.618034 % 1))  # golden steps fill evenly
            with (partial / f"{name}.{self.extension}").open("wb") as file:
                file.writelines(self.make(name, size_bytes))
        partial.rename(place)


DEFAULT = (
    FileSet("small", 200, 2e5, 2e6),
    FileSet("medium", 6, 22e6, 28e6),
    FileSet("large", 1, 5e8, 5e8),
    FileSet("mp3-like", 200, 2e5, 2e6, mp3_like, "mp3"),
)
MORE = (
    FileSet("short", 1000, 1e5, 1e5),
    FileSet("slow-40", 40, 2e4, 6e4, first_byte_s=0.1),
    FileSet("slow-300", 300, 2e4, 6e4, first_byte_s=0.1),
    FileSet("tiny", 3, 2e4, 6e4),
)
SETS = {each.name: each for each in (*DEFAULT, *MORE)}


def list_entries(folder: Path, base: str) -> list[Entry]:
    """The manifest of a folder. Hashing all of it also brings it into memory, so that no command finds it cold."""
    return [
        {"id": path.stem, "mediaUrl": f"{base}/{path.name}", "checksum": _sha256(path), "size": path.stat().st_size}
        for path in sorted(folder.iterdir())
    ]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

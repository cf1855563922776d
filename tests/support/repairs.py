"""Recordings to repair, and checks of what a repair left."""

from __future__ import annotations

import json
import subprocess
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

from sqlalchemy import Row

from recording_archive.archive import Archive
from recording_archive.fixity.report import FixityReport
from recording_archive.fixity.verify import verify
from recording_archive.model import PartId
from recording_archive.store import bgzf, sidecar
from support.contents import all_rows, change, details_of, overwrite
from support.fixity_run import document, found, kept

HEADER_TIME = 4  # a byte of the first member's header that no reader of audio looks at


def path_of(archive: Archive, row: Row[Any]) -> Path:
    return archive.settings.root / row.key


def sidecar_of(archive: Archive, row: Row[Any]) -> Path:
    return archive.settings.root / sidecar.beside(row.key)


def check_whole(archive: Archive, ended: FixityReport) -> None:
    """The run succeeded, everything reads well, and anybody's tools agree with the manifest of the first run."""
    assert not ended.failed, ended.problems
    assert all(row.verified_ok for row in all_rows(archive))
    assert [each for each in verify(archive) if each.problem] == []
    assert not [path for path in archive.settings.staging.rglob("*") if path.is_file()]


def check_manifest(archive: Archive) -> None:
    (manifest,) = archive.settings.root.glob("manifests/*/*/manifest-sha256.txt")
    checked = subprocess.run(["sha256sum", "--quiet", "-c", manifest], cwd=archive.settings.root, check=False)
    assert checked.returncode == 0


def check_untouched(archive: Archive, ended: FixityReport, row: Row[Any], why: str) -> None:
    """The run failed by the recording's name and the reason; what lies there is what lay there."""
    assert ended.problems[0] == "1 recordings are damaged and were not repaired"
    assert ended.named[0].startswith(f"{PartId(*row[:3])}: ")
    assert why in ended.named[0]
    (entry,) = document(archive, ended)["findings"]
    assert (entry["interactionId"], entry["outcome"], why in entry["why"]) == (row.interaction_id, "escalated", True)
    assert found(archive, ended.run_id) == {row.interaction_id: "bad"}
    assert kept(archive) == {}
    assert details_of(archive, "repaired") == []


def repack(archive: Archive, row: Row[Any]) -> None:
    """Make the object one that a machine with another deflate wrote: same media, other bytes, all of it consistent."""
    path = path_of(archive, row)
    with path.open("rb") as file:
        media = b"".join(bgzf.media_range(file, 0, row.size_bytes))
    pieces = []
    for start in range(0, len(media), bgzf.MEMBER_BYTES):
        block = media[start : start + bgzf.MEMBER_BYTES]
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        body = packer.compress(block) + packer.flush()
        size = (18 + len(body) + 8 - 1).to_bytes(2, "little")
        trailer = zlib.crc32(block).to_bytes(4, "little") + len(block).to_bytes(4, "little")
        pieces += [bgzf.END_MARKER[:16], size, body, trailer]
    content = b"".join([*pieces, bgzf.END_MARKER])
    overwrite(path, content)
    stored = {"sha256": sha256(content).hexdigest(), "bytes": len(content)}
    told = json.loads(sidecar_of(archive, row).read_bytes())
    told["object"] |= stored
    document = (json.dumps(told, ensure_ascii=False, indent=1) + "\n").encode()
    overwrite(sidecar_of(archive, row), document)
    facts = {"stored_sha256": stored["sha256"], "stored_bytes": stored["bytes"]}
    change(archive, row.interaction_id, **facts, sidecar_sha256=sha256(document).hexdigest())

"""An evidence pack in parts, in a bucket: made, cut off, taken up by another attempt, and fetched."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import requests

from genesys_sandbox import Sandbox
from recording_archive.archive import Archive
from recording_archive.evidence import in_parts
from recording_archive.evidence.pack import Pack
from recording_archive.evidence.request import Asked
from support.contents import ids
from support.in_bucket import filled
from support.live_app import serve
from support.packs import check, unpack
from support.services import Bucket

pytestmark = pytest.mark.cluster


def make(archive: Archive, pack: str, number: int) -> dict[str, Any]:
    """Make a part."""
    return in_parts.make_part(archive, pack, number, Event())


def cut_off(archive: Archive, pack: str, number: int) -> None:
    """Be killed in the middle of a part."""
    stream = Pack.stream

    def cut(pack: Pack) -> Any:
        for place, piece in enumerate(stream(pack)):
            if place == 20:
                raise KeyboardInterrupt
            yield piece

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(Pack, "stream", cut)
        with pytest.raises(KeyboardInterrupt):
            make(archive, pack, number)


def test_a_pack_in_a_bucket_goes_on_where_it_was_cut_off(
    found: Callable[..., Archive], bucket: Bucket, calls: Sandbox, tmp_path: Path
) -> None:
    """Half of a part leaves nothing; one that is there is not made again; each that is fetched checks itself."""
    archive = filled(found(bucket.make(f"packs-{uuid.uuid4().hex[:8]}"), evidence_part_bytes=1), calls)
    asked = Asked("letter of counsel", ids=tuple(ids(archive)), given={"interactionIds": ids(archive)})
    planned = in_parts.plan_parts(archive, asked, "ann", "manual__1")
    assert planned.parts == 4
    first = make(archive, planned.pack, 1)
    cut_off(archive, planned.pack, 2)
    assert archive.store.size(in_parts.key_of(planned.pack, "0002.zip")) is None
    assert in_parts.plan_parts(archive, asked, "ann", "manual__1") == planned
    for number in range(1, 5):
        make(archive, planned.pack, number)
    told = in_parts.finish(archive, planned.pack)
    assert told["parts"][0] == first
    with serve(archive) as address:
        for part in told["parts"]:
            got = requests.get(f"{address}api/evidence/{planned.pack}/parts/{part['number']}", timeout=30)
            assert (got.status_code, sha256(got.content).hexdigest()) == (200, part["sha256"])
            file = tmp_path / part["file"]
            file.write_bytes(got.content)
            code, said = check(bag=unpack(file, tmp_path / str(part["number"])))
            assert (code, said.splitlines()[-1]) == (0, f"Fingerprint: {part['fingerprint']}")

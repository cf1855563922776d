"""The ledger's chain: no byte and no segment changes without showing, whatever events it holds."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examined
from hypothesis import strategies as st

from recording_archive.ledger import chain
from recording_archive.ledger.chain import Head
from recording_archive.store.local import LocalStore
from support.ledger_files import NOW, prove, tampered

EVENT = ("uid", "at", "kind", "interactionId", "recordingId", "part", "runId", "actor", "detail")


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@st.composite
def ledgers(draw: st.DrawFn) -> list[list[dict[str, Any]]]:
    """Segments of events, of any text that JSON can have."""
    event = st.fixed_dictionaries(
        {
            "uid": st.uuids().map(lambda uid: uid.hex),
            "at": st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat),
            "kind": st.sampled_from(["played", "verified", "held"]),
            "interactionId": st.none() | st.text(),
            "recordingId": st.none() | st.text(),
            "part": st.none() | st.integers(0, 9),
            "runId": st.none() | st.text(),
            "actor": st.none() | st.text(),
            "detail": st.dictionaries(st.text(), _VALUES, max_size=3),
        }
    )
    in_order = event.map(lambda told: {name: told[name] for name in EVENT})
    return draw(st.lists(st.lists(in_order, min_size=1, max_size=4), min_size=1, max_size=4))


def write_ledger(root: Path, told: Sequence[Sequence[dict[str, Any]]], old: int = 0) -> str:
    """Write segments as sealing does, the first ``old`` ones as version 1 did; return the head."""
    shutil.rmtree(root, ignore_errors=True)
    store = LocalStore(root)
    store.found("a" * 32, NOW)
    head = Head(0, chain.START)
    for number, segment in enumerate(told, 1):
        version = 1 if number <= old else 2
        header = {"formatVersion": version, "archiveId": "a" * 32, "segment": number, "events": len(segment)}
        moments = {"sealedAt": NOW.isoformat(), "completeUntil": NOW.isoformat()}
        header |= moments
        sealed = chain.segment_lines(header, segment, head.sha256)
        lines = list(chain.chained(head.sha256, [header, *segment]) if number <= old else sealed)
        path = root / chain.segment_key(number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"".join(lines))
        head = Head(number, sha256(lines[-1]).hexdigest())
    return str(head)


@pytest.fixture(scope="session")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ledgers") / "root"


@examined(max_examples=150, deadline=None)
@given(told=ledgers(), data=st.data())
def test_no_change_of_a_byte_escapes_who_has_a_head(scratch: Path, told: Any, data: st.DataObject) -> None:
    """Bytes changed, cut or put in anywhere; without a head only the very last line can be changed unseen."""
    head = write_ledger(scratch, told, old=data.draw(st.integers(0, 2)))
    assert prove(scratch, head) == []
    path = data.draw(st.sampled_from(sorted((scratch / "ledger").iterdir())))
    content = path.read_bytes()
    start = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.integers(start, min(start + 3, len(content))))
    path.write_bytes(content[:start] + data.draw(st.binary(max_size=3)) + content[end:])
    changed = path.read_bytes() != content
    assert bool(tampered(scratch, head)) is changed
    last = start >= content.rstrip(b"\n").rfind(b"\n") and path == max((scratch / "ledger").iterdir())
    assert bool(tampered(scratch)) or not changed or last


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("leaves", b'"leaves":3'),
        ("root", b'"root":"%064d"' % 0),
        ("before", b'"before":"%064d"' % 1),
        ("sealedAt", b'"sealedAt":"2025-01-01T00:00:00+00:00"'),
        ("segment", b'"segment":2'),
    ],
)
def test_a_seal_that_does_not_fit_shows(scratch: Path, old: str, new: bytes) -> None:
    """Also the last line of all, which nothing follows, tells of the lines before it."""
    event = dict.fromkeys(EVENT) | {"uid": "u", "at": NOW.isoformat(), "kind": "played", "detail": {}}
    write_ledger(scratch, [[event, event]])
    path = scratch / chain.segment_key(1)
    *lines, seal = path.read_bytes().splitlines(keepends=True)
    changed = re.sub(rb'"%s":("[^"]*"|\d+)' % old.encode(), new, seal)
    assert changed != seal
    path.write_bytes(b"".join(lines) + changed)
    (flaw,) = prove(scratch)
    assert (flaw.place, f"in {old}:" in flaw.problem) == (f"{chain.segment_key(1)} line 4", True)


@examined(max_examples=50, deadline=None)
@given(told=ledgers(), data=st.data())
def test_no_change_of_a_segment_escapes_who_has_a_head(scratch: Path, told: Any, data: st.DataObject) -> None:
    """A segment that is removed, or told twice, shows; from the middle it shows without a head too."""
    head = write_ledger(scratch, told, old=data.draw(st.integers(0, 2)))
    paths = sorted((scratch / "ledger").iterdir())
    victim = data.draw(st.sampled_from(paths))
    if data.draw(st.booleans()):
        victim.unlink()
        assert bool(tampered(scratch)) is (victim != paths[-1])
    else:
        shutil.copy(victim, scratch / chain.segment_key(len(paths) + 1))
        assert tampered(scratch)
    if victim.exists() or len(paths) > 1:
        assert tampered(scratch, head)

"""Packs in parts: chosen once, each part made once and whole, and taken up after a crash."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from recording_archive.archive import Archive
from recording_archive.errors import ConfigurationError, PermanentError, TransientError
from recording_archive.evidence import in_parts
from recording_archive.evidence.pack import Pack
from recording_archive.evidence.request import Asked
from support.contents import change, events_of, ids
from support.packs import check, unpack

RUN = "manual__2026-11-28"


@pytest.fixture
def small(archived: Archive) -> Archive:
    """An archive whose packs have a recording in each part."""
    return replace(archived, settings=archived.settings.model_copy(update={"evidence_part_bytes": 1}))


def plan(archive: Archive, *more: str) -> in_parts.Planned:
    """Choose every recording."""
    asked = Asked("letter of counsel", ids=(*ids(archive), *more), given={"interactionIds": ids(archive)})
    return in_parts.plan_parts(archive, asked, "ann", RUN)


def make(archive: Archive, planned: in_parts.Planned, number: int) -> dict[str, Any]:
    """Make a part."""
    return in_parts.make_part(archive, planned.pack, number, Event())


def file_of(archive: Archive, planned: in_parts.Planned, number: int) -> Path:
    """The ZIP of a part."""
    return archive.settings.root / f"packs/{planned.pack}/{number:04d}.zip"


def test_each_part_is_a_bag_of_its_own_that_checks_itself(small: Archive, tmp_path: Path) -> None:
    """Together they hold every recording once; each says which part it is; the first names what is not there."""
    planned = plan(small, "nobody-1")
    assert planned.parts == len(ids(small))
    calls = []
    for number in range(1, planned.parts + 1):
        told = make(small, planned, number)
        file = file_of(small, planned, number)
        assert (told["sha256"], told["bytes"]) == (sha256(file.read_bytes()).hexdigest(), file.stat().st_size)
        bag = unpack(file, tmp_path / str(number))
        code, said = check(bag=bag)
        assert (code, said.splitlines()[-1]) == (0, f"Fingerprint: {told['fingerprint']}")
        assert (
            f"Bag-Group-Identifier: {planned.pack}\nBag-Count: {number} of {planned.parts}\n"
            in (bag / "bag-info.txt").read_text()
        )
        calls += [path.stem for path in bag.rglob("*.wav")]
        assert ("nobody-1" in (bag / "data/not-included.csv").read_text()) == (number == 1)
    assert sorted(calls) == ids(small)
    told = in_parts.finish(small, planned.pack)
    assert (told["calls"], told["notIncluded"], told["askedBy"]) == (len(calls), 1, "ann")
    assert told["bytes"] == sum(part["bytes"] for part in told["parts"])
    assert in_parts.finish(small, planned.pack) == told
    assert [event.actor for event in events_of(small, "exported", calls[0])] == ["ann"]


def test_a_killed_run_goes_on_at_the_part_it_had(small: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is not made again, what was cut off leaves nothing, and nothing is offered before the last part."""
    planned = plan(small)
    first = make(small, planned, 1)
    stream = Pack.stream

    def cut(pack: Pack) -> Any:
        for number, piece in enumerate(stream(pack)):
            if number == 20:
                raise KeyboardInterrupt
            yield piece

    monkeypatch.setattr(Pack, "stream", cut)
    with pytest.raises(KeyboardInterrupt):
        make(small, planned, 2)
    assert not file_of(small, planned, 2).exists()
    assert make(small, planned, 1) == first  # it is not even begun: it would be cut off as well
    monkeypatch.undo()
    stop = Event()
    stop.set()
    with pytest.raises(TransientError, match="no other"):
        in_parts.make_part(small, planned.pack, 2, stop)
    with pytest.raises(PermanentError, match=r"Part 2 of .* was not made: clear its task"):
        in_parts.finish(small, planned.pack)
    change(small, ids(small)[0], queue_name="another")
    assert plan(small) == planned
    file_of(small, planned, 2).write_bytes(b"of an attempt that was killed before it told")
    for number in range(2, planned.parts + 1):
        assert zipfile.is_zipfile(file_of(small, planned, make(small, planned, number)["number"]))
    assert in_parts.finish(small, planned.pack)["parts"][0] == first


def test_a_part_that_is_not_what_was_made_is_said(small: Archive) -> None:
    """Nobody gets half of a part: another size than was told stops the run."""
    planned = plan(small)
    make(small, planned, 1)
    file = file_of(small, planned, 1)
    file.chmod(0o640)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(PermanentError, match="is not what was made"):
        make(small, planned, 1)


def test_a_plan_that_broke_off_begins_anew(small: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """What it had chosen is dropped: by then another recording may be there."""
    monkeypatch.setattr(in_parts, "MOST_PARTS", 2)
    with pytest.raises(ConfigurationError, match="More than 2 parts"):
        plan(small)
    assert len(list(small.store.list("packs/"))) == 2
    monkeypatch.undo()
    planned = plan(small)
    listed = [small.store.read(key) for key in small.store.list("packs/") if key.endswith(".todo.json")]
    assert sorted(json.loads(each)["recordings"][0][0] for each in listed) == ids(small)
    assert planned.parts == len(listed)


def test_a_share_has_no_more_calls_than_a_reviewer_opens(archived: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    """The number bounds it as well as the bytes."""
    monkeypatch.setattr(in_parts, "MOST_CALLS", 4)
    assert plan(archived).parts == 2

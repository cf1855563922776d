"""The proof of a ledger: nothing can be changed, removed or added without showing, by the folder alone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as examined
from hypothesis import strategies as st
from sqlalchemy import insert, update

from recording_archive.archive import Archive
from recording_archive.archiving.report import Summary
from recording_archive.catalog.events import record
from recording_archive.catalog.tables import runs
from recording_archive.cli import app
from recording_archive.errors import ConfigurationError, StoreError
from recording_archive.ledger import chain
from recording_archive.ledger.chain import Head, newest
from recording_archive.ledger.proof import Proof
from recording_archive.ledger.sealing import seal
from recording_archive.model import PartId
from recording_archive.settings import Settings, read_settings
from recording_archive.store.base import LocalStore
from support.ledger_files import NOW, documents, in_catalog, path_of, prove, rewrite, tampered, tell

Run = Callable[..., Summary]


@pytest.fixture
def still(archive: Archive) -> Archive:
    """An empty archive at a moment."""
    return replace(archive, clock=lambda: NOW)


Damage = Callable[[Archive], Any]


def edited(archive: Archive) -> None:
    path = path_of(archive, 2)
    rewrite(path, path.read_bytes().replace(b'"carl"', b'"carla"'))


def removed(archive: Archive) -> None:
    lines = path_of(archive, 2).read_bytes().splitlines(keepends=True)
    rewrite(path_of(archive, 2), b"".join(lines[:2] + lines[3:]))


def reordered(archive: Archive) -> None:
    head, first, second, *rest = path_of(archive, 2).read_bytes().splitlines(keepends=True)
    rewrite(path_of(archive, 2), b"".join([head, second, first, *rest]))


def last_line_cut(archive: Archive) -> None:
    lines = path_of(archive, 3).read_bytes().splitlines(keepends=True)
    rewrite(path_of(archive, 3), b"".join(lines[:-1]))


def cut_inside_a_line(archive: Archive) -> None:
    rewrite(path_of(archive, 3), path_of(archive, 3).read_bytes()[:-1])


def emptied(archive: Archive) -> None:
    rewrite(path_of(archive, 2), b"")


def lost(archive: Archive) -> None:
    path_of(archive, 2).unlink()


def swapped(archive: Archive) -> None:
    first, second = path_of(archive, 1).read_bytes(), path_of(archive, 2).read_bytes()
    rewrite(path_of(archive, 1), second)
    rewrite(path_of(archive, 2), first)


def renamed(archive: Archive) -> None:
    path_of(archive, 3).rename(path_of(archive, 4))


def appended(archive: Archive) -> None:
    content = path_of(archive, 3).read_bytes()
    last = content.splitlines(keepends=True)[-1]
    forged = json.loads(last) | {"previous": sha256(last).hexdigest(), "uid": "0" * 32}
    rewrite(path_of(archive, 3), content + json.dumps(forged).encode() + b"\n")


def first_ones_removed(archive: Archive) -> None:
    path_of(archive, 1).unlink()


def stranger_added(archive: Archive) -> None:
    (archive.settings.root / "ledger" / "notes.txt").write_text("")


def of_another_archive(archive: Archive) -> None:
    path = archive.settings.root / "archive.json"
    rewrite(path, path.read_bytes().replace(archive.id.encode(), b"f" * 32))


class TestTampering:
    """Whatever is done to a ledger, its proof names the place."""

    @pytest.fixture
    def three(self, still: Archive) -> Archive:
        """Three segments of four events."""
        for names in ("anna, abel, aida, alma", "bert, carl, cleo, cody", "dora, elsa, emil, enno"):
            tell(still, *names.split(", "))
            seal(still)
        return still

    @pytest.mark.parametrize(
        ("damage", "places"),
        [
            (edited, ["2 line 4"]),
            (removed, ["2 line 3", "2 line 5"]),
            (reordered, ["2 line 2", "2 line 3", "2 line 4"]),
            (last_line_cut, ["3 line 5"]),
            (cut_inside_a_line, ["3 line 5"]),
            (emptied, ["2 line 1", "3 line 1"]),
            (lost, ["2"]),
            (swapped, ["1 line 1", "2 line 1", "3 line 1"]),
            (renamed, ["3", "4 line 1"]),
            (appended, ["3 line 7"]),
            (first_ones_removed, ["1"]),
            (of_another_archive, ["1 line 1", "2 line 1", "3 line 1"]),
        ],
    )
    def test_the_place_is_named(self, three: Archive, damage: Damage, places: list[str]) -> None:
        """The line that does not fit is named, by segment and number, and nothing beside it."""
        assert prove(three.settings.root) == []
        damage(three)
        named = [
            place.removeprefix("ledger/00000000000").replace(".jsonl", "") for place in tampered(three.settings.root)
        ]
        assert named == places

    def test_a_file_of_another_name_is_told(self, three: Archive) -> None:
        """Nothing hides in the ledger's folder."""
        stranger_added(three)
        assert tampered(three.settings.root) == ["ledger/notes.txt"]

    def test_an_end_cut_off_shows_against_a_head(self, three: Archive) -> None:
        """The last segment removed leaves a sound ledger, but not one that has the head that was written down."""
        head = seal(three)
        path_of(three, 3).unlink()
        assert tampered(three.settings.root) == []
        assert tampered(three.settings.root, str(head)) == ["--head"]

    def test_a_new_chain_shows_against_a_head(self, three: Archive) -> None:
        """A ledger written anew, every hash right, is not the one of the head."""
        head = str(seal(three))
        assert prove(three.settings.root, head) == []
        three.catalog.close()
        shutil.rmtree(three.settings.root / "ledger")
        for path in three.settings.root.parent.glob("catalog.db*"):
            path.unlink()
        forger = replace(three, catalog=type(three.catalog)(three.settings.catalog))
        for names in ("anna", "bert", "dora"):
            tell(forger, names)
            seal(forger)
        assert tampered(three.settings.root) == []
        assert tampered(three.settings.root, head) == ["--head"]

    def test_every_head_there_ever_was_is_found(self, three: Archive) -> None:
        """An old one too, with its segment or bare; but not in another place."""
        for number, digest in in_catalog(three).items():
            for written in (digest, digest.upper(), f"{number}:{digest}", f" {number:012d}:{digest}\n"):
                assert prove(three.settings.root, written) == []
            assert tampered(three.settings.root, f"{number % 3 + 1}:{digest}") == ["--head"]
            assert tampered(three.settings.root, f"{number + 3}:{digest}") == ["--head"]
        with pytest.raises(ConfigurationError, match="no head"):
            prove(three.settings.root, "42")

    @pytest.mark.parametrize("line", [b"[" * 100_000 + b"\n", b'{"previous": 1}\n', b"\xff\n", b"null\n", b"\n"])
    def test_no_line_stops_the_proof(self, three: Archive, line: bytes) -> None:
        """Nonsense is named, and what comes after it is read."""
        first, _, *rest = path_of(three, 1).read_bytes().splitlines(keepends=True)
        rewrite(path_of(three, 1), b"".join([first, line, *rest]))
        assert tampered(three.settings.root) == [f"{chain.segment_key(1)} line 2", f"{chain.segment_key(1)} line 3"]


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


def write_ledger(root: Path, told: Sequence[Sequence[dict[str, Any]]]) -> str:
    """Write segments as sealing does; return the head."""
    shutil.rmtree(root, ignore_errors=True)
    store = LocalStore(root)
    store.found("a" * 32, NOW)
    head = Head(0, chain.START)
    for number, segment in enumerate(told, 1):
        header = {"formatVersion": 1, "archiveId": "a" * 32, "segment": number, "events": len(segment)}
        moments = {"sealedAt": NOW.isoformat(), "completeUntil": NOW.isoformat()}
        lines = list(chain.chained(head.sha256, [header | moments, *segment]))
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
    head = write_ledger(scratch, told)
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


@examined(max_examples=50, deadline=None)
@given(told=ledgers(), data=st.data())
def test_no_change_of_a_segment_escapes_who_has_a_head(scratch: Path, told: Any, data: st.DataObject) -> None:
    """A segment that is removed, or told twice, shows; from the middle it shows without a head too."""
    head = write_ledger(scratch, told)
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


class TestDocuments:
    """Every document has its event, with its hash."""

    def test_a_run_leaves_a_proved_archive(self, archived: Archive) -> None:
        """Sidecars, report and manifest are all vouched for."""
        proof = Proof(archived.store, now=datetime.now(UTC))
        assert list(proof.flaws()) == []
        assert proof.documents == 6 + 3 + 1
        assert proof.events == 6 + 6 + 1
        assert proof.head == newest(archived.store)

    @pytest.mark.parametrize(
        ("prefix", "ending"),
        [
            ("recordings/", ".json"),
            ("reports/", ".json"),
            ("reports/", ".csv"),
            ("reports/", ".sha256"),
            ("manifests/", ".txt"),
        ],
    )
    def test_changed_removed_and_renamed(self, archived: Archive, prefix: str, ending: str) -> None:
        """Each is named by its key."""
        root = archived.settings.root
        path = documents(archived, prefix, ending)[0]
        content = path.read_bytes()
        rewrite(path, content.replace(b"1", b"2", 1) + b"\n")
        (flaw,) = prove(root)
        assert (flaw.place, flaw.tampered) == (str(path.relative_to(root)), True)
        assert "was changed" in flaw.problem
        assert f"{chain.segment_key(1)} line" in flaw.problem or f"{chain.segment_key(2)} line" in flaw.problem
        path.rename(path.with_name(f"other{ending}"))
        assert len(tampered(root)) == 2
        path.with_name(f"other{ending}").unlink()
        (flaw,) = prove(root)
        assert (flaw.place, "missing" in flaw.problem) == (str(path.relative_to(root)), True)
        path.write_bytes(content)
        assert prove(root) == []

    def test_an_added_recording_shows(self, archived: Archive) -> None:
        """A sidecar that no run wrote is no recording of this archive, whatever it tells."""
        path = documents(archived, "recordings/", ".json")[0]
        shutil.copy(path, path.with_name("forged~forged~0.json"))
        assert [Path(place).name for place in tampered(archived.settings.root)] == ["forged~forged~0.json"]

    @pytest.mark.parametrize("folder", ["holds", "certificates", "policies", "tombstones/2026"])
    def test_an_added_document_shows(self, archived: Archive, folder: str) -> None:
        """What must outlive the catalog cannot be made up."""
        path = archived.settings.root / folder / "forged.json"
        path.parent.mkdir(parents=True)
        path.write_text(json.dumps({"createdAt": "2026-01-01T00:00:00+00:00"}))
        assert tampered(archived.settings.root) == [f"{folder}/forged.json"]

    def test_a_report_that_was_replaced_shows(self, archived: Archive) -> None:
        """Deleted and written anew, its own checksums right."""
        document, table = documents(archived, "reports/", ".json")[0], documents(archived, "reports/", ".csv")[0]
        rewrite(document, document.read_bytes().replace(b'"failed": 0', b'"failed": 1'))
        sums = "".join(f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in (table, document))
        rewrite(document.with_suffix(".sha256"), sums.encode())
        named = [Path(place).suffix for place in tampered(archived.settings.root)]
        assert named == [".json", ".sha256"]

    def test_a_planted_name_stops_nothing(self, archived: Archive) -> None:
        """A name that no key of ours has is told, and so is a link in the place of a document."""
        root = archived.settings.root
        (root / "holds").mkdir()
        (root / "holds" / "ü \udcff.json").write_text("{}")
        sidecar = documents(archived, "recordings/", ".json")[0]
        sidecar.rename(root.parent / "elsewhere.json")
        sidecar.symlink_to(root.parent / "elsewhere.json")
        assert tampered(root) == ["holds/ü \udcff.json", str(sidecar.relative_to(root))]

    @pytest.mark.parametrize("told", [b"{", b"[" * 100_000, b"[]", b'{"at": 7}', b'{"at": "yesterday"}', b"\xff", b""])
    def test_a_document_that_tells_no_time_shows(self, archived: Archive, told: bytes) -> None:
        """Without a time of its own nothing says that it may yet be sealed."""
        path = archived.settings.root / "holds" / "forged.json"
        path.parent.mkdir()
        path.write_bytes(told)
        assert tampered(archived.settings.root) == ["holds/forged.json"]

    def test_what_is_younger_than_the_last_sealing_may_yet_be_sealed(self, archived: Archive) -> None:
        """It is a warning; but not what comes from the future, nor what was there when the next sealing took place."""
        path = archived.settings.root / "holds" / "new.json"
        path.parent.mkdir()
        for ahead, expected in ((timedelta(minutes=1), False), (timedelta(days=400), True)):
            path.write_text(json.dumps({"createdAt": (datetime.now(UTC) + ahead).isoformat()}))
            (flaw,) = prove(archived.settings.root)
            assert (flaw.place, flaw.tampered) == ("holds/new.json", expected)
        path.write_text(json.dumps({"createdAt": datetime.now(UTC).isoformat()}))
        tell(archived, "ann")
        seal(archived)
        assert tampered(archived.settings.root) == ["holds/new.json"]

    def test_what_a_run_at_work_published_may_yet_be_sealed(self, archived: Archive) -> None:
        """Documents come before their events, so another sealing in between accuses nobody."""
        begun = {"source": "s", "kind": "asked", "started_at": archived.clock()}
        with archived.catalog.write() as connection:
            connection.execute(insert(runs).values(run_id="at work", **begun))
        path = archived.settings.root / "recordings" / "new~new~0.json"
        path.write_text(json.dumps({"archivedAt": archived.clock().isoformat()}))
        policy = archived.settings.root / "policies" / "000001.yaml"
        policy.parent.mkdir()
        policy.write_text("days: 90\n")
        tell(archived, "ann")
        seal(archived)
        assert {flaw.tampered for flaw in prove(archived.settings.root)} == {False}
        with archived.catalog.write() as connection:
            connection.execute(update(runs).values(closed_at=archived.clock()))
        tell(archived, "ann")
        seal(archived)
        assert {flaw.tampered for flaw in prove(archived.settings.root)} == {True}

    def test_what_was_purged_may_be_missing(self, archived: Archive) -> None:
        """By its event, or by its tombstone until that is sealed; another part's purge excuses nothing."""
        path, other = documents(archived, "recordings/", ".json")[:2]
        interaction, recording, part = path.stem.split("~")
        who = PartId(interaction, recording, int(part))
        path.unlink()
        assert tampered(archived.settings.root) == [str(path.relative_to(archived.settings.root))]
        key = f"tombstones/2026/{who}.json"
        told = json.dumps({"deletedAt": archived.clock().isoformat()}).encode()
        archived.store.put(key, told)
        assert [(flaw.place, flaw.tampered) for flaw in prove(archived.settings.root)] == [(key, False)]
        with archived.catalog.write() as connection:
            files = {key: sha256(told).hexdigest()}
            record(connection, "purged", who, at=archived.clock(), detail={"files": files})
        seal(archived)
        assert prove(archived.settings.root) == []
        (archived.settings.root / key).unlink()
        assert tampered(archived.settings.root) == [key]
        other.unlink()
        assert len(tampered(archived.settings.root)) == 2

    def test_the_newest_word_on_a_document_counts(self, archived: Archive) -> None:
        """A sidecar that was mended has an event of that."""
        path = documents(archived, "recordings/", ".json")[0]
        rewrite(path, path.read_bytes() + b"\n")
        with archived.catalog.write() as connection:
            files = {str(path.relative_to(archived.settings.root)): sha256(path.read_bytes()).hexdigest()}
            record(connection, "repaired", None, at=archived.clock(), detail={"files": files})
        seal(archived)
        assert prove(archived.settings.root) == []

    def test_an_end_cut_off_shows_by_the_reports(self, archived: Archive) -> None:
        """A report names the head before it: a ledger without it was cut, even if nobody wrote a head down."""
        path_of(archived, 2).unlink()
        assert tampered(archived.settings.root) == []  # as after a crash before the last sealing
        path_of(archived, 1).unlink()
        (place,) = tampered(archived.settings.root)
        assert place == "ledger/"

    def test_a_rollback_shows_by_the_reports(self, archived: Archive, run: Run) -> None:
        """An old ledger under newer reports."""
        old = (archived.settings.root.parent / "old").resolve()
        shutil.copytree(archived.settings.root / "ledger", old)
        tell(archived, "ann")
        second = run(archived, "scheduled__second")
        shutil.rmtree(archived.settings.root / "ledger")
        old.rename(archived.settings.root / "ledger")
        assert second.report_key in tampered(archived.settings.root)

    def test_an_empty_archive_is_intact(self, archive: Archive) -> None:
        """Without documents there need be no ledger; without an archive there is nothing to prove."""
        assert prove(archive.settings.root) == []
        with pytest.raises(StoreError, match=r"archive\.json"):
            prove(archive.settings.root.parent)


class TestCommand:
    """`verify-ledger` by the folder alone."""

    def call(self, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as ended:
            app.main(["verify-ledger", *arguments])
        return int(ended.value.code or 0), capsys.readouterr().out

    def test_an_intact_archive_ends_with_0(self, archived: Archive, capsys: pytest.CaptureFixture[str]) -> None:
        """What was read is counted, and the head told."""
        head = newest(archived.store)
        code, out = self.call(capsys, str(archived.settings.root))
        assert code == 0
        assert out.splitlines() == [
            "intact: 2 segments, 13 events, 10 documents; 0 documents not sealed yet",
            f"head {head}",
        ]
        code, out = self.call(capsys, str(archived.settings.root), "--head", str(head), "--json")
        assert code == 0
        assert json.loads(out) == {
            "intact": True,
            "head": str(head),
            "segments": 2,
            "events": 13,
            "documents": 10,
            "tamperedCount": 0,
            "warningCount": 0,
            "tampered": [],
            "warnings": [],
        }

    def test_tampering_ends_with_1(self, archived: Archive, capsys: pytest.CaptureFixture[str]) -> None:
        """The place is named in both forms."""
        path = documents(archived, "recordings/", ".json")[0]
        rewrite(path, b"{}")
        key = str(path.relative_to(archived.settings.root))
        code, out = self.call(capsys, str(archived.settings.root))
        assert code == 1
        assert out.startswith(f"tampered: {key}: was changed")
        assert "tampered with in 1 places" in out
        code, out = self.call(capsys, str(archived.settings.root), "--json")
        assert code == 1
        assert [each["place"] for each in json.loads(out)["tampered"]] == [key]
        assert self.call(capsys, str(archived.settings.root), "--head", "0" * 64)[0] == 1

    def test_what_cannot_be_done_ends_with_2(self, archived: Archive, capsys: pytest.CaptureFixture[str]) -> None:
        """No archive there, or no head."""
        assert self.call(capsys, str(archived.settings.root.parent))[0] == 2
        assert self.call(capsys, str(archived.settings.root), "--head", "42")[0] == 2

    def test_the_root_of_the_settings_is_the_default(
        self, archived: Archive, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Where settings name an archive it need not be named again."""
        monkeypatch.setenv("RECORDING_ARCHIVE_URL", str(archived.settings.root))
        read_settings.cache_clear()
        assert self.call(capsys)[0] == 0
        read_settings.cache_clear()

    def test_a_copy_of_the_folder_is_enough(self, archived: Archive, settings: Settings, tmp_path: Path) -> None:
        """Neither Airflow nor the catalog nor settings are read, and nothing slow is imported."""
        copy = tmp_path / "copy"
        shutil.copytree(settings.root, copy)
        assert archived
        code = (
            "import sys\nfrom recording_archive.cli import main\n"
            f"try: main(['verify-ledger', {str(copy)!r}])\nfinally: print(*sys.modules)"
        )
        environment = {"PATH": "/usr/bin:/bin", "RECORDING_ARCHIVE_TIMEZONE": "no such zone"}
        shown = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
        )
        assert shown.stdout.startswith("intact")
        assert not {"airflow", "sqlalchemy", "recording_archive.settings"} & set(shown.stdout.split())
        assert newest(LocalStore(copy)) == newest(archived.store)

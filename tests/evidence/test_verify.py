"""The checkers that travel in a pack: whatever byte of whatever kind of file is changed, each names the file."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from gzip import compress
from hashlib import sha256
from pathlib import Path

import bagit
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from recording_archive.archive import open_archive
from recording_archive.evidence.verify import Checker, Folder, root_of
from recording_archive.store import bgzf
from support.contents import flip, ids
from support.packs import check, make_pack, pack_again, unpack
from support.runner import settings_below
from support.site import add_states

KINDS = {
    "sound": "data/calls/00001/*.wav",
    "object": "data/calls/00001/*.wav.gz",
    "record": "data/calls/00001/*.json",
    "time line": "data/calls/00001/*.timeline.csv",
    "calls": "data/calls.csv",
    "load file": "data/loadfile.dat",
    "load file in XML": "data/loadfile.xml",
    "not included": "data/not-included.csv",
    "certificate": "data/not-included/*.certificate.json",
    "listeners": "data/listeners.csv",
    "coverage": "data/coverage.csv",
    "stretches": "data/covered-stretches.csv",
    "request": "data/request.json",
    "events": "data/ledger/events.jsonl",
    "seals": "data/ledger/seals.jsonl",
    "heads": "data/ledger/heads.csv",
    "manifest": "manifest-sha256.txt",
    "declaration": "bagit.txt",
    "about": "bag-info.txt",
    "read me": "README.txt",
    "page": "verify.html",
    "program": "verify.py",
}
"""A file of each kind that a pack has, but for the tag manifest, whose hash is the fingerprint."""


TAG_MANIFEST = "tagmanifest-sha256.txt"


@pytest.fixture(scope="module")
def sound(archived_once: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked pack of two calls, one in quarantine, one purged, and one that was never listed."""
    folder = tmp_path_factory.mktemp("pack")
    shutil.copytree(archived_once, folder / "world")
    archive = open_archive(settings_below(folder / "world"))
    add_states(archive)
    calls = [name for name in ids(archive) if not name.endswith("-1")][:2]
    make_pack(archive, folder / "pack.zip", ids=(*calls, "quarantined-1", "purged-1", "nobody"))
    archive.catalog.close()
    return unpack(folder / "pack.zip", folder / "unpacked")


@pytest.fixture
def bag(sound: Path, tmp_path: Path) -> Path:
    """A copy of it to change."""
    return Path(shutil.copytree(sound, tmp_path / sound.name))


def of_kind(bag: Path, kind: str) -> str:
    """The name of a file of that kind."""
    return sorted(path.relative_to(bag).as_posix() for path in bag.glob(KINDS[kind]))[0]


def tamper(bag: Path, kind: str) -> str:
    """Turn a bit in the middle of a file of that kind; return its name."""
    name = of_kind(bag, kind)
    content = (bag / name).read_bytes()
    (bag / name).write_bytes(flip(len(content) // 2)(content))
    return name


def test_every_file_is_of_a_kind_that_is_tampered_with(sound: Path) -> None:
    """No kind of file is forgotten below."""
    known = {path for pattern in KINDS.values() for path in sound.glob(pattern)}
    alike = re.compile(r"data/(calls/\d{5}/|not-included/)")
    rest = {path.relative_to(sound).as_posix() for path in sound.rglob("*") if path.is_file() and path not in known}
    assert {name for name in rest if not alike.match(name)} == {TAG_MANIFEST}


def test_an_untouched_pack_agrees(sound: Path, tmp_path: Path) -> None:
    """As a folder and as a ZIP, for the program and a tool of others; the fingerprint is the tag manifest's hash."""
    fingerprint = sha256((sound / TAG_MANIFEST).read_bytes()).hexdigest()
    for asked in ((), (pack_again(sound, tmp_path / "again.zip"),)):
        code, told = check(*asked, bag=sound)
        assert (code, told.splitlines()[-1]) == (0, f"Fingerprint: {fingerprint}")
        assert told.startswith("All agrees: ")
        assert ", 2 calls, " in told
    bagit.Bag(str(sound)).validate()


@pytest.mark.parametrize("kind", KINDS)
def test_a_changed_byte_is_named(sound: Path, bag: Path, kind: str) -> None:
    """By the program, and by a tool for bags that knows nothing of this archive."""
    name = tamper(bag, kind)
    code, told = check(bag, bag=sound)
    assert code == 1
    assert f"BAD  {name}: " in told
    with pytest.raises(bagit.BagError) as refused:
        bagit.Bag(str(bag)).validate()
    assert name in str(refused.value) or kind in {"declaration", "manifest"}  # which it finds out by what they say


@given(st.data())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_changed_byte_is_named_and_breaks_no_checker(sound: Path, data: st.DataObject) -> None:
    """Wherever it is in whichever file: the checker goes on to its end, and the file is among what it names."""
    names = sorted(path for path in sound.rglob("*") if path.is_file() and path.name != TAG_MANIFEST)
    path = data.draw(st.sampled_from(names), label="file")
    content = path.read_bytes()
    assume(content)
    place, bit = data.draw(st.integers(0, len(content) - 1), label="place"), data.draw(st.integers(0, 7), label="bit")
    try:
        path.write_bytes(flip(place, bit)(content))
        checker = Checker(Folder(sound))
        checker.run()
    finally:
        path.write_bytes(content)
    assert path.relative_to(sound).as_posix() in dict(checker.problems)


def test_a_changed_tag_manifest_changes_the_fingerprint(sound: Path, bag: Path) -> None:
    """Its own hash stands for all of the pack; a changed line of it names the file that it no longer fits."""
    (bag / TAG_MANIFEST).write_bytes(flip(0)((bag / TAG_MANIFEST).read_bytes()))
    code, told = check(bag, bag=sound)
    assert code == 1
    assert "BAD  README.txt: " in told
    assert told.splitlines()[-1] != check(bag=sound)[1].splitlines()[-1]


def test_what_was_taken_away_or_added_is_named(sound: Path, bag: Path) -> None:
    """Missing files by the manifest, foreign ones by the lack of it."""
    lost = of_kind(bag, "sound")
    (bag / lost).unlink()
    (bag / "data" / "calls" / "planted.wav").write_bytes(b"RIFF")
    code, told = check(bag, bag=sound)
    assert code == 1
    assert f"BAD  {lost}: it is missing" in told
    assert "BAD  data/calls/planted.wav: no manifest lists it" in told


def forge(bag: Path) -> str:
    """Replace a call with another sound, and make record, table and manifests anew; return the record's name."""
    names = {kind: of_kind(bag, kind) for kind in ("sound", "object", "record", "calls")}
    media = b"RIFF another call"
    (bag / names["sound"]).write_bytes(media)
    (bag / names["object"]).write_bytes(compress(media))
    hashes = {kind: sha256((bag / names[kind]).read_bytes()).hexdigest() for kind in ("sound", "object")}
    record = json.loads((bag / names["record"]).read_text())
    record["media"] |= {"sha256": hashes["sound"], "bytes": len(media)}
    record["object"]["sha256"] = hashes["object"]
    (bag / names["record"]).write_text(json.dumps(record))
    hashes["record"] = sha256((bag / names["record"]).read_bytes()).hexdigest()
    rows = list(csv.DictReader(io.StringIO((bag / names["calls"]).read_text())))
    columns = zip(("audioSha256", "storedSha256", "sidecarSha256"), ("sound", "object", "record"), strict=True)
    rows[0] |= {column: hashes[kind] for column, kind in columns}
    with (bag / names["calls"]).open("w", newline="") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows(rows)
    bagit.Bag(str(bag)).save(manifests=True)
    return names["record"]


def test_a_forger_who_makes_every_hash_anew_is_found_by_the_ledger(sound: Path, bag: Path) -> None:
    """A bag that agrees with itself still has a record that no sealed event vouches for."""
    name = forge(bag)
    bagit.Bag(str(bag)).validate()
    code, told = check(bag, bag=sound)
    assert code == 1
    assert f"BAD  {name}: it is not the record that the ledger vouches for" in told


@pytest.mark.parametrize("how", ["event", "seal", "head"])
def test_a_forged_event_does_not_lead_to_its_seal(sound: Path, bag: Path, how: str) -> None:
    """Who also forges the event needs another root, then another seal, then another head; each lie is named."""
    record = forge(bag)
    before, after = (sha256((each / record).read_bytes()).hexdigest() for each in (sound, bag))
    events, seals, heads = (bag / "data/ledger" / name for name in ("events.jsonl", "seals.jsonl", "heads.csv"))
    events.write_text(events.read_text().replace(before, after))
    code, told = check(bag, bag=sound)
    assert (code, "BAD  data/ledger/events.jsonl: line " in told) == (1, True)
    if how != "event":
        items = [json.loads(line) for line in events.read_text().splitlines()]
        forged = next(item for item in items if after in item["line"])
        old = json.loads(seals.read_text().splitlines()[0])
        root = root_of(forged["line"].encode(), forged)
        new = json.dumps({**old, "seal": json.dumps({**json.loads(old["seal"]), "root": root}) + "\n"})
        seals.write_text(seals.read_text().replace(seals.read_text().splitlines()[0], new))
        code, told = check(bag, bag=sound)
        assert (code, "BAD  data/ledger/seals.jsonl: line 1 is not the head of segment 1" in told) == (1, True)
    if how == "head":
        digests = [sha256(json.loads(seals.read_text().splitlines()[0])["seal"].encode()).hexdigest()]
        digests.append(sha256(old["seal"].encode()).hexdigest())
        heads.write_text(heads.read_text().replace(*digests[::-1]))
        bagit.Bag(str(bag)).save(manifests=True)
        assert "line 1 is not the head" not in check(bag, bag=sound)[1]
        assert check(bag, bag=sound)[0] == 1  # the other events of the segment do not lead there


def test_the_commands_of_the_read_me_need_neither(sound: Path) -> None:
    """The three of them, as they stand there, say OK, and print the hash that the record has."""
    commands = re.findall(r"^    ((?:sha256sum|gunzip) .*)$", (sound / "README.txt").read_text(), re.MULTILINE)
    assert len(commands) == 3
    told = [
        subprocess.run(each, shell=True, cwd=sound, check=True, capture_output=True, text=True).stdout  # noqa: S602
        for each in commands
    ]
    assert all(line.endswith(": OK") for line in (told[0] + told[1]).splitlines())
    record = json.loads((sound / of_kind(sound, "record")).read_text())
    assert told[2].split()[0] == record["media"]["sha256"]


@pytest.mark.parametrize("what", ["nothing", "no ZIP", "no pack"])
def test_what_is_no_pack_is_said(sound: Path, tmp_path: Path, what: str) -> None:
    """Exit code 2, and one line that names it."""
    place = tmp_path / "place"
    if what == "no ZIP":
        place.write_text("hello")
    if what == "no pack":
        place.mkdir()
    code, told = check(place, bag=sound)
    assert (code, len(told.splitlines())) == (2, 1)
    assert str(place) in told


@pytest.fixture(scope="module")
def look(sound: Path) -> Iterator[Callable[..., tuple[str, list[str]]]]:
    """``look(file)`` opens a pack in the pack's own page, in a browser without a network; verdict and problems."""
    from support.browser import chromium  # noqa: PLC0415 - where there is no browser there is no playwright

    with chromium() as browser:
        page, complaints = browser.new_context(offline=True).new_page(), list[str]()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)

        def look(file: Path, *, hashing: str = "") -> tuple[str, list[str]]:
            if not page.url.endswith(f"verify.html{hashing}"):
                page.goto("about:blank")
                page.goto(f"{(sound / 'verify.html').as_uri()}{hashing}")
            page.set_input_files("#folder" if file.is_dir() else "#zip", str(file))
            page.wait_for_selector("body[data-done=yes]", timeout=60_000)
            found = str(page.inner_text("#verdict")), page.locator("#problems li").all_inner_texts()
            assert complaints == []
            return found

        yield look


@pytest.mark.browser
@pytest.mark.parametrize("hashing", ["", "#js"])
def test_the_page_finds_that_all_agrees(
    sound: Path, tmp_path: Path, look: Callable[..., tuple[str, list[str]]], hashing: str
) -> None:
    """Offline, from the ZIP as from the folder, with the browser's own hashing as with the page's."""
    original = sound.parents[1] / "pack.zip"
    for file in (original, pack_again(sound, tmp_path / "again.zip"), sound):
        verdict, problems = look(file, hashing=hashing)
        assert (verdict.startswith("All agrees: "), problems) == (True, [])
        assert "2 calls" in verdict


@pytest.mark.browser
def test_the_page_names_every_changed_byte(
    sound: Path, tmp_path: Path, look: Callable[..., tuple[str, list[str]]]
) -> None:
    """A changed byte in any kind of file turns the verdict red, and the file's name is in it."""
    for number, kind in enumerate(KINDS):
        bag = Path(shutil.copytree(sound, tmp_path / str(number) / sound.name))
        name = tamper(bag, kind)
        verdict, problems = look(pack_again(bag, tmp_path / f"{number}.zip"))
        assert verdict.startswith("Not what was handed out"), kind
        assert any(each.startswith(f"{name}: ") for each in problems), kind


def with_another_sound_inside(bag: Path) -> str:
    """Let an object hold another sound than is played, and make everything around it anew; return its name."""
    names = {kind: of_kind(bag, kind) for kind in ("object", "record", "calls")}
    before = {kind: sha256((bag / names[kind]).read_bytes()).hexdigest() for kind in ("object", "record")}
    with (bag / names["object"]).open("wb") as file:
        bgzf.compress(io.BytesIO(b"RIFF another call" * 9000), file)  # in several members
    changed = {before["object"]: sha256((bag / names["object"]).read_bytes()).hexdigest()}
    record = (bag / names["record"]).read_text().replace(*next(iter(changed.items())))
    (bag / names["record"]).write_text(record)
    changed[before["record"]] = sha256(record.encode()).hexdigest()
    table = (bag / names["calls"]).read_bytes()
    for old, new in changed.items():
        table = table.replace(old.encode(), new.encode())
    (bag / names["calls"]).write_bytes(table)
    bagit.Bag(str(bag)).save(manifests=True)
    return names["object"]


@pytest.mark.browser
def test_the_page_plays_and_checks_the_same_sound(
    sound: Path, bag: Path, tmp_path: Path, look: Callable[..., tuple[str, list[str]]]
) -> None:
    """It reads every member of the object, as the program does: a sound that differs inside is named by both."""
    name = with_another_sound_inside(bag)
    assert f"BAD  {name}: the sound inside it is another" in check(bag, bag=sound)[1]
    for file in (bag, pack_again(bag, tmp_path / "inside.zip")):
        assert any(f"{name}: the sound inside it is another" in each for each in look(file)[1])
    (bag / name).write_bytes((bag / name).read_bytes()[:-5])
    assert any(each.startswith(f"{name}: ") and "cannot be read" in each for each in look(bag)[1])


@pytest.mark.browser
def test_the_page_finds_a_forger_too(bag: Path, tmp_path: Path, look: Callable[..., tuple[str, list[str]]]) -> None:
    """A bag that agrees with itself, and not with the ledger; and one that was cut."""
    name = forge(bag)
    file = pack_again(bag, tmp_path / "forged.zip")
    assert f"{name}: it is not the record that the ledger vouches for" in look(file)[1]
    (tmp_path / "cut.zip").write_bytes(file.read_bytes()[:-100])
    assert look(tmp_path / "cut.zip")[0].startswith("It cannot be checked: ")

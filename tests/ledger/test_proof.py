"""The proof of a ledger: whatever is done to its segments, the place is named."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from recording_archive.archive import Archive
from recording_archive.errors import ConfigurationError
from recording_archive.ledger import chain
from recording_archive.ledger.sealing import seal
from support.contents import overwrite
from support.ledger_files import in_catalog, path_of, prove, tampered, tell

Damage = Callable[[Archive], Any]


def edited(archive: Archive) -> None:
    path = path_of(archive, 2)
    overwrite(path, path.read_bytes().replace(b'"carl"', b'"carla"'))


def removed(archive: Archive) -> None:
    lines = path_of(archive, 2).read_bytes().splitlines(keepends=True)
    overwrite(path_of(archive, 2), b"".join(lines[:2] + lines[3:]))


def reordered(archive: Archive) -> None:
    head, first, second, *rest = path_of(archive, 2).read_bytes().splitlines(keepends=True)
    overwrite(path_of(archive, 2), b"".join([head, second, first, *rest]))


def last_line_cut(archive: Archive) -> None:
    lines = path_of(archive, 3).read_bytes().splitlines(keepends=True)
    overwrite(path_of(archive, 3), b"".join(lines[:-1]))


def cut_inside_a_line(archive: Archive) -> None:
    overwrite(path_of(archive, 3), path_of(archive, 3).read_bytes()[:-1])


def emptied(archive: Archive) -> None:
    overwrite(path_of(archive, 2), b"")


def lost(archive: Archive) -> None:
    path_of(archive, 2).unlink()


def swapped(archive: Archive) -> None:
    first, second = path_of(archive, 1).read_bytes(), path_of(archive, 2).read_bytes()
    overwrite(path_of(archive, 1), second)
    overwrite(path_of(archive, 2), first)


def renamed(archive: Archive) -> None:
    path_of(archive, 3).rename(path_of(archive, 4))


def appended(archive: Archive) -> None:
    content = path_of(archive, 3).read_bytes()
    *_, event, last = content.splitlines(keepends=True)
    forged = json.loads(event) | {"previous": sha256(last).hexdigest(), "uid": "0" * 32}
    overwrite(path_of(archive, 3), content + json.dumps(forged).encode() + b"\n")


def sealed_twice(archive: Archive) -> None:
    content = path_of(archive, 3).read_bytes()
    last = content.splitlines(keepends=True)[-1]
    overwrite(path_of(archive, 3), content + b"".join(chain.chained(sha256(last).hexdigest(), [_bare(last)])))


def event_and_seal_cut(archive: Archive) -> None:
    lines = path_of(archive, 3).read_bytes().splitlines(keepends=True)
    again = chain.chained(sha256(lines[-3]).hexdigest(), [_bare(lines[-1])])
    overwrite(path_of(archive, 3), b"".join([*lines[:-2], *again]))


def _bare(line: bytes) -> dict[str, Any]:
    return {name: value for name, value in json.loads(line).items() if name != "previous"}


def first_ones_removed(archive: Archive) -> None:
    path_of(archive, 1).unlink()


def stranger_added(archive: Archive) -> None:
    (archive.settings.root / "ledger" / "notes.txt").write_text("")


def of_another_archive(archive: Archive) -> None:
    path = archive.settings.root / "archive.json"
    overwrite(path, path.read_bytes().replace(archive.id.encode(), b"f" * 32))


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
            (removed, ["2 line 3", "2 line 6"]),
            (reordered, ["2 line 2", "2 line 3", "2 line 4"]),
            (last_line_cut, ["3 line 6"]),
            (cut_inside_a_line, ["3 line 6", "3 line 7"]),
            (emptied, ["2 line 1", "3 line 1"]),
            (lost, ["2"]),
            (swapped, ["1 line 1", "2 line 1", "3 line 1"]),
            (renamed, ["3", "4 line 1"]),
            (appended, ["3 line 7"]),
            (sealed_twice, ["3 line 7"]),
            (event_and_seal_cut, ["3 line 5", "3 line 6"]),
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
        overwrite(path_of(three, 1), b"".join([first, line, *rest]))
        assert tampered(three.settings.root) == [f"{chain.segment_key(1)} line 2", f"{chain.segment_key(1)} line 3"]

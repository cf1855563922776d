"""Check an evidence pack with the standard library alone: ``python3 verify.py [FOLDER or ZIP]``.

Every file is compared with the manifests; every call with its record, and the record with the ledger; every event of
the time lines with its line there; every line with its segment's seal, by a path of hashes (RFC 9162), or with the line
before it where the whole segment is here; every seal with the list of heads. Exit code 0 when all agrees, 1 when
something does not, which is named; 2 when there is no pack to check.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import re
import sys
import zipfile
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

MANIFEST, TAG_MANIFEST = "manifest-sha256.txt", "tagmanifest-sha256.txt"
PIECE = 2**20


class Folder:
    """A pack that was unpacked."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def names(self) -> list[str]:
        """Return the names of all files."""
        return sorted(path.relative_to(self.root).as_posix() for path in self.root.rglob("*") if not path.is_dir())

    def open(self, name: str) -> IO[bytes]:
        """Open a file."""
        return (self.root / name).open("rb")


class Zip:
    """A pack as it was handed over; its files lie in one folder."""

    def __init__(self, path: Path) -> None:
        self.zip = zipfile.ZipFile(path)
        self.top = next((each.partition("/")[0] for each in self.zip.namelist()), "") + "/"

    def names(self) -> list[str]:
        """Return the names of all files; one outside the folder keeps its whole name."""
        return sorted(self._inner(name) for name in self.zip.namelist() if not name.endswith("/"))

    def open(self, name: str) -> IO[bytes]:
        """Open a file."""
        return self.zip.open(self.top + name)

    def _inner(self, name: str) -> str:
        return name[len(self.top) :] if name.startswith(self.top) else "/" + name


class Checker:
    """All checks of one pack; ``problems`` has what they found."""

    def __init__(self, pack: Any) -> None:
        self.pack = pack
        self.problems: list[tuple[str, str]] = []  # names of files, and what is wrong with them
        self.files = self.calls = self.lines = 0
        self.names = pack.names()
        self.hashes: dict[str, str] = {}  # of files as they are
        self.events: dict[str, dict[str, Any]] = {}  # lines of the ledger by uid

    def run(self) -> None:
        """Check everything."""
        self.check_manifests()
        for row in self.table("data/calls.csv"):
            self.calls += 1
            self.check_sound(row)
        for name in self.names:
            if re.fullmatch(r"data/ledger/\d{12}\.jsonl", name):
                self.check_segment(name)
        self.check_heads()
        self.check_paths(self.check_seals())
        for row in self.table("data/calls.csv"):
            self.check_custody(row)

    def check_manifests(self) -> None:
        """Compare every file with the manifests, and the manifests with the files."""
        listed = {TAG_MANIFEST: ""}
        for manifest in (TAG_MANIFEST, MANIFEST):
            for line in self.text(manifest).splitlines():
                digest, _, name = line.partition("  ")
                listed[name] = digest
        for name in self.names:
            self.files += 1
            self.hashes[name] = found = self.digest(name)
            if name not in listed:
                self.report(name, "no manifest lists it: it was added")
            elif name != TAG_MANIFEST and found != listed[name]:
                self.report(name, f"it was changed: its SHA-256 is {found}, the manifest has {listed[name]}")
        for name in listed:
            if name not in self.names:
                self.report(name, "it is missing")

    def check_sound(self, row: dict[str, str]) -> None:
        """Compare the sound and the object of a call with its record, and the one with the other."""
        audio, stored, name = (f"data/{row[each]}" for each in ("audioFile", "storedFile", "sidecarFile"))
        record = self.document(name)
        if record is None:
            return
        media = self.inside(record, "media", "sha256")
        if self.hashes.get(audio) != media or row["audioSha256"] != media:
            self.report(audio, f"it is not what its record {name} and calls.csv tell")
        stored_hash = self.inside(record, "object", "sha256")
        if self.hashes.get(stored) != stored_hash or row["storedSha256"] != stored_hash:
            self.report(stored, f"it is not what its record {name} and calls.csv tell")
        if self.hashes.get(name) != row["sidecarSha256"]:
            self.report(name, "it is not the record that calls.csv names")
        if stored in self.hashes and self.inflated(stored) != media:
            self.report(stored, "the sound inside it is another")

    def check_segment(self, name: str) -> None:
        """Check that each line follows the one before, and that there are as many as the first one says."""
        previous, count, events, claimed = "", 0, 0, 0
        with self.pack.open(name) as file:
            for raw in file:
                line = self.parse(raw)
                if line is None or (count and line.get("previous") != previous):
                    self.report(name, f"line {count + 1} does not follow the one before it, or cannot be read")
                    return
                if not count:
                    claimed = line.get("events", -1)
                elif "uid" in line:
                    self.events[str(line["uid"])] = line
                    events += 1
                previous, count = hashlib.sha256(raw).hexdigest(), count + 1
        self.lines += count
        if events != claimed:
            self.report(name, f"it holds {events} events and declares {claimed}")

    def check_heads(self) -> None:
        """Compare the last line of each segment here with the list of heads."""
        heads = {row["segment"]: row["sha256"] for row in self.table("data/ledger/heads.csv", required=False)}
        for name in self.names:
            match = re.fullmatch(r"data/ledger/(\d{12})\.jsonl", name)
            if match and heads.get(str(int(match[1]))) != self.last_line(name):
                self.report(name, "its last line is not the head that data/ledger/heads.csv has")

    def check_seals(self) -> dict[int, dict[str, Any]]:
        """Compare each seal with the list of heads, and with the seal before it; return them by segment."""
        heads = {row["segment"]: row["sha256"] for row in self.table("data/ledger/heads.csv", required=False)}
        seals: dict[int, dict[str, Any]] = {}
        hashes: dict[int, str] = {}
        for number, item in self.items("data/ledger/seals.jsonl"):
            raw = str(item.get("seal")).encode("utf-8", "surrogatepass")
            seal, segment = self.parse(raw), item.get("segment")
            if seal is None or not isinstance(segment, int) or seal.get("segment") != segment:
                self.report("data/ledger/seals.jsonl", f"line {number} cannot be read")
                continue
            seals[segment], hashes[segment] = seal, hashlib.sha256(raw).hexdigest()
            if heads.get(str(segment)) != hashes[segment]:
                self.report("data/ledger/seals.jsonl", f"line {number} is not the head of segment {segment}")
        for segment, seal in seals.items():
            if hashes.get(segment - 1, seal.get("before")) != seal.get("before"):
                self.report(
                    "data/ledger/seals.jsonl", f"the seal of segment {segment} does not follow the one before it"
                )
        return seals

    def check_paths(self, seals: dict[int, dict[str, Any]]) -> None:
        """Check that each event leads to the root in the seal of its segment."""
        name = "data/ledger/events.jsonl"
        for number, item in self.items(name):
            segment, raw = item.get("segment"), str(item.get("line")).encode("utf-8", "surrogatepass")
            seal = seals.get(segment, {}) if isinstance(segment, int) else {}
            line = self.parse(raw)
            if line is None or seal.get("leaves") != item.get("leaves") or seal.get("root") != root_of(raw, item):
                self.report(name, f"line {number} does not lead to the seal of its segment")
            else:
                self.events[str(line.get("uid"))] = line
                self.lines += 1

    def items(self, name: str) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read a file with a JSON document in each line; what is none is told."""
        for number, text in enumerate(self.text(name).splitlines(), start=1):
            item = self.parse(text.encode("utf-8", "surrogatepass"))
            if item is None:
                self.report(name, f"line {number} cannot be read")
            else:
                yield number, item

    def check_custody(self, row: dict[str, str]) -> None:
        """Compare a call's time line with the ledger, and its record with the event that vouches for it."""
        name, vouched = f"data/{row['timelineFile']}", ""
        for event in self.table(name):
            line = self.events.get(event["uid"])
            if event["segment"] and (line is None or not same_event(event, line, row)):
                self.report(name, f"the ledger does not have the event {event['kind']} of {event['at']} as it is told")
            detail = (line or {}).get("detail", {})
            vouched = detail.get("sidecar_sha256", vouched) if isinstance(detail, dict) else vouched
        if vouched and vouched != row["sidecarSha256"]:
            self.report(f"data/{row['sidecarFile']}", "it is not the record that the ledger vouches for")

    def report(self, name: str, what: str) -> None:
        """Note a problem."""
        self.problems.append((name, what))

    def digest(self, name: str) -> str:
        """Hash a file; what cannot be read has no hash, and is told."""
        try:
            with self.pack.open(name) as file:
                return hash_of(iter(lambda: file.read(PIECE), b""))
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            return f"not known ({error})"

    def inflated(self, name: str) -> str:
        """Hash what is inside a gzip file."""
        try:
            with self.pack.open(name) as file, gzip.GzipFile(fileobj=file) as inside:
                return hash_of(iter(lambda: inside.read(PIECE), b""))
        except (OSError, EOFError, zlib.error, zipfile.BadZipFile):
            return ""

    def last_line(self, name: str) -> str:
        """Hash the last line of a file."""
        line = b""
        with self.pack.open(name) as file:
            for each in file:
                line = each
        return hashlib.sha256(line).hexdigest()

    def text(self, name: str) -> str:
        """Read a small file; an empty text where it cannot be read."""
        try:
            with self.pack.open(name) as file:
                return str(file.read().decode("utf-8", "replace"))
        except (OSError, KeyError, zipfile.BadZipFile):
            return ""

    def document(self, name: str) -> dict[str, Any] | None:
        """Read a JSON document; None where it is none, which is told."""
        found = self.parse(self.text(name).encode())
        if found is None:
            self.report(name, "it cannot be read")
        return found

    def table(self, name: str, *, required: bool = True) -> Iterator[dict[str, str]]:
        """Read the rows of a table; columns that are not there are empty."""
        text = self.text(name)
        if not text and required and name in self.names:
            self.report(name, "it cannot be read")
        for row in csv.DictReader(io.StringIO(text, newline="")):
            cells = {key: unguarded(value or "") for key, value in row.items() if isinstance(key, str)}
            yield defaultdict(str, cells)

    @staticmethod
    def parse(raw: bytes) -> dict[str, Any] | None:
        """Read a JSON object; None for anything else."""
        try:
            found = json.loads(raw.decode())
        except (ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    @staticmethod
    def inside(document: dict[str, Any], *names: str) -> Any:
        """Return a value inside a document; None where it has none."""
        found: Any = document
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return found


def same_event(event: dict[str, str], line: dict[str, Any], call: dict[str, str]) -> bool:
    """Tell if a row of a time line is the ledger's line, and about this call."""
    expected: dict[str, Any] = {"at": event["at"], "kind": event["kind"]}
    expected.update({"actor": event["actor"] or None, "runId": event["runId"] or None})
    expected.update({name: call[name] for name in ("interactionId", "recordingId")})
    same = all(line.get(name) == value for name, value in expected.items()) and str(line.get("part")) == call["part"]
    return same and line.get("detail") == parsed(event["detail"])


def root_of(raw: bytes, item: dict[str, Any]) -> str | None:
    """Compute the root of a tree from a leaf and its path (RFC 9162, 2.1.3.2); None when the path cannot be one."""
    leaf, leaves, path = item.get("leaf"), item.get("leaves"), item.get("path")
    if not (isinstance(leaf, int) and isinstance(leaves, int) and isinstance(path, list) and 0 <= leaf < leaves):
        return None
    first, last, found = leaf, leaves - 1, hashlib.sha256(b"\0" + raw).digest()
    for text in path:
        other = bytes.fromhex(text) if re.fullmatch("[0-9a-f]{64}", str(text)) else b""
        if last == 0 or not other:
            return None
        if first & 1 or first == last:
            found = hashlib.sha256(b"\1" + other + found).digest()
            while not first & 1 and first:
                first, last = first >> 1, last >> 1
        else:
            found = hashlib.sha256(b"\1" + found + other).digest()
        first, last = first >> 1, last >> 1
    return found.hex() if last == 0 else None


def parsed(text: str) -> Any:
    """Read JSON; the text itself where it is none."""
    try:
        return json.loads(text)
    except ValueError:
        return text


def unguarded(cell: str) -> str:
    """Return a cell without the apostrophe that keeps spreadsheets from taking it for a formula."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").startswith(("=", "+", "-", "@", "\t", "\r")) else cell


def hash_of(pieces: Iterable[bytes]) -> str:
    """Hash some bytes with SHA-256."""
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.hexdigest()


def main(arguments: list[str]) -> int:
    """Check a pack, by default the folder of this file, and print what was found."""
    path = Path(arguments[0]) if arguments else Path(__file__).resolve().parent
    try:
        pack = Folder(path) if path.is_dir() else Zip(path)
        checker = Checker(pack)
    except (OSError, zipfile.BadZipFile) as error:
        print(f"There is no pack to check at {path}: {error}")  # noqa: T201
        return 2
    if MANIFEST not in checker.names and TAG_MANIFEST not in checker.names:
        print(f"There is no pack to check at {path}: it has no manifests")  # noqa: T201
        return 2
    checker.run()
    for name, what in checker.problems:
        print(f"BAD  {name}: {what}")  # noqa: T201
    counted = f"{checker.files} files, {checker.calls} calls, {checker.lines} lines of the ledger"
    print(("NOT WHAT WAS HANDED OUT" if checker.problems else "All agrees") + ": " + counted)  # noqa: T201
    print(f"Fingerprint: {checker.hashes.get(TAG_MANIFEST, 'none')}")  # noqa: T201
    return 1 if checker.problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

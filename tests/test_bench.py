"""The benchmark's own behaviour, never its figures: it archives what a manifest names, and notices what goes wrong."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from support.runner import DAY, Runner

REPOSITORY = Path(__file__).parent.parent
RIGHT = "cp {files}/bench-files/tiny/* {out} && gzip {out}/*"  # what a rival without a network does


@pytest.fixture
def entries(run: Runner) -> list[dict[str, Any]]:
    """The manifest of the sandbox's recordings of a day, 20 to 80 kB each; one comes without a checksum."""
    listed = {listing.part_id.interaction_id: listing for listing in run.source().discover(ids=(), window=DAY)}
    return [
        {
            "id": recording.id,
            "mediaUrl": listed[recording.id].media_url,
            "checksum": listed[recording.id].expected_sha256,
            "size": recording.size_bytes,
        }
        for recording in run.cloud.library
    ]


def test_the_stages_leave_one_file_for_each_entry(entries: list[dict[str, Any]], run: Runner, tmp_path: Path) -> None:
    """Every entry of a manifest ends as OUT/ID.EXT.gz, which gunzips to the bytes the media host has."""
    ended = stages(entries, tmp_path)
    assert ended.returncode == 0, ended.stderr
    stored = {path.name: hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest() for path in gz(tmp_path)}
    assert stored == {f"{recording.id}.wav.gz": recording.sha256 for recording in run.cloud.library}


def test_the_stages_fail_when_a_checksum_is_wrong(entries: list[dict[str, Any]], tmp_path: Path) -> None:
    """One wrong checksum makes the exit status 1, leaves no file for that entry, and harms no other."""
    wrong = entries[0]
    ended = stages([{**wrong, "checksum": "0" * 64}, *entries[1:]], tmp_path)
    assert ended.returncode == 1, ended.stderr
    assert sorted(path.name for path in gz(tmp_path)) == sorted(f"{entry['id']}.wav.gz" for entry in entries[1:])


def test_a_comparison_shows_every_command(tmp_path: Path) -> None:
    """Commands that leave the right files end in a table and exit status 0; a rival may be called anything.

    The stages print it too when no manifest is given; before it comes the machine that it was measured on. Where root
    may mount, each run has a file system of its own, of which nothing is left.
    """
    ended = compare(tmp_path, {"cp and gzip": RIGHT}, module="stages")
    assert ended.returncode == 0, ended.stderr
    machine, *_ = ended.stdout.splitlines()
    assert re.search(r".+, \d+ cores, Python 3\..*: SHA-256 \d+ MB/s, deflate \d+ MB/s, inflate \d+ MB/s\.", machine)
    assert str(tmp_path) not in Path("/proc/mounts").read_text()
    rivals = ("recording-archive", "curl.sh", "tee.sh", "cp and gzip")
    assert [name for name in rivals if f"| {name} |" not in ended.stdout] == []


def test_a_comparison_notices_bad_rivals(tmp_path: Path) -> None:
    """A rival that fails, leaves files out or leaves wrong ones is named without figures; the exit status is 1."""
    bad = {
        "fails": f"{RIGHT}; echo oh dear; exit 7",
        "leaves one out": f"{RIGHT}; rm {{out}}/tiny-001.wav.gz",
        "is wrong": f"{RIGHT}; printf x | gzip >{{out}}/tiny-001.wav.gz",
        "is no gzip": f"{RIGHT}; printf x >{{out}}/tiny-001.wav.gz",
        "is right": RIGHT,
    }
    ended = compare(tmp_path, bad, "--same-volume")
    assert ended.returncode == 1, ended.stderr
    assert "| is no gzip | failed | |" in ended.stdout
    assert [line for line in ended.stdout.splitlines() if line.startswith("**")] == [
        "**fails**: exit status 7: oh dear",
        "**leaves one out**: 2 files for 3 recordings",
        "**is wrong**: wrong bytes: tiny-001",
        "**is no gzip**: wrong bytes: tiny-001",
    ]


def test_growth_is_measured_and_drawn(tmp_path: Path) -> None:
    """For each command a row of figures by the number of recordings, and a line in each of two drawings."""
    picture = tmp_path / "growth.svg"
    ended = bench("growth", str(picture), "--counts", "2", "4", "--rounds", "1", "--keep", str(tmp_path))
    assert ended.returncode == 0, ended.stderr
    head, _, *rows = [line for line in ended.stdout.splitlines() if line.startswith("|")]
    assert "| recording-archive, s | MB |" in head
    assert [row.split(" | ")[0] for row in rows] == ["| 2", "| 4"]
    lines = ElementTree.parse(picture).findall("{http://www.w3.org/2000/svg}polyline")  # noqa: S314 - of our own making
    assert len(lines) == 2 * head.count(", s |")
    assert all(len(line.attrib["points"].split()) == 2 for line in lines)


def test_the_plain_media_host_serves_whole_files(tmp_path: Path) -> None:
    """A process of Python's own, where nginx is missing, serves a folder, and keeps a connection for several files."""
    (tmp_path / "empty.wav").touch()
    (tmp_path / "large.wav").write_bytes(bytes(range(256)) * 10_000)
    port = free_port()
    with subprocess.Popen([sys.executable, "-m", "bench.host", str(tmp_path), str(port), "0"], cwd=REPOSITORY) as host:
        try:
            connection = connected(port)
            for name in ("empty.wav", "large.wav", "empty.wav", "large.wav"):
                connection.request("GET", f"/{name}")
                assert connection.getresponse().read() == (tmp_path / name).read_bytes()
        finally:
            host.terminate()


def test_evidence_packs_are_measured(tmp_path: Path) -> None:
    """Each case is a row: how many calls, and how large, how long and how much memory a pack of them was."""
    command = [sys.executable, "-m", "bench.evidence", "3x0.02", "--scratch", str(tmp_path)]
    ended = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    _, _, _, row = ended.stdout.splitlines()
    assert re.fullmatch(r"\| 3 \| \d+ MB \| \d+\.\d s \| \d+\.\d s \| \d+ MB \|", row)
    assert list(tmp_path.iterdir()) == []


def stages(entries: Sequence[dict[str, Any]], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the stages over a manifest; the archive comes to lie in ``folder/out``."""
    manifest, out = folder / "manifest.json", folder / "out"
    out.mkdir()
    manifest.write_text(json.dumps(entries))
    return bench("stages", str(manifest), str(out))


def compare(
    folder: Path, rivals: Mapping[str, str], *options: str, module: str = "compare"
) -> subprocess.CompletedProcess[str]:
    """Compare over the smallest set, once; ``{files}`` in a rival stands for the files that are offered."""
    named = [f"--rival={name}={command.replace('{files}', str(folder))}" for name, command in rivals.items()]
    return bench(module, "--set", "tiny", "--rounds", "1", "--keep", str(folder), "--check", *options, *named)


def bench(module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the benchmark as anyone would, with no settings from outside."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("RECORDING_ARCHIVE_")}
    command = [sys.executable, "-m", f"bench.{module}", *arguments]
    return subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)


def gz(folder: Path) -> list[Path]:
    """Content of ``folder/out`` for each recording."""
    return list((folder / "out").glob("*.gz"))


def connected(port: int) -> HTTPConnection:
    """The one connection to a server that is about to start; a second one is not made."""
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    connection.auto_open = False
    for _ in range(100):
        try:
            connection.connect()
        except ConnectionRefusedError:
            time.sleep(0.05)
        else:
            return connection
    raise AssertionError("the media host does not start")


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])

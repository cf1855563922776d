"""Files of the compliance report, as anybody can check them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from recording_archive.archive import Archive
from support.contents import overwrite
from support.whole_run import (
    Tasks,
)

DOCUMENT = Path(__file__).parents[2] / "docs" / "archive-format.md"


def test_a_checksum_that_was_not_given_is_no_valid_one(tasks: Tasks, archive: Archive) -> None:
    """Success, but unavailable instead of valid; where one was given it is valid, in any case of its letters."""
    ended = tasks(archive, "scheduled__1")
    assert ended.report["checksumUnavailable"] == 1
    for recording in tasks.cloud.library:
        entry, given = ended.entries[recording.id], recording.fields["checksum"] is not None
        assert (entry["status"], entry["checksumValid"]) == ("success", given)
        assert entry["sourceChecksum"] == ("matched" if given else "not_given")
        assert entry["expectedSha256"] == (recording.sha256 if given else None)


def test_a_report_can_be_checked_without_our_software(tasks: Tasks, archive: Archive) -> None:
    """``sha256sum -c`` accepts report and manifest, and ``gunzip -c | sha256sum`` gives each entry's hash."""
    ended = tasks(archive, "scheduled__1")
    root = archive.settings.root
    folder = (root / ended.summary.report_key).parent
    shell(f"cd '{folder}' && sha256sum --strict -c compliance_report.sha256")
    manifest = f"manifests/{folder.parts[-3]}/{folder.parts[-2]}.{folder.parts[-1]}/manifest-sha256.txt"
    assert shell(f"cd '{root}' && sha256sum --strict -c {manifest}").count(": OK") == 12
    for entry in ended.report["entries"]:
        assert shell(f"gunzip -c '{root / entry['filePath']}' | sha256sum").split()[0] == entry["sha256"]


def test_the_documented_check_is_green(tasks: Tasks, archive: Archive) -> None:
    """The commands as the document has them: no run without recordings makes them fail, and bad bytes do."""
    tasks(archive, "scheduled__1")
    quiet = tasks(archive, "scheduled__2")
    root = archive.settings.root
    assert quiet.summary.counts["successful"] == 0
    assert len(list(root.glob("manifests/*/*"))) == 1
    empty = root / "manifests" / "2026-01-01" / "of_an_older_version.1" / "manifest-sha256.txt"
    empty.parent.mkdir(parents=True)
    empty.touch()
    text = DOCUMENT.read_text().partition("## Check it without this software")[2]
    block = text.partition("```sh\n")[2].partition("```")[0]
    move, check, unpack = block.splitlines()
    assert move == "cd /path/to/archive"
    assert shell(f"cd '{root}'\n{check}") == ""
    sidecar, object_path = next(root.rglob("recordings/**/*~0.json")), next(root.rglob("recordings/**/*.gz"))
    shown = shell(f"cd '{root}'\n{unpack.replace('recordings/…/{name}.wav.gz', str(object_path.relative_to(root)))}")
    due = json.loads(object_path.with_suffix("").with_suffix(".json").read_bytes())["media"]["sha256"]
    assert shown.split()[0] == due
    overwrite(sidecar, b"{}")
    with pytest.raises(subprocess.CalledProcessError):
        shell(f"cd '{root}'\n{check}")


def shell(command: str) -> str:
    return subprocess.run(["bash", "-ceuo", "pipefail", command], check=True, capture_output=True, text=True).stdout

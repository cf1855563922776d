"""The table of gzip readers in docs/archive-format.md: each command is run as it stands there."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from recording_archive.store import bgzf

DOCUMENT = Path(__file__).parents[2] / "docs" / "archive-format.md"
MEDIA = bytes(70_000) + os.urandom(80_000) + b"the end"  # three members: one that shrinks well, one that does not
_ROW = re.compile(r"^\| ([^|]+) \| (?:`([^|]+)`)? *\| (?:`([^|]+)`)? *\|$", re.MULTILINE)


def commands() -> list[tuple[str, str, bool]]:
    """Reader, command, and whether it reads all, of each command of the table."""
    section = DOCUMENT.read_text().partition("### Readers")[2].partition("\n## ")[0]
    rows = _ROW.findall(section)
    assert len(rows) >= 7
    return [(name, command, place == 0) for name, *both in rows for place, command in enumerate(both) if command]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An object as the archive has it."""
    file, packed = tmp_path_factory.mktemp("readers") / "call.wav.gz", io.BytesIO()
    bgzf.compress(io.BytesIO(MEDIA), packed)
    file.write_bytes(packed.getvalue())
    return file


@pytest.mark.parametrize(("reader", "command", "reads_all"), commands())
def test_a_reader_does_what_the_table_says(stored: Path, reader: str, command: str, reads_all: bool) -> None:
    """It gives all the media, or the first member without a word: no error, and nothing on standard error."""
    program = command.partition(" ")[0]
    if shutil.which(program) is None and os.environ.get("CI") != "true":
        pytest.skip(f"{program} is not installed: {reader}")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    told = command.replace("FILE", str(stored))
    ended = subprocess.run(told, shell=True, capture_output=True, check=True, env={**os.environ, "PATH": path})  # noqa: S602 - as documented
    assert ended.stderr == b""
    expected = MEDIA if reads_all else MEDIA[: bgzf.MEMBER_BYTES]
    assert (len(ended.stdout), ended.stdout == expected) == (len(expected), True)


@pytest.mark.browser
def test_chromium_fails_at_the_second_member(stored: Path) -> None:
    """Its `DecompressionStream` gives out the first member, and then an error; a member alone it reads."""
    from support.browser import chromium  # noqa: PLC0415 - where there is no browser there is no playwright

    read = """async (coded) => {
      const bytes = Uint8Array.from(atob(coded), (c) => c.charCodeAt(0));
      const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
      let size = 0;
      try { for await (const piece of stream) size += piece.length; } catch (error) { return [size, error.name]; }
      return [size, null];
    }"""
    content = stored.read_bytes()
    first = content[: int.from_bytes(content[16:18], "little") + 1]
    with chromium() as browser:
        page = browser.new_page()
        assert page.evaluate(read, base64.b64encode(first).decode()) == [bgzf.MEMBER_BYTES, None]
        size, error = page.evaluate(read, base64.b64encode(content).decode())
    assert (size, error) == (bgzf.MEMBER_BYTES, "TypeError")
    assert hashlib.sha256(content).digest() != hashlib.sha256(first).digest()

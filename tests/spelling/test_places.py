"""Places: every spelling of a folder is one path, and what would become another folder is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from recording_archive.spelling.places import place, plain_text

HOME = str(Path.home())


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/data/archive", "/data/archive"),
        ("file:///data/archive", "/data/archive"),
        ("file:/data/archive", "/data/archive"),
        ("file:////data/archive", "/data/archive"),
        ("file://localhost/data/archive", "/data/archive"),
        ("FILE://LocalHost/data/archive", "/data/archive"),
        ("file:///data/my%20archive", "/data/my archive"),
        ("/data/my%20archive", "/data/my%20archive"),
        ("/data/O'Brien", "/data/O'Brien"),
        ("~/archive", f"{HOME}/archive"),
        ("file://~/archive", f"{HOME}/archive"),
        ("s3://bucket/prefix", "s3://bucket/prefix"),
        ("S3://bucket", "s3://bucket"),
    ],
)
def test_every_spelling_is_one_place(text: str, path: str) -> None:
    """Slashes, host and case of the scheme make no difference; percent signs are those of URLs alone."""
    assert place(text, buckets=True) == path
    assert place(path, buckets=True) == path


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("archive", "relative path"),
        ("./archive", "relative path"),
        ("file:archive", "relative path"),
        ("file://", "relative path"),
        ("~nobody-here/archive", "write the whole path"),
        ("file://server/share", "names the host 'server'"),
        ("ftp://host/x", "write a folder, file:///… or s3://bucket/prefix"),
        ("s3:bucket", "write a folder"),
        ("/data/archive\r", "line break"),
        ("/data/\narchive", "line break"),
        ("file:///data/archive%0D", "line break"),
        (" /data/archive", "blank"),
        ('"/data/archive"', "quotes"),
        ("'/data/archive'", "quotes"),
        ('/data/"archive', "quotes"),
    ],
)
def test_what_would_become_another_folder_is_refused(text: str, problem: str) -> None:
    """The message shows the text with what nobody sees in it."""
    with pytest.raises(ValueError, match=problem) as caught:
        place(text, buckets=True)
    assert repr(text)[1:-1] in str(caught.value) or "%0D" in text


def test_a_bucket_is_no_file() -> None:
    """Where only a file will do, a bucket is refused."""
    with pytest.raises(ValueError, match="write a path or file:///…"):
        place("s3://bucket/policy.yaml", buckets=False)


def test_plain_text_is_given_back() -> None:
    """Blanks and marks within it are part of it."""
    assert plain_text("a b:c@d'e") == "a b:c@d'e"

"""Places as people write them: folders and ``file:`` URLs, as one absolute path each."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_HOST = re.compile(r"//(?P<host>[^/]*)(?P<path>/.*)?", re.DOTALL)
_LOCAL = {"", "localhost"}


def plain_text(text: str) -> str:
    """Return the text as it is; raise ValueError when it has a line break, a quote around it or blanks at an end.

    All of them come from how a file of settings was written or edited, and would become part of a name.
    """
    if _CONTROL.search(text):
        raise ValueError(
            f"{text!r} holds a line break or another control character: was the file of settings saved with Windows "
            "line ends? Remove it"
        )
    if text != text.strip():
        raise ValueError(f"{text!r} begins or ends with a blank: remove it")
    if '"' in text or text[:1] in {"'", "`"} or text[-1:] in {"'", "`"}:
        raise ValueError(f"{text!r} holds quotes, which would become part of the name: write it without them")
    return text


def place(text: str, *, buckets: bool) -> str:
    """Return a folder or file as an absolute path, and with ``buckets`` an ``s3://`` URL; ValueError for all else.

    A ``file:`` URL may be written with one slash, with three, or with the host localhost; %20 and the like in it stand
    for what they mean. A path may begin with ``~``. Both name the same path for every program, whatever its folder is.
    """
    kinds = "a folder, file:///… or s3://bucket/prefix" if buckets else "a path or file:///…"
    scheme = _SCHEME.match(plain_text(text))
    if scheme is None:
        return _absolute(text, text)
    rest = text[scheme.end() :]
    match scheme[0].lower():
        case "file:":
            return _absolute(plain_text(unquote(_path_of(rest, text))), text)
        case "s3:" if buckets and rest.startswith("//"):
            return f"s3:{rest}"
        case _:
            raise ValueError(f"{text!r} cannot be used: write {kinds}")


def _path_of(rest: str, text: str) -> str:
    """Return the path in what follows ``file:``; ``file://~/…`` is taken for the home folder it means."""
    found = _HOST.fullmatch(rest)
    if found is None or found["host"].startswith("~"):
        return rest.removeprefix("//")
    if found["host"].lower() not in _LOCAL:
        raise ValueError(
            f"{text!r} names the host {found['host']!r}, and files of other hosts cannot be read: mount them and write "
            "file:///path, with three slashes"
        )
    return found["path"] or ""


def _absolute(path: str, text: str) -> str:
    try:
        full = Path(path).expanduser()
    except RuntimeError as error:  # of a user that is not there
        raise ValueError(f"{text!r} cannot be used ({error}): write the whole path, from /") from None
    if not full.is_absolute():
        raise ValueError(f"{text!r} is a relative path, another folder for each program: write it whole, from /")
    return f"/{str(full).lstrip('/')}"  # two slashes at the front are another path to POSIX

"""Ids as people paste them: in quotes, with blanks and characters that nobody sees, a GUID in either case.

A GUID means the same in any case (RFC 9562, 4), so its lower case stands for it. All other ids keep their case: two of
a source may differ in nothing else. The catalog keeps the source's own spelling, and is asked for both cases of a
GUID: programs print one or the other, never a mixture, and so the indexes of the columns as they are suffice.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
_HEXADECIMAL = re.compile(r"[0-9a-f-]+", re.IGNORECASE)
_CLEAN = re.compile(r"[A-Za-z0-9._-]*")
_SEPARATORS = re.compile(r"[\s,;]+")
_AROUND = frozenset("\"'`´′″,;=<>")  # "=" as in ="…", by which spreadsheets keep a text a text
_BRACKETS = frozenset({"Pi", "Pf", "Ps", "Pe"})  # categories: quotes that open and close, brackets
_MINUS = "\u2212"
_ACUTE = "\u00b4"  # people take it for a quote, and NFKC takes it apart


def clean_id(text: str) -> str:
    """Remove what is not of the id: quotes, brackets and separators around it, blanks, format characters.

    Dashes become the one that ids have, wide letters narrow ones, and a GUID lower case. What then is no id stays so.
    """
    if not _CLEAN.fullmatch(text):
        text = _bare(unicodedata.normalize("NFKC", text.replace(_ACUTE, "'")))
    return text.lower() if is_guid(text) else text


def is_guid(text: str) -> bool:
    """Tell if a clean text is a GUID, in either case."""
    return len(text) == 36 and _GUID.fullmatch(text) is not None


def id_forms(text: str) -> tuple[str, ...]:
    """List the forms in which a catalog may have the id that a text means, the clean one first, each once."""
    clean = clean_id(text)
    other = clean.upper() if is_guid(clean) else clean
    return tuple(dict.fromkeys((clean, other, text)))


def all_forms(ids: Iterable[str]) -> list[str]:
    """List the forms of several ids, each once."""
    return list(dict.fromkeys(form for each in ids for form in id_forms(each)))


def prefix_forms(text: str) -> tuple[str, ...]:
    """List the forms of the start of an id: also in the other case where it can be that of a GUID."""
    clean = clean_id(text)
    hexadecimal = (clean.lower(), clean.upper()) if _HEXADECIMAL.fullmatch(clean) else ()
    return tuple(dict.fromkeys((clean, *hexadecimal)))


def split_ids(text: str) -> list[str]:
    """Split a text at blanks, lines, commas and semicolons into clean ids, each once; what is empty is left out."""
    return list(dict.fromkeys(clean for word in _SEPARATORS.split(text) if (clean := clean_id(word))))


def split_each(texts: Iterable[str]) -> list[str]:
    """Split several texts into clean ids; a text without any stays, for whoever takes the ids to refuse."""
    return list(dict.fromkeys(each for text in texts for each in (split_ids(text) or [text])))


def _bare(text: str) -> str:
    shown = (character for character in text if unicodedata.category(character) != "Cf")
    letters = ["-" if unicodedata.category(each) == "Pd" or each == _MINUS else each for each in shown]
    first, last = 0, len(letters)
    while first < last and _is_around(letters[first]):
        first += 1
    while first < last and _is_around(letters[last - 1]):
        last -= 1
    return "".join(letters[first:last])


def _is_around(character: str) -> bool:
    return character.isspace() or character in _AROUND or unicodedata.category(character) in _BRACKETS

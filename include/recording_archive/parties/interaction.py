"""Parties by an entry of the interactions API: its single fields, which may be lists, and ``participants``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

from recording_archive.model import Party
from recording_archive.parties.documents import NAMES
from recording_archive.parties.main import TOGETHER

PARTICIPANTS = "participants"


def parties_of(fields: Mapping[str, Any]) -> list[Party]:
    """List everybody whom an entry names, each once.

    Values of the wrong type are left out: they stay in the entry itself, which is kept as it came.
    """
    return list(dict.fromkeys((*_of_lists(fields), *_of_participants(fields))))


def _of_lists(fields: Mapping[str, Any]) -> Iterator[Party]:
    """One party for each place of the lists; a field that is one text is a list of it."""
    for names in TOGETHER:
        texts = [_texts(fields.get(NAMES[name])) for name in names]
        if any(map(len, texts)):
            for values in zip_longest(*texts):
                if any(values):
                    yield Party(**_given(zip(names, values, strict=True)))


def _of_participants(fields: Mapping[str, Any]) -> Iterator[Party]:
    participants = fields.get(PARTICIPANTS)
    for each in participants if isinstance(participants, list) else ():
        if isinstance(each, dict):
            given = _given((name, _text(each.get(camel))) for name, camel in NAMES.items())
            if given:
                yield Party(**given)


def _given(pairs: Iterable[tuple[str, str | None]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if value}


def _texts(value: Any) -> list[str | None]:
    return [_text(each) for each in value] if isinstance(value, list) else [text] if (text := _text(value)) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None

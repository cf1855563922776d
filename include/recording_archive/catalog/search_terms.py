"""The filters of a search in SQL: each as a group of terms of which one must hold (`search_driver`).

Agent, queue, contact and numbers are those of any party, whether it took part for certain or possibly: the main ones
are in columns of `recordings`, the others and all numbers in `party_values`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Protocol

from sqlalchemy import ColumnElement, Connection, and_, literal, select

from recording_archive.catalog.party_index import names_one_of, party_term
from recording_archive.catalog.rows import has_id
from recording_archive.catalog.search_driver import MOST_TERMS, Group, Term
from recording_archive.catalog.search_ids import ids_in, starts
from recording_archive.catalog.search_names import names_like, other_names_like
from recording_archive.catalog.tables import recordings
from recording_archive.catalog.visible import EVERYTHING, Visible, only
from recording_archive.model import STORED, State
from recording_archive.parties.values import NUMBER, spelling_of
from recording_archive.phone_numbers import asked_keys, number_form
from recording_archive.spelling.ids import id_forms

MOST_IDS = 2000
"""Ids that one search takes: more than a URL of 64 KiB holds."""

_NUMBER_DIGITS = 6  # a text with as many is a number, and no name
_c = recordings.c


class Narrowing(Protocol):
    """A set of recordings that a search is narrowed to."""

    def groups(self, connection: Connection) -> Iterable[Group]:
        """Return it as filters of the search."""


@dataclass(frozen=True, slots=True)
class Filters:
    """The conditions on a recording; all that are given must hold.

    ``text`` is one of: ids, the start of an id, a number, a part of an agent's or queue's name; or words, of which each
    is one of these. ``ids`` are interactions or recordings. ``unverified_since``: stored, and not read since then.
    ``failing``: never archived, because it failed. ``rule`` and ``expires_from`` to ``expires_to``: stored, governed by
    that rule of the policy, and its days end then; ``retained`` says which these are (`retention.condition`).
    ``start`` and ``end`` are half-open. ``verified`` is ``ok``, ``failed`` or ``never``. ``region`` is the country of
    numbers that are asked for without one (`phone_numbers`). ``visible`` is what whoever asks may see.
    """

    text: str | None = None
    ids: tuple[str, ...] = ()
    start: datetime | None = None
    end: datetime | None = None
    agent: str | None = None
    queue: str | None = None
    number: str | None = None
    contact: str | None = None
    direction: str | None = None
    media_type: str | None = None
    min_seconds: float | None = None
    max_seconds: float | None = None
    state: State | None = None
    verified: str | None = None
    unverified_since: datetime | None = None
    failing: bool = False
    rule: str | None = None
    expires_from: datetime | None = None
    expires_to: datetime | None = None
    retained: Narrowing | None = field(default=None, compare=False)
    region: str = ""
    visible: Visible = field(default=EVERYTHING, compare=False)

    @property
    def by_end(self) -> bool:
        """Tell if it asks when the days of a recording end."""
        return self.expires_from is not None or self.expires_to is not None

    @property
    def by_retention(self) -> bool:
        """Tell if it asks for what the policy says."""
        return self.rule is not None or self.by_end


def groups(connection: Connection, filters: Filters) -> Iterator[Group]:
    """The filters that have an index, and what is visible."""
    if visible := filters.visible.group(connection):
        yield visible
    if filters.ids:
        yield Group(tuple(_id_terms(filters.ids)), few=True)
    if filters.text:
        yield from _text_groups(connection, filters)
    if filters.agent:
        yield Group(tuple(_named(connection, filters.agent, "agent")))
    if filters.queue:
        yield Group(tuple(_named(connection, filters.queue, "queue")))
    if filters.number:
        yield Group((_number_term(filters.number, filters.region),))
    if filters.contact:
        yield Group(tuple(_contact_terms(filters.contact)))
    if filters.state:
        yield Group((Term(_c.state == filters.state),))
    if filters.verified:
        yield Group((Term(_c.verified_ok.is_({"ok": True, "failed": False, "never": None}[filters.verified])),))
    if filters.unverified_since:
        long_ago = (_c.verified_at < filters.unverified_since, and_(_c.verified_at.is_(None), _c.state.in_(STORED)))
        yield Group(tuple(Term(each, walks=False) for each in long_ago))
    if filters.failing:
        yield Group((Term(_c.failed_since.is_not(None), walks=False),))
    yield from _of_length(filters)
    if filters.by_retention:
        yield from _of_policy(connection, filters)


def _of_length(filters: Filters) -> Iterator[Group]:
    if filters.min_seconds is not None:
        yield Group((Term(_c.duration_ms >= filters.min_seconds * 1000, walks=False),))
    if filters.max_seconds is not None:
        yield Group((Term(_c.duration_ms <= filters.max_seconds * 1000, walks=False),))


def _of_policy(connection: Connection, filters: Filters) -> Iterable[Group]:
    if filters.retained is None:
        raise ValueError("a search by rule or by the end of days needs a policy: retention.condition.by_policy")
    return filters.retained.groups(connection)


def others(filters: Filters) -> Iterator[ColumnElement[bool]]:
    """The filters that so many rows pass that no index helps."""
    if filters.direction:
        yield _c.direction == filters.direction
    if filters.media_type:
        yield _c.media_type == filters.media_type
    if filters.unverified_since or filters.by_retention:
        yield _c.state.in_(STORED)
    if filters.failing:
        yield _c.state == State.DISCOVERED


def _text_groups(connection: Connection, filters: Filters) -> Iterator[Group]:
    """Take the text as a whole where it finds something; else each of its words must find the recording."""
    whole, words = _text_group(connection, filters), words_of(filters.text or "")
    if whole.few or len(words) < 2 or any(_finds(connection, term, filters.visible) for term in whole.terms):
        yield whole
    else:
        yield from (_text_group(connection, replace(filters, text=word)) for word in words)


def words_of(text: str) -> list[str]:
    """Split a text at blanks, but not within a number: ``Ann 020 7946 0958`` is two words."""
    words: list[str] = []
    for word in text.split():
        joins = words and _is_piece(word) and _is_piece(words[-1].rpartition(" ")[2]) and not word.startswith("+")
        words[-1:] = [f"{words[-1]} {word}"] if joins else [*words[-1:], word]
    return words


def _is_piece(word: str) -> bool:
    """Tell if a word can be a piece of a number that is written with blanks."""
    return 0 < sum(map(str.isdigit, word)) < _NUMBER_DIGITS and not set(word) - set("+0123456789()-./")


def _finds(connection: Connection, term: Term, visible: Visible) -> bool:
    seen = only(connection, visible)
    found = term.counted
    if found is None or seen:
        found = select(literal(1)).select_from(recordings).where(term.condition, *seen)
    return connection.execute(found.limit(1)).first() is not None


def _text_group(connection: Connection, filters: Filters) -> Group:
    """Read the text of the search box: ids, else the start of an id, a number, or a part of a name."""
    text, region = filters.text or "", filters.region
    if ids := ids_in(connection, text, filters.visible):
        return Group(tuple(_id_terms(ids)), few=True)
    starting = [Term(condition, walks=False) for condition in starts(connection, text)]
    numbers = (*starting, _number_term(text, region))
    if sum(character.isdigit() for character in text) >= _NUMBER_DIGITS:
        return Group(numbers)
    return Group((*numbers, *_named(connection, text, "agent"), *_named(connection, text, "queue")))


def _id_terms(ids: Sequence[str]) -> Iterator[Term]:
    yield Term(has_id(_c.interaction_id, ids), walks=False)
    yield Term(has_id(_c.recording_id, ids), walks=False)


def _number_term(text: str, region: str) -> Term:
    """By the number's form, and by equal last digits where a country is not known."""
    form = number_form(text, region)
    return party_term(NUMBER, [form, *asked_keys(form)])


def _contact_terms(text: str) -> Iterator[Term]:
    yield Term(has_id(_c.contact_id, [text]), walks=False)
    yield party_term("contact_id", [spelling_of("contact_id")(text)])


def _named(connection: Connection, text: str, kind: str) -> Iterator[Term]:
    """By id, or by a part of the name, in quotes by all of it; ids, too, begin with letters that occur in names."""
    id_field, name_field, text = f"{kind}_id", f"{kind}_name", text.strip()
    forms, whole = id_forms(text), is_quoted(text)
    yield from (Term(_c[id_field] == form) for form in forms)
    names = names_like(connection, _c[name_field], text, whole=whole)
    wide = len(names) > MOST_TERMS
    yield from (
        [Term(_c[name_field].in_(names), wide=True)] if wide else (Term(_c[name_field] == name) for name in names)
    )
    yield party_term(id_field, list(dict.fromkeys(map(spelling_of(id_field), forms))))
    if others := other_names_like(connection, name_field, text, whole=whole):
        term = party_term(name_field, others)
        many = connection.dialect.name == "sqlite" and len(others) > MOST_TERMS
        yield replace(term, check=names_one_of(name_field, others)) if many else term


def is_quoted(text: str) -> bool:
    """Tell if a text asks for a whole name: in double quotes."""
    return len(text) > 2 and text[0] == text[-1] == '"'

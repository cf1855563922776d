"""Permission as a condition on `recordings`: the one place where a rule is compared with a recording.

A grant needs certain knowledge: each field that it names has a value which the recording has for sure, of whichever
party. A denial holds on to what is only possible: a value that the recording may have, or one that nobody knows
(`parties.values`). Whoever is denied sees nothing of it, whatever is granted; but for an interaction that was opened
to the person for a while, by name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, false, func, not_, or_, select, true

from recording_archive.access.rules import Document, Right, Rule, Viewer
from recording_archive.catalog.party_index import lacks, named_terms
from recording_archive.catalog.rows import has_id, is_part
from recording_archive.catalog.search_driver import MOST_TERMS, Group, Term
from recording_archive.catalog.tables import recordings
from recording_archive.catalog.visible import EVERYTHING, Visible
from recording_archive.model import PartId
from recording_archive.spelling.ids import is_guid
from recording_archive.spelling.names import folded

_c = recordings.c
_AGENTS, _QUEUES, _DIVISIONS = ("agent_id", "agent_name"), ("queue_id", "queue_name"), ("division",)
_Asked = tuple[tuple[str, ...], frozenset[str]]
"""Columns that name one thing, and the values asked for as `folded` has them."""


def permitted(
    document: Document | None, viewer: Viewer, right: Right, *, now: datetime, opened: Collection[str] = ()
) -> Visible:
    """Return the recordings with which ``viewer`` may do what ``right`` says; without a document all of them.

    ``opened`` are interactions that the viewer may see and hear for a while, whatever the document says.
    """
    if document is None:
        return EVERYTHING
    granted, denied = document.granted(viewer, right), document.denied(viewer, right)
    if not denied and any(rule.is_general for rule in granted):
        return EVERYTHING
    wide = opened if right in {Right.METADATA, Right.LISTEN} else ()
    return _Permitted(tuple(granted), tuple(denied), document.names_of(viewer), now, tuple(wide))


def fitting(connection: Connection, rule: Rule, own: frozenset[str], now: datetime, *, sure: bool) -> Group:
    """Return the recordings that a rule is about for certain; or, not ``sure``, those that it may be about."""
    asked = [_any_party(connection, each, sure=sure) for each in _asked(rule, own)]
    drivers = [terms for terms in asked if len(terms) <= MOST_TERMS and not any(term.wide for term in terms)]
    checks = [Group(terms).check if terms else false() for terms in asked]
    always = and_(true(), *checks, *_plain(rule, now, sure=sure))
    return Group(drivers[0] if drivers else (Term(always, wide=True),), always=always)


def rules_about(
    connection: Connection, document: Document, viewer: Viewer, part: PartId, now: datetime
) -> tuple[list[str], list[str]]:
    """Name the grants and the denials of somebody's that a recording falls under, whatever they give or take."""
    own = document.names_of(viewer)
    granted = [rule for rule in document.grants if rule.who.has(viewer)]
    denied = [rule for rule in document.denials if rule.who.may_have(viewer)]

    def falls(rule: Rule, *, sure: bool) -> bool:
        wanted = (is_part(recordings, part), fitting(connection, rule, own, now, sure=sure).check)
        return connection.execute(select(_c.part).where(*wanted)).first() is not None

    return (
        [rule.name for rule in granted if falls(rule, sure=True)],
        [rule.name for rule in denied if falls(rule, sure=False)],
    )


@dataclass(frozen=True, slots=True)
class _Permitted:
    """Some recordings: those that one of the grants is about and none of the denials may be, and what was opened."""

    grants: tuple[Rule, ...]
    denials: tuple[Rule, ...]
    own: frozenset[str]
    now: datetime
    opened: tuple[str, ...]
    everything: bool = False

    def group(self, connection: Connection) -> Group:
        """Look up the names that the rules mean now, and compose the condition; the grants lead to the rows."""
        found = [fitting(connection, rule, self.own, self.now, sure=True) for rule in self.grants]
        taken = [fitting(connection, rule, self.own, self.now, sure=False).check for rule in self.denials]
        usual = and_(or_(false(), *(group.check for group in found)), *map(not_, taken))
        named = [Term(has_id(_c.interaction_id, self.opened), walks=False)] if self.opened else []
        always = or_(usual, *(term.condition for term in named))
        terms = (*named, *(term for group in found for term in group.terms))
        return Group(terms or (Term(false(), walks=False),), always=always)


def _asked(rule: Rule, own: frozenset[str]) -> Iterable[_Asked]:
    """Yield what a rule asks of the parties, what is rare first."""
    if rule.own_calls:
        yield _AGENTS, own
    for columns, values in ((_AGENTS, rule.agents), (_QUEUES, rule.queues), (_DIVISIONS, rule.divisions)):
        if values:
            yield columns, frozenset(map(folded, values))


def _any_party(connection: Connection, asked: _Asked, *, sure: bool) -> tuple[Term, ...]:
    """Terms of which one holds where some party has a value; or may have it, and nobody knows."""
    columns, wanted = asked
    terms = [term for name in columns for term in named_terms(connection, name, wanted, sure=sure)]
    if not sure:
        terms.append(Term(_unknown(columns, wanted), wide=True))
    return tuple(terms)


def _unknown(columns: Sequence[str], wanted: frozenset[str]) -> ColumnElement[bool]:
    """Match recordings of which nobody knows all values; who gives GUIDs alone asks for no name."""
    if columns == _DIVISIONS:
        return or_(_c.division.is_(None), _c.parties.is_(None))
    return lacks(columns[:1] if all(map(is_guid, wanted)) else columns)


def _plain(rule: Rule, now: datetime, *, sure: bool) -> Iterable[ColumnElement[bool]]:
    """Yield what a rule asks of the recording itself."""
    if rule.media_types:
        same = func.lower(_c.media_type).in_([value.lower() for value in rule.media_types])
        yield _known(same, _c.media_type, sure=sure)
    if rule.older_than_days is not None:
        yield _known(_c.interaction_date <= _before(now, rule.older_than_days), _c.interaction_date, sure=sure)
    if rule.younger_than_days is not None:
        yield _known(_c.interaction_date > _before(now, rule.younger_than_days), _c.interaction_date, sure=sure)


def _known(condition: ColumnElement[bool], column: ColumnElement[object], *, sure: bool) -> ColumnElement[bool]:
    """Decide for recordings that do not have the value: never null, which ``NOT`` would not turn round."""
    return and_(column.is_not(None), condition) if sure else or_(column.is_(None), condition)


def _before(now: datetime, days: int) -> datetime:
    return now - timedelta(days=days)

"""Judgements of a policy as filters of a search: which rule governs a recording, and when its days end.

`rules.decide` in SQL: both say the same of every recording whose bytes are in the archive. Names are compared as it
compares them; what has no index (divisions, media types, contacts) on PostgreSQL by lower case alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, false, func, literal, not_, or_, select, true

from recording_archive.archive import Archive
from recording_archive.catalog.distinct import distinct
from recording_archive.catalog.engines import FOLDED
from recording_archive.catalog.party_index import lacks, named_terms
from recording_archive.catalog.rows import same_part
from recording_archive.catalog.search import Filters
from recording_archive.catalog.search_driver import MOST_TERMS, Group, Term
from recording_archive.catalog.tables import party_values, recordings
from recording_archive.errors import ConfigurationError
from recording_archive.parties.documents import NAMES
from recording_archive.parties.values import NAMED
from recording_archive.retention import policy_in_force
from recording_archive.retention.matching import Asked
from recording_archive.retention.rules import DEFAULT, Policy, Rule

_c = recordings.c
_Condition = ColumnElement[bool]


def by_policy(archive: Archive, filters: Filters) -> Filters:
    """Let a search that asks for a rule or for the end of days ask the policy in force.

    Raise ConfigurationError for a rule that it does not have, and what `policy_in_force.in_force` raises.
    """
    if not filters.by_retention:
        return filters
    policy = policy_in_force.in_force(archive)
    rule = None if filters.rule is None else _name_of(policy, filters.rule)
    return replace(filters, rule=rule, retained=Retained(policy, rule, filters.expires_from, filters.expires_to))


@dataclass(frozen=True, slots=True)
class Retained:
    """Recordings that a rule governs, and whose days end in a stretch of time, half-open; None: whichever."""

    policy: Policy
    rule: str | None = None
    start: datetime | None = None
    end: datetime | None = None

    def groups(self, connection: Connection) -> Iterator[Group]:
        """Yield what is asked for; whether bytes are in the archive is left to the caller."""
        matches = _Matches(connection, self.policy)
        if self.rule is not None:
            yield _governed(matches, self.rule)
        if self.start is not None or self.end is not None:
            yield Group(tuple(_ending(matches, self.start, self.end)))


class _Matches:
    """The rules of a policy as conditions: each matches for sure, or may match."""

    def __init__(self, connection: Connection, policy: Policy) -> None:
        self.policy = policy
        self._connection = connection
        self._distinct = cache(lambda name: distinct(connection, _c[name]))
        longest = sorted(policy.rules, key=lambda rule: -rule.days)  # stable: the first of equals governs
        self.limits = sorted((rule for rule in policy.rules if rule.maximum), key=lambda rule: rule.days)
        self.others = [rule for rule in longest if not rule.maximum]
        self.longest = longest

    def fields(self, rule: Rule, *, sure: bool) -> list[tuple[Term, ...]]:
        """Return for each field of a rule the terms of which one must hold."""
        return [tuple(self._terms(asked, sure=sure)) for asked in rule.asked]

    def sure(self, rule: Rule) -> _Condition:
        """Match what a rule matches for certain; never null, which ``NOT`` would not turn round."""
        return and_(*(Group(terms).check for terms in self.fields(rule, sure=True)))

    def may(self, rule: Rule) -> _Condition:
        """Match what a rule matches for certain or possibly."""
        return and_(*(Group(terms).check for terms in self.fields(rule, sure=False)))

    def _terms(self, asked: Asked, *, sure: bool) -> Iterator[Term]:
        for name in asked.columns:
            if name in NAMED:
                yield from named_terms(self._connection, name, asked.wanted, sure=sure, values=self._distinct(name))
            else:
                yield Term(self._plain(name, asked.wanted, sure=sure), wide=True)
        if not sure and asked.columns[0] in NAMED:
            yield Term(lacks(asked.columns), wide=True)

    def _plain(self, name: str, wanted: frozenset[str], *, sure: bool) -> _Condition:
        """Compare a column without index, and the other parties where they have it."""
        column, values = _c[name], sorted(wanted)
        found = [and_(column.is_not(None), self._folded(column).in_(values))]
        unknown = or_(column.is_(None), column == "")
        if name in NAMES:
            has = exists(select(1).where(same_part(party_values, recordings), party_values.c.field == name))
            certain = [party_values.c.certain.is_(True)] if sure else []
            found.append(has.where(self._folded(party_values.c.value).in_(values), *certain))
            unknown = or_(_c.parties.is_(None), and_(unknown, not_(has)))
        return or_(*found) if sure else or_(*found, unknown)

    def _folded(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        fold: Callable[..., ColumnElement[Any]] = (
            getattr(func, FOLDED) if self._connection.dialect.name == "sqlite" else func.lower
        )
        return fold(column)


def _name_of(policy: Policy, asked: str) -> str:
    """Return the name of a rule as the policy has it; people may write it in another case."""
    names = [*(rule.name for rule in policy.rules), DEFAULT]
    found = [name for name in names if name.casefold() == asked.casefold()]
    if not found:
        raise ConfigurationError(f"rule: the policy {policy.name} has no rule {asked!r}; it has {', '.join(names)}")
    return found[0]


def _governed(matches: _Matches, name: str) -> Group:
    """Match what a rule governs: it matches, and none that comes before it does."""
    rule = next((rule for rule in matches.policy.rules if rule.name == name), None)
    order = [*matches.limits, *matches.others]
    before = order if rule is None else order[: order.index(rule)]
    fields = [] if rule is None else matches.fields(rule, sure=True)
    always = and_(true(), *(Group(terms).check for terms in fields), *(not_(matches.sure(each)) for each in before))
    narrow = [terms for terms in fields if len(terms) <= MOST_TERMS and not any(term.wide for term in terms)]
    return Group(narrow[0] if narrow else (Term(always, wide=True),), always=always)


def _ending(matches: _Matches, start: datetime | None, end: datetime | None) -> Iterator[Term]:
    """Yield terms of which one holds where the days end in a stretch: a stretch of dates for each number of days.

    With many rules one term has all of it, since each has all rules in it.
    """
    days, last = sorted({matches.policy.default_days, *(rule.days for rule in matches.policy.rules)}), _last(matches)
    if len(days) * len(matches.policy.rules) <= MOST_TERMS:
        yield from (Term(and_(_dated(start, end, each, each), last == each)) for each in days)
    else:
        each_day = case({each: _dated(start, end, each, each) for each in days}, value=last, else_=false())
        yield Term(and_(_dated(start, end, days[0], days[-1]), each_day))


def _last(matches: _Matches) -> ColumnElement[int]:
    """Count the days after which a recording may go, whichever rule applies (`Governing.last_days`)."""
    default = matches.policy.default_days
    whens: list[tuple[_Condition, int]] = [(matches.sure(rule), rule.days) for rule in matches.limits]
    whens += [(matches.may(rule), rule.days) for rule in matches.longest if rule.days > default]
    if shorter := [rule for rule in matches.longest if rule.days <= default]:
        whens.append((not_(or_(false(), *map(matches.sure, matches.others))), default))
        whens += [(matches.may(rule), rule.days) for rule in shorter]
    return case(*whens, else_=default) if whens else literal(default)


def _dated(start: datetime | None, end: datetime | None, fewest: int, most: int) -> _Condition:
    """Match dates whose days, at least ``fewest`` and at most ``most`` of them, end in a stretch."""
    first = None if start is None else _earlier(start, most)
    last = None if end is None else _earlier(end, fewest)
    bounds = [] if first is None else [_c.interaction_date >= first]
    if end is not None:
        bounds.append(false() if last is None else _c.interaction_date < last)
    return and_(_c.interaction_date.is_not(None), *bounds)


def _earlier(moment: datetime, days: int) -> datetime | None:
    """Subtract days; None for a moment before the first there is."""
    try:
        return moment - timedelta(days=days)
    except OverflowError:
        return None


__all__: Sequence[str] = ["Retained", "by_policy"]

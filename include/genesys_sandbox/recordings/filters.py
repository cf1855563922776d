"""The filter grammar of the interactions query, taken strictly: what the real service may refuse is refused here.

filter  = clause [ AND clause ]                     at most one clause of each kind
clause  = ( interactionId IN ( value {, value} ) )  at most 50 values
        | ( interactionDate >= value AND interactionDate <= value )
value   = ' characters, ' doubled '
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

MAX_IDS = 50
_TOKEN = re.compile(r"\s*(?:(?P<value>'(?:[^']|'')*')|(?P<word>[A-Za-z]+|>=|<=|[(),]))")
_DATE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)")


class FilterError(ValueError):
    """The filter is not of the grammar; the message says where."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Clauses of a query; None means that the clause was not given. Both dates are inclusive."""

    ids: tuple[str, ...] | None = None
    start: datetime | None = None
    end: datetime | None = None


def parse_filter(text: str) -> Filter:
    """Read a filter; raise FilterError on anything the grammar does not have."""
    tokens = _Tokens(text)
    found = tokens.clause(Filter())
    while not tokens.at_end:
        tokens.expect("AND")
        found = tokens.clause(found)
    return found


class _Tokens:
    """A reader over the words of one filter, a step at a time."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_split(text))
        self._position = 0

    @property
    def at_end(self) -> bool:
        return self._position == len(self._tokens)

    def clause(self, found: Filter) -> Filter:
        """Read one clause and add it to ``found``."""
        self.expect("(")
        field = self._next()
        if field == "interactionId" and found.ids is None:
            found = Filter(self._ids(), found.start, found.end)
        elif field == "interactionDate" and found.start is None:
            found = Filter(found.ids, *self._dates())
        else:
            raise FilterError(f"unexpected {field!r}: interactionId and interactionDate are known, once each")
        self.expect(")")
        return found

    def expect(self, *words: str) -> None:
        """Step over ``words``, which must come next."""
        for word in words:
            if (found := self._next()) != word:
                raise FilterError(f"expected {word!r}, found {found!r}")

    def _next(self) -> str:
        if self.at_end:
            raise FilterError("the filter ends too early")
        self._position += 1
        return self._tokens[self._position - 1]

    def _ids(self) -> tuple[str, ...]:
        self.expect("IN", "(")
        ids = [self._value()]
        while (word := self._next()) == ",":
            ids.append(self._value())
        if word != ")":
            raise FilterError(f"expected ',' or ')' in the list of ids, found {word!r}")
        if len(ids) > MAX_IDS:
            raise FilterError(f"{len(ids)} ids; at most {MAX_IDS} are allowed")
        return tuple(ids)

    def _dates(self) -> tuple[datetime, datetime]:
        self.expect(">=")
        start = self._date()
        self.expect("AND", "interactionDate", "<=")
        end = self._date()
        if end < start:
            raise FilterError("the range of dates ends before it starts")
        return start, end

    def _value(self) -> str:
        token = self._next()
        if not token.startswith("'"):
            raise FilterError(f"expected a quoted value, found {token!r}")
        return token[1:-1].replace("''", "'")

    def _date(self) -> datetime:
        text = self._value()
        try:
            if _DATE.fullmatch(text):
                return datetime.fromisoformat(text)
        except ValueError:
            pass  # such as month 13: the same message
        raise FilterError(f"{text!r} is not an ISO 8601 date and time with a zone")


def _split(text: str) -> Iterator[str]:
    position, end = 0, len(text.rstrip())
    while position < end:
        match = _TOKEN.match(text, position)
        if match is None:
            raise FilterError(f"unexpected {text[position : position + 12]!r} at character {position}")
        yield match["value"] or match["word"]
        position = match.end()

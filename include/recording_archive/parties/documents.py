"""The JSON form of parties in sidecars and the catalog, and the columns of `recordings` that are made of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from recording_archive.model import Attributes, Party
from recording_archive.phone_numbers import number_form

NAMES: Mapping[str, str] = {
    "agent_id": "agentId",
    "agent_name": "agentName",
    "queue_id": "queueId",
    "queue_name": "queueName",
    "ani": "ani",
    "dnis": "dnis",
    "division": "division",
    "contact_id": "contactId",
}
"""Fields of a party that are text, and their names in documents."""

PARTY_COLUMNS = frozenset({"parties", "numbers"})
"""Columns of `recordings` that `columns` makes; both None: made by a version that did not ask for parties."""

assert {*NAMES, "certain"} == {field.name for field in fields(Party)}  # noqa: S101 - a field without a name would be lost


def to_json(parties: Iterable[Party]) -> list[dict[str, Any]]:
    """Return the form that sidecars, catalog and REST share; fields that are not known are left out."""
    return [
        {camel: value for name, camel in NAMES.items() if (value := getattr(party, name))} | {"certain": party.certain}
        for party in parties
    ]


def from_json(document: Any) -> tuple[Party, ...]:
    """Read what `to_json` made; raise ValueError, KeyError, AttributeError or TypeError for anything else."""
    if not isinstance(document, list):
        raise TypeError("parties are no list")
    return tuple(_party(each) for each in document)


def columns(attributes: Mapping[str, Any] | Attributes, parties: Iterable[Party], region: str) -> dict[str, Any]:
    """Return the columns ``parties`` and ``numbers`` of a recording; ``region`` reads numbers without a country."""
    known = tuple(parties)
    main = (
        attributes
        if isinstance(attributes, Attributes)
        else Attributes(**{name: attributes.get(name) for name in ("ani", "dnis")})
    )
    certain = _forms((main, *(party for party in known if party.certain)), region)
    possible = [form for form in _forms((party for party in known if not party.certain), region) if form not in certain]
    return {"parties": to_json(known), "numbers": {"region": region, "certain": certain, "possible": possible}}


def _forms(parties: Iterable[Party | Attributes], region: str) -> list[str]:
    given = (number for party in parties for number in (party.ani, party.dnis) if number)
    return list(dict.fromkeys(number_form(number, region) for number in given))


def _party(document: Any) -> Party:
    certain = document["certain"]
    values = {name: document.get(camel) for name, camel in NAMES.items()}
    if not isinstance(certain, bool) or not all(value is None or isinstance(value, str) for value in values.values()):
        raise TypeError("a party has a field of a wrong type")
    return Party(**values, certain=certain)

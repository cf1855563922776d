"""Parties in words, for people: ``agent Ann Lee (queue Billing); possibly from +12025550100``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

PartyDocument = Mapping[str, Any]
"""A party as `documents.to_json` has it."""


def in_words(parties: Iterable[PartyDocument] | None) -> str:
    """Name all parties in one line; None: nobody has asked for them yet."""
    if parties is None:
        return "not read yet"
    return "; ".join(("" if party["certain"] else "possibly ") + one_in_words(party) for party in parties)


def one_in_words(party: PartyDocument) -> str:
    """Name a party by all that is known of it."""
    return ", ".join(_named(party)) or "somebody"


def _named(party: PartyDocument) -> Iterator[str]:
    agent = party.get("agentName") or party.get("agentId")
    queue = party.get("queueName") or party.get("queueId")
    if agent:
        yield f"agent {agent} (queue {queue})" if queue else f"agent {agent}"
    elif queue:
        yield f"queue {queue}"
    numbers = [
        f"{word} {without_scheme(party[name])}" for word, name in (("from", "ani"), ("to", "dnis")) if party.get(name)
    ]
    if numbers:
        yield " ".join(numbers)
    yield from (f"{word} {party[name]}" for word, name in _REST.items() if party.get(name))


_REST = {"contact": "contactId", "division": "division"}


def without_scheme(address: str) -> str:
    """A telephone number or address without its scheme; Genesys writes ``tel:+12025550100``."""
    return re.sub(r"^(?:tel|sips?):", "", address)

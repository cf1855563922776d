"""Parties by sidecars that were written before parties were asked for: by what the source said then.

Which leg was recorded is not asked again: whoever the columns do not name took part possibly.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from recording_archive.model import Party
from recording_archive.parties import conversation, interaction
from recording_archive.parties.main import others


def parties_in(fields: Mapping[str, Any], attributes: Mapping[str, Any]) -> tuple[Party, ...]:
    """List who took part beside those of ``attributes``, which have the names of columns."""
    document = fields.get("conversation")
    if not isinstance(document, Mapping):
        return others(interaction.parties_of(fields), attributes)
    names = _names(fields, attributes)
    leg = conversation.Leg(None, alone=False)
    found = conversation.parties_of(document, leg, lambda kind, name: names.get((kind, name)))
    return tuple(replace(party, certain=False) for party in others(found, attributes))


def _names(fields: Mapping[str, Any], attributes: Mapping[str, Any]) -> dict[tuple[str, str], str | None]:
    """Return the names that were known then: of all agents, and of the queue that the columns name."""
    agents = fields.get("agents")
    found = {
        (conversation.USER, str(each.get("id"))): each.get("name")
        for each in (agents if isinstance(agents, list) else ())
        if isinstance(each, Mapping)
    }
    return found | {(conversation.QUEUE, str(attributes.get("queue_id"))): attributes.get("queue_name")}

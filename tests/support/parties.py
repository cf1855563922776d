"""Parties of recordings, and one number in the spellings that sources and people use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from recording_archive.archive import Archive

CALLED = "+442079460958"
SPELLED = (
    *(CALLED, "442079460958", "00442079460958", "02079460958", "020 7946 0958", "+44 20 7946 0958"),
    *("+44 (0)20 7946 0958", "tel:+442079460958", "TEL:+44-20-7946-0958", "tel:+442079460958;ext=12"),
    *("sip:+442079460958@acme.example", "sips:+442079460958@acme.example;user=phone", "\u202a+442079460958\u202c"),
    *("+44\u201120\u20117946\u20110958", "+44\u00a020\u00a07946\u00a00958"),
    "".join(chr(ord(each) + 0xFEE0) for each in CALLED),  # full width
)
"""Sixteen spellings; those without a country are British."""

TRANSFERRED = {"agentId": "agent-t", "agentName": "Tömas Ryan", "queueId": "queue-e", "queueName": "Escalation"}


def in_region(archive: Archive, region: str) -> Archive:
    """The same archive where numbers without a country are of this region."""
    return replace(archive, settings=archive.settings.model_copy(update={"phone_region": region}))


def party(*, certain: bool = True, **told: Any) -> dict[str, Any]:
    """A party as the catalog has it."""
    return {**told, "certain": certain}

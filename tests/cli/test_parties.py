"""Holds and rules meant for anybody who took part, and for a number in any spelling, from listing to retention."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from genesys_sandbox import Sandbox, SandboxOptions
from recording_archive.archive import Archive
from recording_archive.settings import read_settings
from support.commands import Command
from support.contents import row_of
from support.retention_run import EXPIRED, QUARANTINE, at, enforce
from support.runner import Runner

LONDON = (  # one number, as sources and people write it
    "+442079460958",
    "00442079460958",
    "020 7946 0958",
    "442079460958",
    "+44 (0)20 7946 0958",
    "+44.20.7946.0958",
    "sip:+442079460958@acme.example",
    "sip:+442079460958@acme.example;user=phone",
    "tel:+442079460958;ext=12",
    "TEL:+442079460958",
    "tel:+44-20-7946-0958",
    "\u202a+442079460958\u202c",
    "+44\u201120\u20117946\u20110958",
    "\uff0b\uff14\uff14\uff12\uff10\uff17\uff19\uff14\uff16\uff10\uff19\uff15\uff18",
    "\u00a0+44\u00a020\u00a07946\u00a00958",
    "+44 20 7946 0958 x12",
)
WHY = ("--matter", "M", "--reason", "R", "--json")
GUID = "4f2a9c00-0000-4000-8000-00000000000{}"
MAIN = {
    **{"agentId": GUID.format(1), "agentName": "Anna", "queueId": GUID.format(2), "queueName": "Sales"},
    **{"ani": "+14155550100", "dnis": "+14155550101", "division": "Home", "contactId": GUID.format(3)},
}
SECOND = {
    **{"agentId": GUID.format(4), "agentName": "Bo", "queueId": GUID.format(5), "queueName": "Billing"},
    **{"ani": "+442079460958", "dnis": "+14155550101", "division": "Finance", "contactId": GUID.format(6)},
}
POLICY = b"name: p\ndefaultDays: 90\nrules:\n  - {name: finance, days: 2555, divisions: [finance]}\n"


@pytest.fixture(scope="module")
def offer() -> Iterator[Sandbox]:
    """As many small recordings as there are spellings."""
    options = SandboxOptions(
        days=1, per_day=len(LONDON), min_bytes=2_000, max_bytes=4_000, end=date(2026, 11, 21), rate_per_minute=0
    )
    with Sandbox(options) as sandbox:
        yield sandbox


def listed(offer: Sandbox, archive: Archive, *entries: dict[str, Any]) -> list[str]:
    """Archive the day, whose first recordings the source lists with these fields; return the ids of all."""
    recordings = list(offer.library)
    for place, recording in enumerate(recordings):
        recording.fields.pop("participants", None)
        recording.fields.update(MAIN | (entries[place] if place < len(entries) else {}))
    assert not Runner(offer)(archive, "scheduled__1").failed
    return [recording.id for recording in recordings]


def states(archive: Archive, names: list[str]) -> list[str]:
    """The states of recordings after two runs of retention: one that quarantines, and one that purges."""
    enforce(at(archive, EXPIRED), "retention__1")
    enforce(at(archive, EXPIRED + QUARANTINE + timedelta(days=1)), "retention__2")
    return [row_of(archive, name).state for name in names]


@pytest.mark.parametrize(
    "asked",
    [
        ("--agent", "BO"),
        ("--agent", GUID.format(4).upper()),
        ("--queue", "billing"),
        ("--queue", GUID.format(5)),
        ("--number", "+44 (0)20 7946-0958"),
        ("--agent", "Bo", "--queue", "Sales"),
    ],
)
def test_a_hold_on_the_second_party_keeps_the_recording(
    command: Command, archive: Archive, offer: Sandbox, asked: tuple[str, ...]
) -> None:
    """By agent, queue or customer, and by one of each; a year later it lies there, and the others are purged."""
    names = listed(offer, archive, {"participants": [MAIN, SECOND]}, {})[:2]
    told = json.loads(command("hold", "create", *WHY, *asked).out)
    assert (told["effect"]["held"], told["effect"]["possiblyHeld"], told["warning"]) == (1, 0, None)
    assert states(archive, names) == ["archived", "purged"]


def test_a_rule_for_the_second_division_keeps_the_recording(
    command: Command, archive: Archive, offer: Sandbox, tmp_path: Any
) -> None:
    """For its 7 years; one whose division nobody told is kept as well, and the plan says why."""
    names = listed(offer, archive, {"participants": [MAIN, SECOND]}, {"division": None}, {})[:3]
    (tmp_path / "policy.yaml").write_bytes(POLICY)
    assert command("retention", "adopt", str(tmp_path / "policy.yaml")).code == 0
    kept = json.loads(command("retention", "forecast", "--json").out)
    assert kept["inForce"]["possiblyLonger"]["recordings"] == 0
    plan = enforce(at(archive, EXPIRED), "retention__0", dry_run=True).plan
    assert (plan.kept["too_young"], plan.kept["possibly_longer"]) == (1, 1)
    assert states(archive, names) == ["archived", "archived", "purged"]


def test_a_number_in_any_spelling_is_held_whatever_the_source_writes(
    command: Command, archive: Archive, offer: Sandbox
) -> None:
    """Sixteen by sixteen: held, or possibly held where one of the two has no country; never due."""
    listed(offer, archive, *({"ani": spelled} for spelled in LONDON))
    for number, spelled in enumerate(LONDON):
        told = json.loads(command("hold", "create", *WHY, "--number", spelled).out)
        effect = told["effect"]
        assert (effect["held"] + effect["possiblyHeld"], told["warning"]) == (len(LONDON), None), spelled
        plan = enforce(at(archive, EXPIRED), f"retention__{number}", dry_run=True).plan
        assert plan.counts["quarantine"] == 0, spelled
        assert (plan.kept["held"], plan.kept.get("possibly_held", 0)) == (effect["held"], effect["possiblyHeld"])
        command("hold", "release", told["id"], "--reason", "over")
    assert enforce(at(archive, EXPIRED), "retention__last").quarantined == len(LONDON)


@pytest.mark.parametrize("region", ["", "US"])
@pytest.mark.parametrize("spelled", ["(202) 555-0153", "2025550153", "011 1 202 555 0153", "202.555.0153"])
def test_a_number_without_a_country_is_read_by_the_region(
    command: Command,
    archive: Archive,
    offer: Sandbox,
    monkeypatch: pytest.MonkeyPatch,
    *,
    region: str,
    spelled: str,
) -> None:
    """Held where the settings name one, and possibly held where they do not."""
    names = listed(offer, archive, {"ani": "tel:+12025550153"}, {"ani": "+33155500153"})[:2]
    monkeypatch.setenv("RECORDING_ARCHIVE_PHONE_REGION", region)
    read_settings.cache_clear()
    told = json.loads(command("hold", "create", *WHY, "--number", spelled).out)
    found = (told["effect"]["held"], told["effect"]["possiblyHeld"], told["warning"])
    assert found == ((1, 0, None) if region else (0, 1, None))
    assert states(archive, names) == ["archived", "purged"]

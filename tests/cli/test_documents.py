"""`take-up` on the command line."""

from __future__ import annotations

import json

from recording_archive.archive import Archive
from recording_archive.cli import basics
from recording_archive.holds import find
from support.commands import Command
from support.contents import events_of
from support.hold_files import hold, put_hold, put_release


def test_documents_are_taken_up_by_the_user(command: Command, archive: Archive) -> None:
    """Several at once, in the order given, each with its effect; the event has the user's name."""
    first, second = put_hold(archive, "H-20261124-00000f"), put_release(archive, hold(archive))
    ended = command("take-up", first, second, "--reason", "ours")
    hold_id = second.removeprefix("holds/").removesuffix(".released.json")
    assert ended.out.splitlines() == [
        f"taken up: {first}: hold H-20261124-00000f holds",
        f"taken up: {second}: hold {hold_id} is released",
    ]
    assert events_of(archive, "released")[0].actor == basics.user()
    assert [each.id for each in find(archive, active=True)] == ["H-20261124-00000f"]
    again = json.loads(command("take-up", first, "--reason", "ours", "--json").out)
    assert again == [{"filePath": first, "takenUp": False, "effect": "hold H-20261124-00000f holds"}]


def test_what_cannot_be_taken_up_is_named(command: Command, archive: Archive) -> None:
    """Exit code 2, one line, and no event."""
    ended = command("take-up", "reports/x.json", "--reason", "r")
    assert ended.code == 2
    assert "reports/x.json is no hold, release, policy or access document" in ended.err
    assert command("take-up", "holds/H-20261124-00000f.json", "--reason", "r").code == 2
    assert command("take-up", "holds/H-20261124-00000f.json").code == 2
    assert events_of(archive, "held") == []

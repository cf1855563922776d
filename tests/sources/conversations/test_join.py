"""Attributes of a recording, joined from conversation, metadata and names."""

from __future__ import annotations

import json

from sqlalchemy import select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import recordings
from recording_archive.model import PartId
from support.platform_run import Start, run, trapped, verified_parts
from support.whole_run import sidecar_of


def test_two_recordings_have_the_agent_of_their_own_leg(start: Start, archive: Archive) -> None:
    """After a transfer only the recording's session tells who is heard."""
    tasks = start("transfers")
    ended = run(tasks, archive, "scheduled__0")
    verified_parts(tasks, archive, ended)
    with archive.catalog.read() as connection:
        found = {(row.interaction_id, row.recording_id): row for row in connection.execute(select(recordings))}
    for each in tasks.cloud.world.conversations:
        for item in each.items:
            row, fields = found[each.id, item.id], item.parts[0].fields
            assert (row.agent_id, row.agent_name) == (fields["agentId"], fields["agentName"])


def test_a_large_run_names_no_agent_it_is_not_sure_of(start: Start) -> None:
    """A recording after a transfer then has no agent to search by; its sidecar has all."""
    tasks = start("transfers")
    parts = [PartId.whole(each) for each in trapped(tasks, "transfers")]
    listed = list(tasks.source().resolve(parts, thrifty=True))
    listed = [each for each in listed if len({agent["id"] for agent in each.source_fields["agents"]}) == 2]
    assert {each.attributes.agent_id for each in listed} == {None}
    assert tasks.cloud.requests.counts["metadata"] == 0


def test_the_join_fills_what_people_search_by(start: Start, archive: Archive) -> None:
    """Names, numbers, direction, queue, division; contact; the whole reply and wrap-up are in the sidecar."""
    tasks = start()
    run(tasks, archive, "scheduled__0")
    one = tasks.cloud.world.conversations[0]
    with archive.catalog.read() as connection:
        row = connection.execute(select(recordings).where(recordings.c.interaction_id == one.id)).one()
    names = {"agent_name": "agentName", "queue_name": "queueName", "ani": "ani", "dnis": "dnis", "division": "division"}
    assert {ours: getattr(row, ours) for ours in names} == {ours: one.fields[name] for ours, name in names.items()}
    assert (row.direction, row.media_type, row.interaction_date) == (one.fields["direction"], "voice", one.start)
    fields = json.loads(archive.store.read(sidecar_of(row.key)))["sourceFields"]
    assert fields["conversation"]["conversationId"] == one.id
    assert [(each["name"], each["note"]) for each in fields["wrapUps"]] == [(one.fields["wrapUpCode"], "Noted.")]
    assert row.contact_id == fields["conversation"]["participants"][0]["externalContactId"]

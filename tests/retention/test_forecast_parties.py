"""Recordings that are alike for the rules are counted together."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import func, insert, select

from recording_archive.archive import Archive
from recording_archive.catalog.tables import recordings
from recording_archive.retention.forecast_parties import alike, common_parties, read_parties

FINANCE = {"queueName": "Finance", "certain": True}


def test_the_database_and_we_tell_the_same_things_apart(archive: Archive) -> None:
    """Parties count by what rules ask for: numbers make no two groups, whether they are certain does."""
    told: list[list[dict[str, Any]] | None] = [
        [],
        None,
        [{**FINANCE, "ani": "+1"}],
        [{**FINANCE, "ani": "+2"}],
        [{**FINANCE, "certain": False}],
    ]
    rows = [
        {"interaction_id": str(number), "recording_id": "r", "part": 0, "state": "archived", "parties": parties}
        for number, parties in enumerate(told)
    ]
    with archive.catalog.write() as connection:
        connection.execute(insert(recordings), rows)
        text = common_parties(connection.dialect.name, ["queue_name"])
        found = connection.execute(select(text, func.count()).group_by(text)).all()
    read = {json.dumps(read_parties(each)): count for each, count in found}
    wanted = [alike(parties, ["queue_name"]) for parties in told]
    assert read == {json.dumps(read_parties(each)): wanted.count(each) for each in set(wanted)}
    assert sorted(read.values()) == [1, 1, 1, 2]

"""Names of agents and queues, looked up once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from recording_archive.archive import Archive
from recording_archive.model import PartId
from support.platform_run import Start, run


def test_names_are_looked_up_once(start: Start, archive: Archive, tmp_path: Path) -> None:
    """Agents who left as well; the next task finds them in the file, and a missing permission costs the name alone."""
    tasks = start()
    kept = replace(tasks, options={"names_file": tmp_path / "names.json"})
    run(kept, archive, "scheduled__0")
    asked = tasks.cloud.requests.counts["directory"]
    first = json.loads((tmp_path / "names.json").read_text())["names"]
    assert any(name.endswith("1") for name in first["users"].values())
    parts = [PartId.whole(each.id) for each in tasks.cloud.world.conversations]
    assert all(each.attributes.agent_name for each in kept.source().resolve(parts))
    assert tasks.cloud.requests.counts["directory"] == asked
    assert (tmp_path / "names.json").stat().st_mode & 0o77 == 0
    poor = start(permissions="analytics:conversationDetail:view,recording:recording:view")
    listed = next(poor.source().resolve([PartId.whole(poor.cloud.world.conversations[0].id)]))
    assert (listed.attributes.queue_name, listed.defect) == (None, None)
    assert listed.attributes.queue_id

"""The session in docs/api.md, run as it stands."""

from __future__ import annotations

import json
import os
import re
import subprocess
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

from sqlalchemy import update

from recording_archive.catalog.tables import recordings
from support.site import ROOT, Site


def test_the_documented_session_works(site: Site, tmp_path: Path) -> None:
    """Every command succeeds, and what it fetched is what the text says."""
    with site.archive.catalog.write() as connection:  # something to acknowledge
        failed = {"failed_since": site.archive.clock() - timedelta(days=20), "last_error": "HTTP 404"}
        same = recordings.c.interaction_id == "discovered-1"
        connection.execute(update(recordings).where(same).values(**failed))
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / "api.md").read_text(), re.S)
    script = "set -euo pipefail\n" + "".join(blocks)
    environment = {**os.environ, "AIRFLOW": site.url, "NAME": "admin", "PASSWORD": "admin", "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        ["bash", "-c", script], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = {path.name: json.loads(path.read_text()) for path in tmp_path.glob("*.json")}
    assert all("billing" in item["queueName"].lower() for item in told["found.json"]["items"])
    assert len((tmp_path / "recordings.csv").read_text().splitlines()) > 6
    media = (tmp_path / "call.wav").read_bytes()
    assert sha256(media).hexdigest() == told["details.json"]["sha256"]
    assert (tmp_path / "piece.bin").read_bytes() == media[1000:2000]
    assert told["peaks.json"]["peaks"]
    assert told["compliance_report.json"]["runId"] == told["runs.json"]["items"][0]["runId"]
    (day,) = told["coverage.json"]["days"]
    assert (day["date"], day["state"], day["missing"]) == ("2026-11-20", "missing", 1)
    assert told["hold.json"]["effect"] == told["held.json"]["effect"]
    assert told["hold.json"]["effect"]["held"] > 0
    assert (told["released.json"]["id"], told["released.json"]["releasedBy"]) == (told["hold.json"]["id"], "admin")
    assert len(told["forecast.json"]["inForce"]["months"]) == 12
    assert told["compared.json"]["proposed"]["policy"]["name"] == "shorter"
    assert told["acknowledged.json"]["parts"][0]["refused"] is None

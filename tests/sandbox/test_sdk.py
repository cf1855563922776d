"""The official Python SDK drives the sandbox through the calls we use: a check that the sandbox is faithful.

It is far too heavy to be a dependency, so it lives in a virtual environment of its own, whose interpreter
``GENESYS_SDK_PYTHON`` names: ``python -m venv V && V/bin/pip install PureCloudPlatformClientV2``.
"""

from __future__ import annotations

import json
import os
import subprocess
from datetime import date
from pathlib import Path

import pytest

from genesys_sandbox import Sandbox, SandboxOptions

PYTHON = os.environ.get("GENESYS_SDK_PYTHON", "")
PROGRAM = Path(__file__).parents[1] / "programs" / "official_sdk.py"


@pytest.mark.long
@pytest.mark.skipif(
    not Path(PYTHON or "/nowhere").exists(), reason="GENESYS_SDK_PYTHON names no interpreter that has the official SDK"
)
def test_the_official_sdk_understands_the_sandbox() -> None:
    """Login, details, jobs, batches, playback, restore, metadata, annotations, inventory, names: all by its models."""
    options = SandboxOptions(
        days=2,
        per_day=20,
        min_bytes=2000,
        max_bytes=4000,
        end=date(2026, 11, 21),
        traps="archived,transcoding,digital,orphans",
        data_lag_hours=0,
    )
    with Sandbox(options) as cloud:
        given = json.dumps({"base": cloud.api_base, "id": cloud.client_id, "secret": cloud.client_secret})
        ended = subprocess.run([PYTHON, PROGRAM], input=given, capture_output=True, text=True, timeout=300, check=False)
        assert ended.returncode == 0, ended.stderr[-3000:]
        told = json.loads(ended.stdout.splitlines()[-1])
        assert told["conversations"] == told["jobConversations"] == len(cloud.world.conversations)
        assert told["inventory"] + told["orphans"] == len(cloud.world.truth())
        assert told["restored"] == "RESTORING"
        assert told["played"]
        assert told["annotations"] == ["Bookmark", "Hold"]
        assert told["orphans"] == 3
        assert told["results"] == 5
        assert set(told["agents"]) <= {recording.fields["agentName"] for recording in cloud.library}

"""The sandbox as a whole and as a command: options, announcement, end."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests

from genesys_sandbox import Fault, Sandbox, SandboxOptions
from support.sandbox_client import EVERYTHING, TIMEOUT_S, bearer


@pytest.mark.parametrize("wrong", [{"min_bytes": 44}, {"min_bytes": 9, "max_bytes": 8}, {"faults": "x"}, {"days": 0}])
def test_options_that_make_no_sense_are_refused(wrong: dict[str, Any]) -> None:
    """Contradictions fail before anything is started."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        SandboxOptions(**wrong)


def test_close_ends_waits_and_connections() -> None:
    """Leaving the sandbox does not wait for a hanging reply, and frees the port."""
    before = set(threading.enumerate())
    sandbox = Sandbox(SandboxOptions(per_day=0)).start()
    sandbox.faults.add(Fault("hang", "query", seconds=60))
    parts, headers = urlsplit(sandbox.api_base), bearer(sandbox)
    address = (parts.hostname or "", parts.port or 0)
    idle = socket.create_connection(address, timeout=TIMEOUT_S)
    waiting = HTTPConnection(*address, timeout=TIMEOUT_S)
    waiting.request("POST", "/api/v2/recording/interactions/query", json.dumps({"filter": EVERYTHING}), headers)
    while not sandbox.requests.counts["query"]:
        time.sleep(0.005)
    start = time.monotonic()
    sandbox.close()
    assert idle.recv(1) == b""
    with suppress(OSError, HTTPException):
        waiting.getresponse()
    while set(threading.enumerate()) - before:
        assert time.monotonic() - start < 5
        time.sleep(0.005)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=TIMEOUT_S)
    sandbox.close()  # again does no harm


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_announces_itself_and_ends_on_a_signal(number: signal.Signals) -> None:
    """The command prints addresses and an Airflow connection that work, and ends with status 0."""
    flags = ["--days", "1", "--per-day", "2", "--max-bytes", "100000", "--client-secret", "s3cret"]
    command = [sys.executable, "-m", "genesys_sandbox", *flags]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        addresses, connection = process.stdout.readline(), process.stdout.readline()
        name, _, value = connection.strip().partition("=")
        found = json.loads(value.strip("'"))
        assert name == "AIRFLOW_CONN_GENESYS_CLOUD_DEFAULT"
        assert found["extra"]["api_base"] in addresses
        token = requests.post(
            f"{found['extra']['login_base']}/login/oauth2/token",
            auth=(found["login"], found["password"]),
            data={"grant_type": "client_credentials"},
            timeout=TIMEOUT_S,
        )
        assert token.status_code == 200
        process.send_signal(number)
        assert process.wait(TIMEOUT_S) == 0


def test_command_refuses_nonsense() -> None:
    """Options that contradict each other end the command with status 2 and the reason."""
    command = [sys.executable, "-m", "genesys_sandbox", "--days", "0"]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert (ended.returncode, "days must be at least 1" in ended.stderr) == (2, True)

"""Agents and queues of the sandbox, with ids that follow from their names."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

AGENTS = 12
QUEUES = ("Billing", "Claims", "Orders", "Support")


def agent_named(number: int) -> tuple[str, str]:
    """Id and name of the agent of that number, from 1 to `AGENTS`."""
    return _id(f"agent {number}"), f"Agent {number:02}"


def queue_named(name: str) -> tuple[str, str]:
    """Id and name of a queue."""
    return _id(f"queue {name}"), name


def agent_after(fields: Mapping[str, Any]) -> tuple[str, str]:
    """The agent to whom the one of ``fields`` transfers."""
    return agent_named(int(str(fields["agentName"]).rpartition(" ")[2]) % AGENTS + 1)


def queue_after(fields: Mapping[str, Any]) -> tuple[str, str]:
    """The queue to which that of ``fields`` transfers."""
    return queue_named(QUEUES[(QUEUES.index(fields["queueName"]) + 1) % len(QUEUES)])


def _id(words: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_OID, words))

"""One request to the platform API as its routes see it, and the errors they answer with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from genesys_sandbox.cloud import Cloud
from genesys_sandbox.recordings.world import World
from genesys_sandbox.reply import Reply, api_error, json_reply


class BadRequestError(ValueError):
    """A request that is answered with 400 and this message."""


@dataclass(frozen=True, slots=True)
class Call:
    """Path parameters, query parameters (repeated ones joined by commas) and the decoded JSON body."""

    cloud: Cloud
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Any

    @property
    def world(self) -> World:
        """The conversations."""
        return self.cloud.world

    @property
    def permissions(self) -> frozenset[str]:
        """Permissions of the client's role."""
        return frozenset(self.cloud.options.permissions.split(","))

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number of the query between 1 and ``most``."""
        text = self.query.get(name, str(default))
        if not text.isdecimal() or not 1 <= int(text) <= most:
            raise BadRequestError(f"{name} must be a number from 1 to {most}")
        return int(text)

    def ids(self) -> list[str]:
        """The ids asked for."""
        return [name for name in self.query.get("id", "").split(",") if name]


def answer(payload: object) -> Reply:
    """A 200 with JSON."""
    return json_reply(payload)


def not_found(what: str) -> Reply:
    """A 404."""
    return api_error(404, "not.found", f"The requested {what} was not found.")


def utc_text(moment: datetime) -> str:
    """Date and time as the API writes them: UTC, milliseconds, Z."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

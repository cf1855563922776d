"""A plain client of the sandbox's platform API that validates every reply against the trimmed OpenAPI copy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import jsonschema
import requests

import genesys_sandbox.platform
from genesys_sandbox import Sandbox

OPENAPI = Path(genesys_sandbox.platform.__file__).with_name("openapi.json")
UNLISTED = "/api/v2/authorization/subjects/me"  # general knowledge, not in the copy


@lru_cache(maxsize=1)
def document() -> Any:
    """The trimmed OpenAPI, made strict: a field that it does not know is an error."""
    found = json.loads(OPENAPI.read_text())
    for schema in found["components"]["schemas"].values():
        if "properties" in schema:
            schema["additionalProperties"] = False
    return found


@lru_cache(maxsize=64)
def validator(method: str, path: str, status: int) -> jsonschema.Draft202012Validator | None:
    """Validator of a reply; None where the copy has no schema (202); KeyError where it has no such reply."""
    for template, operations in document()["paths"].items():
        if re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", template), path) and method.lower() in operations:
            responses = operations[method.lower()]["responses"]
            content = responses.get(str(status), responses["200"]).get("content")
            schema = content["application/json"]["schema"] if content else None
            return jsonschema.Draft202012Validator({**schema, "components": document()["components"]})
    raise KeyError(f"{method} {path} is not in the OpenAPI copy")


class PlatformApi:
    """Asks one sandbox with one token."""

    def __init__(self, cloud: Sandbox) -> None:
        self.base = cloud.api_base
        who = (cloud.client_id, cloud.client_secret)
        grant = requests.post(f"{self.base}/oauth/token", {"grant_type": "client_credentials"}, auth=who, timeout=10)
        self.headers = {"Authorization": f"Bearer {grant.json()['access_token']}"}

    def ask(self, method: str, path: str, body: Any = None, **query: Any) -> requests.Response:
        """One request; a success is validated."""
        reply = requests.request(method, self.base + path, params=query, json=body, headers=self.headers, timeout=10)
        if reply.ok and reply.content and path != UNLISTED:
            checker = validator(method, path, reply.status_code)
            assert checker is not None
            checker.validate(reply.json())
        return reply

    def get(self, path: str, **query: Any) -> Any:
        """The JSON of a GET."""
        return self.ask("GET", path, **query).json()

    def details(self, interval: str, **more: Any) -> requests.Response:
        """One page of the details query."""
        return self.ask("POST", "/api/v2/analytics/conversations/details/query", {"interval": interval, **more})

    def batch(self, *items: tuple[str, str | None]) -> Iterator[Any]:
        """Submit a batch and poll it for ever."""
        wanted = [{"conversationId": c, **({"recordingId": r} if r else {})} for c, r in items]
        job = self.ask("POST", "/api/v2/recording/batchrequests", {"batchDownloadRequestList": wanted}).json()["id"]
        while True:
            yield self.get(f"/api/v2/recording/batchrequests/{job}")

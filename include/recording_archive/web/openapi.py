"""The description of the API (OpenAPI 3.1), and the problems that its routes answer with."""

from __future__ import annotations

from typing import Any

from fastapi import Request
from fastapi.openapi.utils import get_openapi

from recording_archive.web.problem import CONTENT_TYPE

_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}
_MEANINGS = {
    400: "The request is malformed",
    401: "Signed out",
    403: "No permission, or a write that another site may have caused",
    404: "There is no such thing; the document says why",
    405: "Another method is needed",
    409: "Not in this state",
    410: "Deleted lawfully",
    412: "The entity tag does not match",
    415: "Only JSON is accepted",
    416: "The range lies behind the end",
    500: "The archive is damaged here",
    503: "Not now; Retry-After says when",
}
COMMON = (400, 401, 403, 500, 503)
_PREFIX = "/api/"


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """FastAPI's ``responses`` for routes that may answer with these, and with what every route may."""
    schema = {CONTENT_TYPE: {"schema": _PROBLEM}}
    return {status: {"description": _MEANINGS[status], "content": schema} for status in sorted({*COMMON, *statuses})}


def describe(request: Request) -> dict[str, Any]:
    """The document, for the API's own routes; its server is wherever the app is mounted."""
    routes = [route for route in request.app.routes if getattr(route, "path", "").startswith(_PREFIX)]
    document = get_openapi(
        title="Recording archive",
        version="1",
        description="Find, hear and prove archived recordings. Every answer needs Airflow's login.",
        routes=routes,
        servers=[{"url": ".."}],
    )
    for operations in document["paths"].values():
        for operation in operations.values():
            operation["responses"].pop("422", None)  # FastAPI's own; here a malformed request is 400
            operation["security"] = [{"bearer": []}, {"cookie": []}]
    document.get("components", {}).get("schemas", {}).pop("HTTPValidationError", None)
    document.get("components", {}).get("schemas", {}).pop("ValidationError", None)
    document.setdefault("components", {})["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "cookie": {"type": "apiKey", "in": "cookie", "name": "_token"},
    }
    return document

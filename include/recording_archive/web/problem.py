"""The exception for an answer that is not the wanted one (RFC 9457); `error_responses` sends it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CONTENT_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 - RFC 9457 calls it a problem
    """An answer that is not the wanted one: ``title`` says what it is, ``detail`` what to do.

    ``members`` become further members of the JSON document, such as a certificate's number.
    """

    def __init__(
        self, status: int, title: str, detail: str = "", *, headers: Mapping[str, str] | None = None, **members: Any
    ) -> None:
        super().__init__(f"{status} {title}")
        self.status, self.title, self.detail = status, title, detail
        self.headers = dict(headers or {})
        self.members = members

    def to_json(self) -> dict[str, Any]:
        """The document; its type is ``about:blank``: the status says it all."""
        detail = {"detail": self.detail} if self.detail else {}
        return {"type": "about:blank", "title": self.title, "status": self.status, **detail, **self.members}

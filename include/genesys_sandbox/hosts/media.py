"""The media host: audio at signed URLs, in whole or by range (RFC 9110, 13 and 14), errors as S3 gives them."""

from __future__ import annotations

import re

from genesys_sandbox.cloud import media_name
from genesys_sandbox.faults.media import etag, flip, shift_range
from genesys_sandbox.faults.replies import disturb
from genesys_sandbox.hosts.wire import Exchange
from genesys_sandbox.recordings.recording import Recording
from genesys_sandbox.reply import FileSlice, Reply, xml_error
from genesys_sandbox.settings.fault import MODIFIERS, Fault

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class MediaExchange(Exchange):
    """Requests to the media host. It knows nothing of access tokens, and refuses a request that shows it one."""

    def endpoint(self) -> str:
        """Everything here is media, wrong paths included."""
        return "media"

    def answer(self, body: bytes) -> Reply:
        """The audio, or an XML error."""
        name = self.route.removeprefix("/media/")
        recording = self.cloud.recording(name.rpartition(".")[0])
        if self.command not in ("GET", "HEAD") or body:
            return xml_error(405, "MethodNotAllowed", "Only GET and HEAD.").with_headers(Allow="GET, HEAD")
        if recording is None or self.route != f"/media/{media_name(recording)}":
            return xml_error(404, "NoSuchKey", "The specified key does not exist.")
        return self._refusal(name) or self._media(recording)

    def _refusal(self, name: str) -> Reply | None:
        if self.authorization:
            return xml_error(400, "InvalidArgument", "Only one auth mechanism allowed: the signature is in the URL.")
        refusal = self.cloud.urls.refusal(name, self.query)
        return xml_error(*refusal) if refusal else None

    def _media(self, recording: Recording) -> Reply:
        asked = self.command == "GET"
        faults = self.cloud.faults.due("media", recording, ranged="Range" in self.headers) if asked else []
        fault = next((fault for fault in faults if fault.kind not in MODIFIERS), None)
        if fault and fault.kind == "expired":
            self.cloud.urls.kill(media_name(recording), fault.status or 403)
            return self._refusal(media_name(recording)) or Reply(403)
        reply = self._sound(recording, etag(recording, faults), fault)
        return disturb(reply, fault, url=self.path) if fault else reply

    def _sound(self, recording: Recording, tag: str | None, fault: Fault | None) -> Reply:
        size = recording.size_bytes
        found = shift_range(self._range(size, tag), size, fault)
        headers = {"Content-Type": recording.mime_type, "Accept-Ranges": "bytes"} | ({"ETag": tag} if tag else {})
        if found is not None and not found:
            return xml_error(416, "InvalidRange", "Not satisfiable").with_headers(Content_Range=f"bytes */{size}")
        if found is not None:
            headers["Content-Range"] = f"bytes {found.start}-{found.stop - 1}/{size}"
        window = range(size) if found is None else found
        body = (FileSlice(recording.path, window.start, len(window)),)
        if fault and fault.kind == "wrong_bytes":
            return Reply(200 if found is None else 206, flip(recording, window, fault), headers)
        return Reply(200 if found is None else 206, body, headers)

    def _range(self, size: int, tag: str | None) -> range | None:
        """The bytes asked for; None means all, an empty range that nothing can be sent.

        Several ranges, or an If-Range that is not this strong ETag, are answered with the whole: both are allowed.
        """
        match = _RANGE.fullmatch(self.headers.get("Range", "").replace(" ", ""))
        condition = self.headers.get("If-Range")
        if match is None or match.group() == "bytes=-" or self.command != "GET":
            return None
        if condition is not None and (condition != tag or condition.startswith("W/")):
            return None
        first, last = match.groups()
        if not first:
            return range(max(0, size - int(last)), size)
        if last and int(last) < int(first):
            return None  # RFC 9110, 14.1.1: an invalid range is ignored
        return range(int(first), min(int(last) + 1 if last else size, size))

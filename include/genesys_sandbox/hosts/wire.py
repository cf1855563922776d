"""HTTP/1.1 on a socket of our own: a listener with a thread per connection, and the sending of a `Reply`.

Only the standard library, yet fast: keep-alive, no Nagle delay, files by ``sendfile``.
"""

from __future__ import annotations

import socket
import socketserver
import ssl
import struct
import sys
import threading
from collections.abc import Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from genesys_sandbox.cloud import Cloud
from genesys_sandbox.recorder import Request
from genesys_sandbox.reply import READ_BYTES, Body, FileSlice, Framing, Reply, cut_body, read_body

_SENDFILE_BYTES = 8 * 2**20
_MAX_REQUEST_BYTES = 512_000  # Genesys' own `request.bytes.max`
_FILLER = bytes(READ_BYTES)


class Listener(ThreadingHTTPServer):
    """One port; binds at once, serves between `start` and `close`."""

    daemon_threads = True
    request_queue_size = 512

    def __init__(self, address: tuple[str, int], exchange: type[Exchange], certificate: Path | None = None) -> None:
        self.cloud: Cloud
        self._tls = _context(certificate) if certificate else None
        self._open: set[socket.socket] = set()
        super().__init__(address, exchange)

    @property
    def port(self) -> int:
        """The port in use, also when 0 was asked for."""
        return int(self.server_address[1])

    def server_bind(self) -> None:
        """Bind without the reverse DNS look-up of HTTPServer, which can take seconds."""
        socketserver.TCPServer.server_bind(self)

    def start(self, cloud: Cloud) -> None:
        """Serve in a thread."""
        self.cloud = cloud
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def close(self) -> None:
        """Take no more connections, and end those that are open."""
        if hasattr(self, "cloud"):
            self.shutdown()
        self.server_close()
        for connection in tuple(self._open):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # its own thread was faster

    def get_request(self) -> tuple[socket.socket, Any]:
        """Take a connection; its thread shakes hands when it reads."""
        connection, address = super().get_request()
        if self._tls:
            connection = self._tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, so that `close` can end it."""
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection and close it."""
        self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no error here; anything else gets its traceback on stderr."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class Exchange(BaseHTTPRequestHandler):
    """One connection with its requests; a subclass says which endpoints it knows and what it answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Listener
    route: str
    query: dict[str, str]
    request_log: Request

    def endpoint(self) -> str | None:
        """The name of what is asked, for counters and faults; None leaves the request out of both."""
        raise NotImplementedError

    def answer(self, body: bytes) -> Reply:
        """The reply to this request."""
        raise NotImplementedError

    @property
    def cloud(self) -> Cloud:
        """State that both hosts share."""
        return self.server.cloud

    @property
    def authorization(self) -> str:
        """The Authorization header, or nothing."""
        return str(self.headers.get("Authorization", ""))

    def serve(self) -> None:
        """Note the request, answer it, and send the answer."""
        url = urlsplit(self.path)
        self.route = unquote(url.path)
        self.query = dict(parse_qsl(url.query))
        endpoint, (host, port) = self.endpoint(), self.server.server_address[:2]
        self.request_log = Request(
            endpoint or "control", self.command, f"{host!s}:{port}", self.route, dict(self.headers.items())
        )
        if endpoint:
            self.cloud.requests.open(self.request_log)
        body = self._read_body()
        self._send(self.answer(body) if body is not None else Reply(413))

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = serve  # noqa: N815  # names of the base class

    def version_string(self) -> str:
        """The Server header: no Python version, as a real host would not tell either."""
        return "GenesysSandbox"

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the recorder has it all."""

    def _read_body(self) -> bytes | None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > _MAX_REQUEST_BYTES or "Transfer-Encoding" in self.headers:
            self.close_connection = True
            return None
        return self.rfile.read(int(length))

    def _send(self, reply: Reply) -> None:
        self.cloud.stopping.wait(reply.wait_s)
        if reply.drop:
            self._reset()
            return
        self._send_head(reply)
        if self.command != "HEAD":
            self._send_body(reply)

    def _send_head(self, reply: Reply) -> None:
        self.request_log.status = reply.status
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        match reply.framing:
            case Framing.LENGTH:
                self.send_header("Content-Length", str(reply.size + reply.length_error))
            case Framing.CHUNKED:
                self.send_header("Transfer-Encoding", "chunked")
            case Framing.CLOSE:
                self.send_header("Connection", "close")
        if reply.length_error or reply.stop_after is not None:
            self.close_connection = True
        self.end_headers()

    def _send_body(self, reply: Reply) -> None:
        self.cloud.stopping.wait(reply.body_wait_s)
        chunked = reply.framing is Framing.CHUNKED
        for piece in _pieces(reply):
            self._send_piece(piece, chunked=chunked)
            self.cloud.stopping.wait(reply.piece_wait_s)
        while reply.endless and not self.cloud.stopping.is_set():
            self._send_piece(_FILLER, chunked=chunked)
        if reply.stop_after is not None:
            if reply.reset:
                self._reset()
        elif chunked:
            self.connection.sendall(b"0\r\n\r\n")

    def _send_piece(self, piece: bytes | FileSlice, *, chunked: bool) -> None:
        if isinstance(piece, FileSlice):
            self._send_file(piece)
            return
        self.cloud.requests.count_bytes(self.request_log, len(piece))
        self.connection.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)

    def _send_file(self, piece: FileSlice) -> None:
        with piece.path.open("rb") as file:
            for start in range(0, piece.size, _SENDFILE_BYTES):
                offset, count = piece.offset + start, min(_SENDFILE_BYTES, piece.size - start)
                file.seek(offset)
                self.cloud.requests.count_bytes(self.request_log, count)
                try:
                    self.connection.sendfile(file, offset, count)
                except OSError:
                    self.cloud.requests.count_bytes(self.request_log, file.tell() - offset - count)
                    raise

    def _reset(self) -> None:
        """End the connection with RST instead of FIN, so that the client gets an error and not an end of file.

        With no time to linger the last close resets; it comes when the base class lets go of its reader.
        """
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()


def _context(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def _pieces(reply: Reply) -> Iterable[bytes | FileSlice]:
    body: Body = reply.body
    if reply.stop_after is not None:
        body = tuple(cut_body(body, 0, reply.stop_after))
    if reply.piece_bytes or reply.framing is Framing.CHUNKED:
        return read_body(body, reply.piece_bytes or READ_BYTES)
    return body

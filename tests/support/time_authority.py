"""A time-stamp authority on this machine: `openssl ts` behind a small HTTP server, with a CA of its own."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from shutil import which
from threading import Lock, Thread

import pytest

_CONFIG = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/tsa.crt
certs = {folder}/ca.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
ess_cert_id_alg = sha256
"""
_EC = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"


class TimeAuthority:
    """An authority: ``url`` to ask, ``ca`` to trust; while ``fault`` is set it answers with that status and text."""

    def __init__(self, folder: Path) -> None:
        if which("openssl") is None:
            pytest.skip("needs the openssl program")
        self.ca, self.asked = folder / "ca.pem", 0
        self._folder, self._lock = folder, Lock()
        self.fault: tuple[int, bytes] | None = None
        (folder / "serial").write_text("01\n")
        (folder / "tsa.cnf").write_text(_CONFIG.format(folder=folder))
        (folder / "use").write_text("extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\n")
        for command in (
            f"req -x509 {_EC} -keyout ca.key -out ca.pem -days 2 -subj /CN=Test-Time-CA "
            "-addext keyUsage=critical,keyCertSign,cRLSign",
            f"req {_EC} -keyout tsa.key -out tsa.csr -subj /CN=Test-Time",
            "x509 -req -in tsa.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile use -out tsa.crt",
        ):
            subprocess.run(["openssl", *command.split()], cwd=folder, check=True, capture_output=True)

    @contextmanager
    def served(self) -> Iterator[str]:
        """Answer at an address for as long as the block runs."""
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                query = self.rfile.read(int(self.headers["Content-Length"]))
                authority.asked += 1
                status, content = authority.fault or (200, authority.answer(query))
                self.send_response(status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        server = HTTPServer(("127.0.0.1", 0), Handler)
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/tsr"
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def answer(self, query: bytes) -> bytes:
        """Stamp what a query asks for."""
        with self._lock:
            (self._folder / "query.tsq").write_bytes(query)
            command = "ts -reply -config tsa.cnf -queryfile query.tsq -out reply.tsr"
            subprocess.run(["openssl", *command.split()], cwd=self._folder, check=True, capture_output=True)
            return (self._folder / "reply.tsr").read_bytes()

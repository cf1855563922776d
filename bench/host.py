"""A media host for measurements: a folder over HTTP on loopback, from a process of its own so that its CPU is not ours.

nginx when it is installed. Otherwise, and where each first byte is to take its time, ``python -m bench.host FOLDER PORT
SECONDS``, a plain server that sends by ``sendfile``; it takes a larger share of the machine, so figures of the two
cannot be compared.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any

_NGINX = """
daemon off; user root; worker_processes 1; pid nginx.pid;
events {{ worker_connections 512; }}
http {{
  access_log off; sendfile on; tcp_nopush on; sendfile_max_chunk 2m; keepalive_requests 100000;
  client_body_temp_path t; proxy_temp_path t; fastcgi_temp_path t; uwsgi_temp_path t; scgi_temp_path t;
  server {{ listen 127.0.0.1:{port}; root "{folder}"; }}
}}
"""  # `user` counts for root alone, whose workers must read a folder that is root's


@contextmanager
def serving(folder: Path, first_byte_s: float = 0.0) -> Iterator[tuple[str, str]]:
    """Serve ``folder``, each file ``first_byte_s`` after it is asked for; yield the base URL and the server's name.

    Raises OSError without one.
    """
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    nginx = shutil.which("nginx", path=os.pathsep.join([*os.get_exec_path(), "/usr/sbin"]))
    with tempfile.TemporaryDirectory(prefix="bench-host-") as scratch, Path(scratch, "log").open("w+b") as log:
        command = [sys.executable, "-m", "bench.host", str(folder), str(port), str(first_byte_s)]
        nginx = None if first_byte_s else nginx
        if nginx:
            configuration = Path(scratch, "nginx.conf")
            configuration.write_text(_NGINX.format(port=port, folder=folder.absolute()))
            command = [nginx, "-p", scratch, "-c", str(configuration), "-e", "stderr"]
        process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            _await(process, port, log)
            yield f"http://127.0.0.1:{port}", "nginx" if nginx else "http.server"
        finally:
            process.terminate()
            process.wait()


def _await(process: subprocess.Popen[bytes], port: int, log: IO[bytes]) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
        else:
            return
    log.seek(0)
    raise OSError(f"the media host does not answer: {log.read().decode(errors='replace')[-500:]}")


class _Files(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    first_byte_s = 0.0

    def do_GET(self) -> None:
        """Send a file, after the wait."""
        time.sleep(self.first_byte_s)
        super().do_GET()

    def copyfile(self, source: Any, outputfile: Any) -> None:
        """Let the kernel send the file: no copy through Python, no GIL held."""
        del outputfile
        self.connection.sendfile(source)

    def log_message(self, *_: object) -> None:
        """Nothing: a line per request would be measured too."""


if __name__ == "__main__":
    ThreadingHTTPServer.request_queue_size = 128
    _Files.first_byte_s = float(sys.argv[3])
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[2])), partial(_Files, directory=sys.argv[1])).serve_forever()

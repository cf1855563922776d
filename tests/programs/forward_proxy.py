"""A small HTTP proxy: tunnels (CONNECT) and absolute-form requests, to the places of a map alone.

``forward_proxy.py LOG LOGIN [HOST:PORT=REAL_PORT …]`` prints its port and ends with its standard input. LOGIN is
``user:password`` or empty. Each request is a line of JSON in LOG. Hosts that are not in the map get 403; names are
never resolved.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from pathlib import Path
from urllib.parse import urlsplit

LOG, LOGIN = Path(sys.argv[1]), sys.argv[2]
PLACES = dict(place.split("=") for place in sys.argv[3:])
WANTED = "Basic " + base64.b64encode(LOGIN.encode()).decode()


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        await exchange(reader, writer)
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


async def exchange(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    line, *fields = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").rstrip("\r\n").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (field.partition(":") for field in fields)}
    method, target, _ = line.split(" ")
    url = urlsplit(f"//{target}" if method == "CONNECT" else target)
    status = 200
    if LOGIN and headers.get("proxy-authorization") != WANTED:
        status = 407
    elif (port := PLACES.get(f"{url.hostname}:{url.port or 80}")) is None:
        status = 403
    with LOG.open("a") as log:
        log.write(json.dumps({"line": line, "headers": headers, "status": status}) + "\n")
    if status != 200 or port is None:
        writer.write(f"HTTP/1.1 {status} No\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())
        return
    onward, into = await asyncio.open_connection("127.0.0.1", int(port))
    if method == "CONNECT":
        writer.write(b"HTTP/1.1 200 Tunnel\r\n\r\n")
    else:
        path = target.removeprefix(f"{url.scheme}://{url.netloc}") or "/"
        kept = [field for field in fields if not field.lower().startswith(("proxy-", "connection:"))]
        into.write("\r\n".join([f"{method} {path} HTTP/1.1", *kept, "Connection: close", "", ""]).encode("latin-1"))
    await asyncio.gather(pour(reader, into), pour(onward, writer))


async def pour(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    try:
        while block := await source.read(65536):
            sink.write(block)
            await sink.drain()
    except OSError:
        pass
    finally:
        sink.close()


async def main() -> None:
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    os._exit(0)  # connections that are still open are nobody's any more


asyncio.run(main())

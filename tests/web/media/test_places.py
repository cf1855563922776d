"""Places for streams: a burst waits for its turn, a user holds no more than a share, and nobody waits for ever."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import anyio
import pytest
import requests

from recording_archive.archive import Archive
from recording_archive.settings import read_settings
from recording_archive.web.media.places import NoPlaceError, Places
from support.live_app import serve
from support.site import add_large
from support.web_pages import first_row


@pytest.fixture
def address(archived: Archive, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Iterator[str]:
    """The app alone behind a real HTTP server, with four places; its parameter is how long one waits."""
    monkeypatch.setenv("RECORDING_ARCHIVE_MAX_STREAMS", "4")
    monkeypatch.setenv("RECORDING_ARCHIVE_STREAM_WAIT_S", str(request.param))
    read_settings.cache_clear()
    with serve(archived) as url:
        yield url
    read_settings.cache_clear()


def take_nothing(address: str, user: str) -> socket.socket:
    """A client that asks for a large file, and reads no more than the first line of the answer."""
    host = urlsplit(address)
    connection = socket.create_connection((str(host.hostname), host.port or 80), timeout=10)
    lines = ("GET /retrieve?interactionId=large-1 HTTP/1.1", f"Host: {host.netloc}", f"X-User: {user}")
    connection.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    assert connection.recv(15) == b"HTTP/1.1 200 OK"
    return connection


def fetch(address: str, interaction_id: str, user: str) -> requests.Response:
    """One whole file."""
    found = {"interactionId": interaction_id}
    return requests.get(f"{address}retrieve", params=found, headers={"X-User": user}, timeout=60)


@pytest.mark.parametrize("address", [60], indirect=True)
@pytest.mark.parametrize("users", [1, 30])
def test_a_burst_waits_and_all_get_theirs(address: str, archived: Archive, users: int) -> None:
    """30 clients, of one program or of 30 people, ask for 10 whole files each through four places: 300 times 200."""
    row = first_row(archived)
    due = Path(archived.settings.root, row.key).read_bytes()

    def client(number: int) -> list[tuple[int, bool]]:
        replies = [fetch(address, row.interaction_id, f"user-{number % users}") for _ in range(10)]
        return [(reply.status_code, reply.content == due) for reply in replies]

    with ThreadPoolExecutor(30) as pool:
        found = [each for replies in pool.map(client, range(30)) for each in replies]
    assert found == [(200, True)] * 300


@pytest.mark.parametrize("address", [0.2], indirect=True)
def test_no_user_holds_more_than_a_share(address: str, archived: Archive) -> None:
    """Who has two streams open waits in vain for a third; another user is served; HEAD needs no place."""
    add_large(archived)
    held = [take_nothing(address, "greedy") for _ in range(2)]
    try:
        refused = fetch(address, first_row(archived).interaction_id, "greedy")
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert fetch(address, first_row(archived).interaction_id, "modest").status_code == 200
        head = requests.head(f"{address}retrieve?interactionId=large-1", headers={"X-User": "greedy"}, timeout=10)
        assert head.status_code == 200
    finally:
        for connection in held:
            connection.close()


@pytest.mark.parametrize("address", [60], indirect=True)
def test_a_place_that_is_left_goes_to_who_waits(address: str, archived: Archive) -> None:
    """A client that breaks off gives its place back, and the one that waited is served."""
    add_large(archived)
    held = [take_nothing(address, user) for user in ("a", "a", "b", "b")]
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(fetch, address, first_row(archived).interaction_id, "c")
        assert not waiting.done()
        for connection in held:
            connection.close()
        assert waiting.result().status_code == 200


async def _hold(places: Places, user: str, order: list[str], *, wait_s: float = 10) -> None:
    async with places.place(user, wait_s):
        order.append(user)
        await anyio.lowlevel.checkpoint()


def test_users_take_turns() -> None:
    """One who asks five times does not come first five times."""
    order: list[str] = []

    async def run() -> None:
        places = Places(1)
        async with places.place("first", 1), anyio.create_task_group() as group:
            for user in ("many", "many", "many", "one", "other"):
                group.start_soon(_hold, places, user, order)
            await anyio.wait_all_tasks_blocked()
            group.start_soon(anyio.sleep, 0)
            places._give_back("first")
            await anyio.wait_all_tasks_blocked()
            assert order == ["many", "one", "other", "many", "many"]
            await places._take("first", 1)

    anyio.run(run)


def test_who_leaves_the_line_blocks_nobody() -> None:
    """Timed out, or cancelled while waiting or with the place just given: every place comes back."""

    async def run() -> None:
        places = Places(2)
        async with places.place("a", 1):
            with pytest.raises(NoPlaceError):
                await _hold(places, "a", [], wait_s=0)
            async with anyio.create_task_group() as group:
                group.start_soon(_hold, places, "a", [])
                await anyio.wait_all_tasks_blocked()
                group.cancel_scope.cancel()
        order: list[str] = []
        async with places.place("a", 0), places.place("b", 0):
            pass
        await _hold(places, "a", order, wait_s=0)
        assert order == ["a"]

    anyio.run(run)

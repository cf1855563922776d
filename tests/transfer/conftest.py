"""The desk that tests of transfers order from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from support.media_desk import Desk


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk whose staging is empty."""
    with ExitStack() as stack:
        yield Desk(tmp_path, stack)


@pytest.fixture(params=[False, True], ids=["raw", "packed"])
def either(desk: Desk, request: pytest.FixtureRequest) -> Desk:
    """A desk that stages media as it comes, and one that packs it."""
    desk.packed = request.param
    return desk


@pytest.fixture
def packing(desk: Desk) -> Desk:
    """A desk that packs what it stages."""
    desk.packed = True
    return desk

"""Tasks of a run, for the tests of archiving."""

from __future__ import annotations

import pytest

from genesys_sandbox import Sandbox
from support.whole_run import (
    Tasks,
)


@pytest.fixture
def tasks(cloud: Sandbox) -> Tasks:
    """The tasks of a run against the sandbox."""
    return Tasks(cloud)

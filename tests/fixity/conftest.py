"""Runs of `verify_archive` whose repairs ask the sandbox."""

from __future__ import annotations

import pytest

from genesys_sandbox import Sandbox
from support.fixity_run import Verifying


@pytest.fixture
def verifying(cloud: Sandbox) -> Verifying:
    """Runs of `verify_archive` without Airflow."""
    return Verifying(cloud)

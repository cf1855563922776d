"""Helpers that tests of several rooms share: runs without Airflow, servers, damage, and looks into an archive."""

from pathlib import Path

import pytest

pytest.register_assert_rewrite(  # so that a failed assert in a helper says what it compared
    *(f"support.{path.stem}" for path in Path(__file__).parent.glob("[a-z]*.py"))
)

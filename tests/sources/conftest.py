"""Fixtures of the sources' tests."""

from support.platform_run import start

__all__ = ["start"]

"""The interactions API as a source: the `source`, its `query`, and the `reading` of replies."""

from recording_archive.sources.interactions.source import InteractionsSource

__all__ = ["InteractionsSource"]

"""The public Genesys Cloud platform API as a source.

Reading order: `source`, `discovery` and `listing`, then what they ask: `query`, `jobs`, `batches`, `playback`,
`minting`, `again`, `orphans`; and what they make of it: `reading`, `names`, `join`.
"""

from recording_archive.sources.conversations.source import ConversationsSource

__all__ = ["ConversationsSource"]

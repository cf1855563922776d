"""A lost catalog rebuilt from the archive: `reindex`.

Each module reads one kind of source: `from_holds`, `from_tombstones`, `from_reports` (runs of `archive_recordings`),
`from_run_reports` (plans and fixity runs) and `from_events` (what only the ledger still knows). `result` names what
became of each thing found.
"""

"""A lost catalog rebuilt from the archive: `reindex`.

Each module reads one kind of source: `from_events` (the ledger), `from_sidecars`, `from_holds`, `from_tombstones`,
`from_reports` (with `from_compliance_reports` for runs of `archive_recordings` and `from_run_reports` for plans and
fixity runs). `event_history` follows the events to the state of a part, `documents` enters files page by page, `result`
names what became of each thing found.
"""

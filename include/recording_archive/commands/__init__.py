"""The commands of `recording-archive` about retention, holds and the ledger; `cli` has the others."""

"""An archive of interaction recordings that can be proved.

Reading order: `archive` (the story and discover), `fetching` (download), `packing` (compress), `report`; then what they
stand on: `books`, `wholes` and `coverage` (what a run must account for), `transfer` (one file over HTTP), `bgzf`
(seekable gzip), `store` (write-once objects), `sidecar` (the commit record), `catalog` and `schema` (the SQL index),
`sources/` (where recordings come from). How recordings are kept and let go: `ledger`, `retention`, `policies`, `holds`,
`plan`, `disposition`, `deletion`, `erasure`, `fixity`, `repair`. At the edges `hooks` (Airflow) and `cli`. The values
all of them share are in `model`, what can go wrong in `errors`.

Words. *Interaction*: one contact. *Recording*: one recorded item of it. *Part*: one media file of a recording. *Batch*:
parts that one mapped task handles. *Work*: what one run did with one part. *Staging*: where raw bytes wait. *Archive*:
verified, compressed, immutable objects. *Sidecar*: the JSON beside each object, its commit record. *Catalog*: the SQL
index. *Event*: one change, append-only. *Coverage*: ranges of time that are all in the books. *Fixity*: proof that
bytes are unchanged. *Ledger*: events sealed as a chain of hashes. *Hold*: a legal hold. *Disposition*: quarantine, then
purge. *Certificate*: the record of a purge. *Tombstone*: what remains of a recording that is gone.
"""

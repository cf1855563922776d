"""The interaction recording archive that can be proved: one line for each room. docs/architecture.md has the arrows.

    archiving     the main job: discover, download, compress, report. Start reading here
    disposition   how recordings leave: plan, approval, quarantine, purge, certificate, erasure
    fixity        proof that bytes are unchanged: re-read, repair, report
    recovery      a lost catalog rebuilt from the archive
    retention     how long recordings are kept
    holds         legal holds: what must stay, whatever its age
    reports       reports as files of the archive
    ledger        events sealed as a hash chain, and its proof
    archive       root and catalog that belong together
    sources       the APIs that recordings come from
    transfer      one media file over HTTP
    catalog       the SQL index
    store         write-once objects in a folder or a bucket
    web           the pages and the REST API inside the Airflow UI
    cli           the command `recording-archive`
    deploy        programs of a deployment with several machines
    tasks         the work of each Airflow task, and the connection type `genesys_cloud`
    hooks         the names of `tasks` that DAG files call; provider registers the connection type

The ground: `settings`, `params` (what people write at trigger time), `model` (values that all rooms share),
`phone_numbers`, `errors`.

Words. *Interaction*: one contact. *Recording*: one recorded item of it. *Part*: one media file of a recording. *Batch*:
parts that one mapped task handles. *Work*: what one run did with one part. *Staging*: where downloads wait. *Archive*:
verified, compressed, immutable objects. *Sidecar*: the JSON beside each object, its commit record. *Catalog*: the SQL
index. *Event*: one change, append-only. *Coverage*: ranges of time that are all in the books. *Fixity*: proof that
bytes are unchanged. *Ledger*: events sealed as a chain of hashes. *Hold*: a legal hold. *Disposition*: quarantine, then
purge. *Certificate*: the record of a purge. *Tombstone*: what remains of a recording that is gone.
"""

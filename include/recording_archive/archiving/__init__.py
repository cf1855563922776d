"""The main job: discover, download, compress, report. Start reading here.

    discover                    what the source lists becomes work rows, cut into batches
    download                    the media of a batch, fetched into staging, hashed and packed on the way
    compress                    staged objects are read back and published; raw bytes are compressed first
    report                      the run is closed (`totals`), and the compliance report is written (`report_files`)

Each of them may run again at any time, and two runs may meet. Between them travels a batch number and nothing else.
They share the work rows, one for each part of a run: `entering` opens them, `outcomes` writes what became of each,
`retry` says when a failure is taken up again, and `work_rows` reads and counts them. `whole_interactions` handles
conversations whose recordings are named at download, `coverage` completeness over time, `request` what a run was asked
for. `reconcile` compares
the archive with the source's inventory; `acknowledge` records a person's decision about a failure.
"""

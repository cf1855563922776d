"""The main job: discover, download, compress, report. Start reading here.

    discover                    what the source lists becomes work rows, cut into batches
    download                    the media of a batch, fetched into staging and hashed on the way
    compress                    staged bytes become objects of the archive, read back before they are published
    report                      the run's books are closed, and the compliance report is written

Each of them may run again at any time, and two runs may meet. Between them travels a batch number and nothing else.
They stand on `work_table` (a row for each part of a run), `whole_interactions` (conversations whose recordings are
named at download), `coverage` (completeness over time) and `request` (what a run was asked for). `reconcile` compares
the archive with the source's inventory; `acknowledge` records a person's decision about a failure.
"""

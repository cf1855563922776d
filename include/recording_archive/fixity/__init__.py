"""Proof that archived bytes are unchanged: re-read, repair, report.

    verify                      re-read recordings on request
    request, selection          what a run of `verify_archive` is to re-read, and in which order
    reading                     plan the run, and read a batch of it
    examine, verdict            read one recording to its last byte; note the verdict in the catalog
    readings_table              the run's rows in the catalog
    repair                      mend what is bad: `remake` makes an object (`refetch` asks the source), `old_sidecar` a
                                sidecar; `replacement` publishes them and keeps the bad ones
    strays, strays_and_ledger   files that no catalog knows; the same and the ledger as checks of a run
    sweep                       left-overs of killed tasks
    report                      the run's report

Reading never changes an object; only `replacement` puts another one in its place.
"""

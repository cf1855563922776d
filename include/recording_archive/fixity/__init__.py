"""Proof that archived bytes are unchanged: re-read, repair, report.

    verify, examine             re-read recordings on request; read one to its last byte
    request, reading            what a run of `verify_archive` re-reads, and the reading
    readings_table              the run's rows in the catalog
    repair                      mend what is bad: `refetch` asks the source again, `old_sidecar` composes a lost
                                sidecar, `replacement` publishes the new object and keeps the bad one
    strays_and_ledger, sweep    files that no catalog knows, the ledger, left-overs of killed tasks
    report                      the run's report

Reading never changes an object; only `replacement` puts another one in its place.
"""

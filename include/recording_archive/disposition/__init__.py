"""How recordings leave the archive: plan, approval, quarantine, purge, certificate; and erasure.

    plan, plan_table, caps      what a run is about to do, written down before anybody agrees to it
    approval, approval_question who must agree, and the question that this person is asked
    quarantine                  carry out a plan; restore takes a recording back
    recheck, deletion           judge once more in the transaction that acts; remove the bytes (nothing else may)
    tombstone, certificate      the documents of a deletion
    erasure, subject_hashes     everything of one person at once (GDPR, article 17)
    report, request             what a run was asked for, and its report

Only this room and `tasks` may import `deletion` (.importlinter): nothing else removes an archived object.
"""

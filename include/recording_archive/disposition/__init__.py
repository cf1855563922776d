"""Disposition and erasure of recordings: plan, approval, quarantine, purge, certificate.

    plan, plan_table            the list of what a run will do, written down before anybody agrees to it
    candidates, due, tally      what may be due, read in pages; what becomes of each; processes: several at work on it
    foretelling, surprises      what the days after a plan bring, and in what a plan differs; caps: fixed limits
    approval, approval_question the person who must agree, and the question to this person
    quarantine                  carry out a plan; restore takes a recording back
    recheck, deletion           judge once more in the transaction that acts; remove the bytes (nothing else may)
    documents                   documents that are lost or foreign; nothing is deleted while one is lost
    tombstone, certificate      the documents of a deletion; certifying hands certificates out
    erasure, erasure_subject    all recordings of one person at once (GDPR, article 17)
    erasure_doubts              recordings that it may be about as well, for a person to look at
    erasure_request             an erasure that one person enters and another approves, without a run of Airflow's
    subject_hashes, personal    keyed hashes instead of personal data, and the data that goes
    request, report             the parameters of a run, and its report (report_document)

Only this room and `tasks` may import `deletion` (.importlinter): nothing else removes an archived object.
"""

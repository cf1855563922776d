"""Evidence packs: calls to take away, with all that proves them, checked by whoever gets them and by nobody's leave.

    request       what is asked for, and why
    selection     the recordings that this names, and the ids that name none
    gathered      what a selection finds, sorted on disk
    pack          the story: one ZIP, written as it streams
    calls         the files of one call: sound, object, sidecar, time line
    absences      why a recording is not in a pack: deleted, in quarantine, damaged
    ledger_proof  what the ledger has of these calls; more kinds of proof are added here
    load_files    the calls for review tools: Concordance DAT, EDRM XML
    bag           the form: a BagIt bag (RFC 8493) inside a ZIP
    zip_stream    a ZIP that is sent while it is made
    in_parts      a pack too large for one ZIP: parts, each a pack, made apart by `export_evidence`
    ready         such packs, to be fetched until their days are over
    tables        CSV files, kept aside until their turn
    verify        the checker that travels in the pack; it imports nothing of ours

`verify.html` does the same as `verify` in a browser, offline; `README.txt` says how to check with neither.
"""

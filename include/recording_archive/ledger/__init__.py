"""The ledger: events sealed into the archive as a hash chain, and the proof that nothing was changed since.

    chain                       the form of a segment, and its lines read back
    sealing, segments           events become segments; the catalog knows which
    proof                       the chain and every document checked by the archive's folder alone
    documents, proof_index      documents that need an event; an index of those that have one

`proof` loads neither SQLAlchemy nor Airflow, so nothing is re-exported here.
"""

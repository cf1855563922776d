"""The ledger: events sealed into the archive as a hash chain, and the proof that nothing was changed since.

    chain, merkle               the form of a segment, and its lines read back; the tree over its events
    sealing, segments           events become segments; the catalog knows which
    proof                       the chain and every document checked by the archive's folder alone
    documents, proof_index      documents that need an event; an index of those that have one
    signing_key, key_making     keys that sign heads, and their rotation
    signatures, marks           signatures of heads, beside the segments; `proof_signatures` checks them
    stamping, vouching          time stamps, asked for at the end of a run; `proof_stamps` checks them
    vouched                     how far heads are signed, stamped and witnessed, as the catalog has it
    witness, witness_heads      heads kept in a second place, and the comparison with them
    event_proof                 single events with their way to a head, to be taken elsewhere
    document_proof              one document with who vouches for it, as pages tell it

`proof` loads neither SQLAlchemy nor Airflow, so nothing is re-exported here.
"""

"""The ledger: events sealed into the archive as a hash chain, and the proof that nothing was changed since.

`sealing` copies events from the catalog into segments, `chain` defines their form, `proof` (with `proof_index`)
checks it by the archive's folder alone. `proof` loads neither SQLAlchemy nor Airflow, so nothing is re-exported here.
"""

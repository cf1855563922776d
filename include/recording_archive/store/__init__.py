"""Write-once objects, byte for byte: a folder or a bucket. A store knows no recording's fate.

    base, keys                  the contract of every store, and the keys that all of them take
    local, local_files          objects as files below a folder
    disk, trial                 what a local disk refuses, as an error with its remedy; a folder tried before it is used
    s3                          objects in a bucket: `s3_draft` uploads, `s3_reading` reads by ranges, `s3_errors` sorts
                                the answers, `airflow_s3` takes the credentials from Airflow
    locate, staging             which store the settings ask for; the place where downloads wait
    bgzf, packer, sidecar       the seekable gzip of the objects, the same made as media arrives, and the commit record
                                beside each
    documents, stoppable        documents that must outlive the catalog; reading that ends when a task is stopped

`local` loads neither SQLAlchemy nor Airflow: `verify-ledger` must start fast.
"""

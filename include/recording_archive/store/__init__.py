"""Write-once objects, byte for byte: a folder or a bucket. A store knows no recording's fate.

`base` is the store in a folder and the contract of every store, `s3` the store in a bucket (`airflow_s3` takes its
credentials from Airflow), `locate` chooses between them. `staging` is where raw bytes wait. `bgzf` is the seekable gzip
of the objects, `sidecar` the commit record beside each, `documents` what must outlive the catalog. `stoppable` ends a
long read when a task is stopped.
"""

"""The work of each Airflow task: open the archive, call a use case, log the totals.

DAG files call these functions by `recording_archive.hooks`. Only `connection` and `dag_parts` import Airflow.
"""

"""What Airflow loads at its start: the wheel has this folder as `recording_archive.plugins`."""

"""What tests of several rooms share: runs without Airflow, servers, damage, and looks into an archive."""

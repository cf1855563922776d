# Stands in for apache/airflow: Debian's Python, a virtual environment from our lock, and its entry point as documented.
FROM archive-stand-in:base
COPY entrypoint clean-logs /
ENV PATH=/home/airflow/.local/bin:/usr/local/bin:/usr/bin:/bin AIRFLOW_HOME=/opt/airflow HOME=/home/airflow
ENV PYTHONUNBUFFERED=1 PIP_NO_INDEX=1 PIP_FIND_LINKS=/wheels PIP_DISABLE_PIP_VERSION_CHECK=1
USER 50000:0
WORKDIR /opt/airflow
ENTRYPOINT ["/usr/bin/dumb-init", "--", "/entrypoint"]

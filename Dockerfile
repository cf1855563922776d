# Apache Airflow's own image with the archive in it. `docker build -t recording-archive:0.2.0 .`
# Its entry point stays as it is, so that what the official Helm chart and compose files run works here, too.
ARG AIRFLOW_IMAGE=apache/airflow:3.3.2-python3.12
FROM ${AIRFLOW_IMAGE}
COPY --chown=50000:0 requirements-cluster.lock pyproject.toml setup.py requirements.txt README.md LICENSE /tmp/archive/
COPY --chown=50000:0 include /tmp/archive/include
COPY --chown=50000:0 dags /tmp/archive/dags
COPY --chown=50000:0 plugins /tmp/archive/plugins
# the versions are those that the tests run with
RUN pip install --no-cache-dir --require-hashes --no-deps -r /tmp/archive/requirements-cluster.lock \
 && pip install --no-cache-dir --no-deps /tmp/archive \
 && python -m compileall -q -j 0 "$(python -c 'import recording_archive as r; print(r.__path__[0])')" \
 && rm -rf /tmp/archive
# DAGs and plugin are in the package: the plugin is found by itself, the DAGs by this line
ENV AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST='[{"name": "recordings", "classpath": "recording_archive.tasks.dag_bundle.DagBundle", "kwargs": {}}]'

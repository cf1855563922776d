# Airflow with the archive in it, as an unprivileged user. `docker build -t recording-archive .`
FROM python:3.12.12-slim-bookworm AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
COPY requirements-cluster.lock .
RUN python -m venv /opt/airflow/venv \
 && /opt/airflow/venv/bin/pip install --require-hashes --no-deps -r requirements-cluster.lock
COPY pyproject.toml setup.py requirements.txt README.md LICENSE ./
COPY include include
COPY dags dags
COPY plugins plugins
RUN /opt/airflow/venv/bin/pip install --no-deps . && /opt/airflow/venv/bin/python -m compileall -q /opt/airflow/venv

FROM python:3.12.12-slim-bookworm
RUN useradd --uid 50000 --gid 0 --home-dir /opt/airflow --no-create-home airflow \
 && install -d -o 50000 -g 0 -m 0775 /opt/airflow /opt/airflow/logs /opt/airflow/staging
COPY --from=build --chown=50000:0 /opt/airflow/venv /opt/airflow/venv
COPY --chown=50000:0 dags /opt/airflow/dags
COPY --chown=50000:0 plugins /opt/airflow/plugins
ENV PATH=/opt/airflow/venv/bin:$PATH AIRFLOW_HOME=/opt/airflow PYTHONUNBUFFERED=1
USER 50000:0
WORKDIR /opt/airflow
ENTRYPOINT ["airflow"]
CMD ["version"]

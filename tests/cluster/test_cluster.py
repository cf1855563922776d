"""The main job on two workers that share no disk, and what it survives."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster import Cluster
from services import Bucket, Postgres, redis, until

from genesys_sandbox import Sandbox, SandboxOptions

pytestmark = pytest.mark.cluster

DAG = "archive_recordings"
DAYS, PER_DAY = 6, 300


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """Six days of 300 small recordings."""
    folder = tmp_path_factory.mktemp("sandbox")
    options = SandboxOptions(
        days=DAYS, per_day=PER_DAY, min_bytes=20_000, max_bytes=60_000, state_dir=folder, rate_per_minute=0
    )
    with Sandbox(options) as sandbox:
        yield sandbox


@pytest.fixture(scope="session")
def cluster(
    tmp_path_factory: pytest.TempPathFactory, postgres: Postgres, bucket: Bucket, cloud: Sandbox
) -> Iterator[Cluster]:
    """Everything, started once."""
    home = tmp_path_factory.mktemp("cluster")
    broker, url = redis(home)
    airflow = Cluster(home / "airflow", postgres=postgres, redis=url, bucket=bucket, connection=cloud.connection())
    try:
        airflow.start()
        airflow.await_dag(DAG)
        airflow.unpause(DAG)
        scheduled = until(lambda: airflow.call("GET", f"/dags/{DAG}/dagRuns")["dag_runs"], 60)[0]["dag_run_id"]
        assert airflow.wait(DAG, scheduled, timeout_s=300) == "success"  # yesterday's, which unpausing begins
        yield airflow
    finally:
        airflow.stop()
        broker.stop()


@pytest.fixture(autouse=True)
def _clean(cloud: Sandbox) -> Iterator[None]:
    cloud.faults.clear()
    yield
    cloud.faults.clear()


def begin(cluster: Cluster, cloud: Sandbox, run_id: str, ago: int) -> str:
    """Trigger a run over a day, counted back from the one before yesterday; return it."""
    day = sorted({str(recording.date.date()) for recording in cloud.library})[-1 - ago]
    cluster.trigger(DAG, run_id, {"startDate": day, "endDate": day})
    return day


def finish(cluster: Cluster, run_id: str) -> dict[str, Any]:
    """Wait for the run's end, which must be a success, and return its report."""
    assert cluster.wait(DAG, run_id, timeout_s=400, tell=cluster.revive) == "success", tasks(cluster, run_id)
    code = f"""
from recording_archive.commands.basics import opened_archive
from sqlalchemy import select
from recording_archive.schema import runs
with opened_archive() as archive:
    with archive.catalog.read() as connection:
        key = connection.execute(select(runs.c.report_key).where(runs.c.run_id == {run_id!r})).scalar_one()
    print(archive.store.read(key).decode())
"""
    report: dict[str, Any] = json.loads(cluster.archive(code))
    return report


def tasks(cluster: Cluster, run_id: str) -> list[tuple[str, int, str, str]]:
    """Name, index, state and worker of each task instance."""
    found = cluster.tasks(DAG, run_id)
    return [(each["task_id"], each["map_index"], each["state"], each["hostname"]) for each in found]


def in_progress(cluster: Cluster, run_id: str, task: str, *, done: int = 1) -> Any:
    """Wait until some instances of a task are done and others are not."""

    def some() -> bool:
        states = [state for name, _, state, _ in tasks(cluster, run_id) if name == task]
        return states.count("success") >= done and "running" in states

    return until(some, 120)


def require_all(report: dict[str, Any]) -> None:
    """The day is archived: nothing double, nothing lost."""
    ids = [entry["interactionId"] for entry in report["entries"]]
    assert report["asked"] == report["totalProcessed"] == report["successful"] == PER_DAY
    assert len(set(ids)) == PER_DAY


def test_both_workers_archive_a_day(cluster: Cluster, cloud: Sandbox) -> None:
    """300 recordings in mapped batches: both workers take part, though staging is on no disk they share."""
    begin(cluster, cloud, "day1", 1)
    require_all(finish(cluster, "day1"))
    logs = "\n".join(worker.log.read_text() for worker in cluster.workers)
    seen = [len(re.findall("succeeded in", worker.log.read_text())) for worker in cluster.workers]
    assert min(seen) > 0, logs[-2000:]


def test_a_killed_worker_loses_nothing(cluster: Cluster, cloud: Sandbox) -> None:
    """A worker host that dies mid-batch: the run succeeds on the other, nothing is double and nothing lost."""
    begin(cluster, cloud, "day2", 2)
    in_progress(cluster, "day2", "archive_batch.download")
    cluster.workers[0].kill()
    try:
        require_all(finish(cluster, "day2"))
    finally:
        cluster.workers[0].start()
    tries = {each["try_number"] for each in cluster.tasks(DAG, "day2")}
    assert max(tries) > 1


def test_a_scheduler_restart_is_survived(cluster: Cluster, cloud: Sandbox) -> None:
    """The scheduler is killed and started again while batches run."""
    begin(cluster, cloud, "day3", 3)
    in_progress(cluster, "day3", "archive_batch.download")
    cluster.components["scheduler"].kill()
    cluster.components["scheduler"].start()
    require_all(finish(cluster, "day3"))


def test_a_postgres_restart_is_survived(cluster: Cluster, cloud: Sandbox, postgres: Postgres) -> None:
    """The database of Airflow and catalog restarts while batches run."""
    begin(cluster, cloud, "day4", 4)
    in_progress(cluster, "day4", "archive_batch.download")
    postgres.restart()
    require_all(finish(cluster, "day4"))


def test_twenty_seconds_without_s3_are_survived(cluster: Cluster, cloud: Sandbox, bucket: Bucket) -> None:
    """The object store is away for 20 s while batches run."""
    begin(cluster, cloud, "day5", 5)
    in_progress(cluster, "day5", "archive_batch.download")
    bucket.pause(20)
    require_all(finish(cluster, "day5"))


def test_the_archive_verifies(cluster: Cluster) -> None:
    """After all that, every archived byte is what catalog and sidecar say."""
    code = """
from recording_archive import verify
from recording_archive.commands.basics import opened_archive
with opened_archive() as archive:
    found = list(verify.verify(archive))
    print(len(found), [each for each in found if each.problem], list(verify.strays(archive)))
"""
    count, _, rest = cluster.archive(code).partition(" ")
    assert int(count) >= PER_DAY * DAYS
    assert rest.strip() == "[] []"


def test_the_cluster_lives_in_its_services(cluster: Cluster) -> None:
    """No archive grew on any disk: catalog, archive and staging are where they were told to be."""
    left = [str(path) for path in Path(cluster.home).rglob("*") if path.suffix in {".gz", ".db"}]
    assert left == []

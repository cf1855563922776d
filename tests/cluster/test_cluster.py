"""The main job on two workers that share no disk, and what it survives."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from genesys_sandbox import Sandbox, SandboxOptions
from support.approving import answer
from support.cluster import Cluster
from support.services import Bucket, Postgres, redis, until

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
        airflow.wait(DAG, scheduled(airflow, DAG), timeout_s=300)  # yesterday's, which unpausing begins
        yield airflow
    finally:
        airflow.stop()
        broker.stop()


@pytest.fixture(autouse=True)
def _clean(cloud: Sandbox) -> Iterator[None]:
    cloud.faults.clear()
    yield
    cloud.faults.clear()


def day(cloud: Sandbox, ago: int) -> str:
    """A day of the source, counted back from yesterday."""
    return sorted({str(recording.date.date()) for recording in cloud.library})[-1 - ago]


def scheduled(cluster: Cluster, dag: str) -> str:
    """The run that unpausing a DAG begins."""
    path = f"/dags/{dag}/dagRuns?run_type=scheduled"
    run_id: str = until(lambda: cluster.call("GET", path)["dag_runs"], 60)[0]["dag_run_id"]
    return run_id


def begin(cluster: Cluster, cloud: Sandbox, run_id: str, ago: int) -> None:
    """Trigger a run over a day."""
    cluster.trigger(DAG, run_id, {"startDate": day(cloud, ago), "endDate": day(cloud, ago)})


def finish(cluster: Cluster, bucket: Bucket, run_id: str, *, dag: str = DAG) -> dict[str, Any]:
    """Wait for the run's end, which must be a success, and return its report as it lies in the bucket."""
    assert cluster.wait(dag, run_id, timeout_s=400, tell=cluster.revive) == "success", tasks(cluster, run_id, dag)
    bodies = (bucket.read("archive", key) for key in bucket.keys("archive", "calls/reports/") if key.endswith(".json"))
    return next(report for report in map(json.loads, bodies) if report["runId"] == run_id)


def tasks(cluster: Cluster, run_id: str, dag: str = DAG) -> list[tuple[str, int, str, str]]:
    """Name, index, state and worker of each task instance."""
    found = cluster.tasks(dag, run_id)
    return [(each["task_id"], each["map_index"], each["state"], each["hostname"]) for each in found]


def in_progress(cluster: Cluster, run_id: str, task: str, *, done: int = 1, running: int = 1) -> Any:
    """Wait until some instances of a task are done and others run."""

    def some() -> bool:
        states = [state for name, _, state, _ in tasks(cluster, run_id) if name == task]
        return states.count("success") >= done and states.count("running") >= running

    return until(some, 120)


def require_all(report: dict[str, Any]) -> None:
    """The day is archived: nothing double, nothing lost."""
    ids = [entry["interactionId"] for entry in report["entries"]]
    assert report["asked"] == report["totalProcessed"] == report["successful"] == PER_DAY
    assert len(set(ids)) == PER_DAY


def test_both_workers_archive_a_day(cluster: Cluster, bucket: Bucket) -> None:
    """The schedule's 300 recordings in mapped batches: both workers take part, though staging is on no shared disk."""
    require_all(finish(cluster, bucket, scheduled(cluster, DAG)))
    logs = "\n".join(worker.log.read_text() for worker in cluster.workers)
    seen = [len(re.findall("succeeded in", worker.log.read_text())) for worker in cluster.workers]
    assert min(seen) > 0, logs[-2000:]


def test_a_killed_worker_loses_nothing(cluster: Cluster, cloud: Sandbox, bucket: Bucket) -> None:
    """A worker host that dies mid-batch: the run succeeds on the other, nothing is double and nothing lost."""
    begin(cluster, cloud, "worker", 2)
    in_progress(cluster, "worker", "archive_batch.download", done=0, running=3)  # of four slots: on both workers
    cluster.workers[0].kill()
    try:
        require_all(finish(cluster, bucket, "worker"))
    finally:
        cluster.workers[0].start()
    tries = {each["try_number"] for each in cluster.tasks(DAG, "worker")}
    assert max(tries) > 1


def test_a_scheduler_restart_is_survived(cluster: Cluster, cloud: Sandbox, bucket: Bucket) -> None:
    """The scheduler is killed and started again while batches run."""
    begin(cluster, cloud, "scheduler", 3)
    in_progress(cluster, "scheduler", "archive_batch.download")
    cluster.components["scheduler"].kill()
    cluster.components["scheduler"].start()
    require_all(finish(cluster, bucket, "scheduler"))


def test_a_scheduler_that_hangs_is_replaced(cluster: Cluster, cloud: Sandbox, bucket: Bucket) -> None:
    """A scheduler that is there but does nothing is ended by its health check and started again, as a pod is."""
    begin(cluster, cloud, "hang", 1)
    in_progress(cluster, "hang", "archive_batch.download")
    scheduler = cluster.components["scheduler"]
    scheduler.signal(signal.SIGSTOP, leader=False)
    require_all(finish(cluster, bucket, "hang"))
    assert "dead by its health check" in scheduler.log.read_text()


def test_a_postgres_restart_is_survived(cluster: Cluster, cloud: Sandbox, bucket: Bucket, postgres: Postgres) -> None:
    """The database of Airflow and catalog crashes while batches run and others wait: the run goes on by itself."""
    begin(cluster, cloud, "postgres", 4)
    in_progress(cluster, "postgres", "archive_batch.download")
    postgres.restart(away_s=5)
    require_all(finish(cluster, bucket, "postgres"))
    until(cluster.is_whole, 120)


def test_twenty_seconds_without_s3_are_survived(cluster: Cluster, cloud: Sandbox, bucket: Bucket) -> None:
    """The object store is away for 20 s while batches run."""
    begin(cluster, cloud, "s3", 5)
    in_progress(cluster, "s3", "archive_batch.download")
    bucket.pause(20)
    require_all(finish(cluster, bucket, "s3"))


def test_the_archive_verifies(cluster: Cluster) -> None:
    """After all that, every archived byte is what catalog and sidecar say, and nothing lies there that nobody knows."""
    told = json.loads(cluster.command("verify", "--all", "--json"))
    assert told["verified"] == PER_DAY * DAYS
    assert (told["bad"], told["warnings"]) == ([], [])


def test_what_expired_leaves_no_version(cluster: Cluster, cloud: Sandbox, bucket: Bucket) -> None:
    """`enforce_retention` on a bucket with versions: quarantine leaves every byte, purge leaves none, only a proof."""
    oldest = date.fromisoformat(day(cloud, DAYS - 1))
    as_of = {"as_of": (oldest + timedelta(days=91)).isoformat()}
    place = f"/year={oldest:%Y}/month={oldest:%m}/day={oldest:%d}/"
    held = [key for key in bucket.keys("archive", "calls/recordings/") if place in key and key.endswith(".gz")]
    assert len(held) == PER_DAY
    cluster.unpause("enforce_retention")
    cluster.trigger("enforce_retention", "quarantine", as_of)
    answer(cluster, "quarantine", patience_s=200)  # the first quarantine asks, and so does the first purge
    found = finish(cluster, bucket, "quarantine", dag="enforce_retention")
    assert (found["quarantined"], found["purged"], found["problems"]) == (PER_DAY, 0, [])
    assert set(held) <= set(bucket.keys("archive", "calls/recordings/"))
    cluster.trigger("enforce_retention", "purge", as_of)
    answer(cluster, "purge", patience_s=200)
    found = finish(cluster, bucket, "purge", dag="enforce_retention")
    assert (found["quarantined"], found["purged"], found["problems"]) == (0, PER_DAY, [])
    left = bucket.versions("archive", "calls/recordings/")
    assert [key for key in left if place in key] == []
    assert len({key for key in left if key.endswith(".gz")}) == PER_DAY * (DAYS - 1)
    assert len(bucket.keys("archive", "calls/tombstones/")) == PER_DAY
    (certificate,) = found["certificates"]
    assert f"calls/certificates/{certificate}.json" in bucket.keys("archive", "calls/certificates/")


def test_verify_archive_watches_over_the_bucket(cluster: Cluster, bucket: Bucket) -> None:
    """The schedule of `verify_archive` re-reads a share of the bucket, on the workers, and finds all of it sound."""
    cluster.unpause("verify_archive")
    found = finish(cluster, bucket, scheduled(cluster, "verify_archive"), dag="verify_archive")
    assert found["read"] == found["sound"] > 0
    assert (found["damaged"], found["strays"], found["ledgerFlaws"]) == (0, 0, [])
    told = json.loads(cluster.command("verify-ledger", "s3://archive/calls", "--head", found["ledgerHead"], "--json"))
    assert (told["intact"], told["warnings"]) == (True, [])


def test_the_cluster_lives_in_its_services(cluster: Cluster) -> None:
    """No archive grew on any disk: catalog, archive and staging are where they were told to be."""
    left = [str(path) for path in Path(cluster.home).rglob("*") if path.suffix in {".gz", ".db"}]
    assert left == []

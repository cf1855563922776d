"""Re-read a share of the archive each day, repair what rotted, and tell what cannot be repaired.

**When a run is red**, its note says why, and links to the report, which names each damaged recording.

- *damaged*: the recording could not be fetched again. Put its files back from a backup, then trigger this DAG with its
  interaction.
- *ledger*: an event or a document is missing or was changed. Compare the archive with a backup before anything else.
- *read less than it should*: raise `RECORDING_ARCHIVE_VERIFY_BYTES`, or the days for which a reading counts.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import (
    Asset,
    Param,
    dag,
    get_current_context,
    task,
)

from recording_archive.settings import read_settings
from recording_archive.tasks import alerts, dag_parts
from recording_archive.tasks.airflow_versions import CronDataIntervalTimetable
from recording_archive.tasks.expected import fail

SETTINGS = read_settings()
ALERTS = alerts.notifiers(SETTINGS)
REPORTS = Asset(name="fixity_report", uri="recording-archive://fixity_report")

PARAMS = {
    "interactionIds": dag_parts.list_param(
        dag_parts.ID,
        title="Interactions",
        description="Ids of the interactions to read, and nothing else: one id, a comma list, or a JSON array. Without "
        f"ids the run reads what is due: all of the archive within {SETTINGS.verify_days} days, what was bad always.",
    ),
    "everything": Param(
        False,
        type="boolean",
        title="Everything",
        description="Read the whole archive now, however large it is.",
    ),
    "reindex": Param(
        False,
        type="boolean",
        title="Reindex first",
        description="Bring the catalog to what the archive tells, before anything else: after the catalog was lost or "
        "restored from a backup. The same as the command recording-archive reindex.",
    ),
    "sweep_only": Param(
        False,
        type="boolean",
        title="Only sweep",
        description=f"Read nothing; only remove left-overs of killed tasks that are {SETTINGS.sweep_days} days old.",
    ),
}


@dag(
    schedule=CronDataIntervalTimetable("0 3 * * *", timezone=SETTINGS.timezone),  # when archiving is mostly over
    catchup=False,  # what was due on a day without a run is due on the next
    max_active_runs=1,
    params=PARAMS,
    tags=["recordings"],
    default_args=dag_parts.default_args(SETTINGS),
    dag_display_name="Verify the archive",
    **dag_parts.described(__doc__),
    **alerts.late(SETTINGS),
)
def verify_archive() -> None:
    """Plan → re-read in mapped batches → repair or escalate → verify the ledger → report."""

    @task(task_display_name="Reindex when asked", execution_timeout=dag_parts.long_timeout(SETTINGS))
    def reindex_archive() -> dict[str, int] | None:
        """Rebuild the catalog from the archive, if the run was asked to."""
        from recording_archive import hooks

        return hooks.reindex_archive(get_current_context()["dag_run"].conf)

    @task(task_display_name="Plan")
    def plan_fixity(reindexed: Any) -> list[dict[str, Any]]:
        """Choose what to re-read; return the batches."""
        from recording_archive import hooks

        run = get_current_context()["dag_run"]
        return hooks.plan_fixity(run_id=run.run_id, conf=run.conf, reindexed=reindexed)

    @task(task_display_name="Re-read", map_index_template="{{ label }}")
    def verify_batch(batch: dict[str, Any]) -> int:
        """Read a batch to the last byte and compare it with catalog and sidecars; return how many are bad."""
        from recording_archive import hooks

        context = get_current_context()
        context["label"] = (  # type: ignore[typeddict-unknown-key]  # what map_index_template renders
            f"batch {batch['number']} of {batch['of']} · {batch['parts']} recordings"
        )
        return hooks.verify_batch(context["dag_run"].run_id, batch["number"])

    @task(task_display_name="Repair", trigger_rule="all_done")
    def repair_recordings() -> None:
        """Make bad recordings whole again, from the source while it has them."""
        from recording_archive import hooks

        hooks.repair_recordings(dag_parts.run_id())

    @task(task_display_name="Look for stray files")
    def look_for_strays() -> int | None:
        """Look for files that the catalog does not know; return how many there are."""
        from recording_archive import hooks

        return hooks.look_for_strays(dag_parts.run_id())

    @task(task_display_name="Sweep left-overs")
    def sweep_left_overs() -> dict[str, int] | None:
        """Remove what killed tasks left behind in archive and staging."""
        from recording_archive import hooks

        return hooks.sweep_left_overs(dag_parts.run_id())

    @task(task_display_name="Raise object locks")
    def follow_locks() -> dict[str, Any] | None:
        """Bring the locks of recordings in a bucket to what policy and holds ask."""
        from recording_archive import hooks

        return hooks.follow_locks(dag_parts.run_id())

    @task(task_display_name="Verify the ledger", trigger_rule="all_done")
    def verify_ledger() -> int | None:
        """Check the chain of events, and that it vouches for every document; return how many flaws it has."""
        from recording_archive import hooks

        return hooks.verify_ledger(dag_parts.run_id())

    @task(task_display_name="Report", trigger_rule="all_done", outlets=[REPORTS], on_failure_callback=ALERTS)
    def write_fixity_report() -> dict[str, Any]:
        """Close the books; fail the run when anything needs a person, and name it."""
        from recording_archive import hooks

        context, run_id = get_current_context(), dag_parts.run_id()
        found = hooks.write_fixity_report(run_id)
        hooks.leave_note(found.problems, found.totals, page=f"fixity/runs/{run_id}", head=found.ledger_head)
        if found.failed:
            fail("\n".join([*found.problems, *found.named, f"Report: {found.report_key}"]))
        totals: dict[str, Any] = {"report": found.report_key, "ledgerHead": found.ledger_head, **found.totals}
        context["outlet_events"][REPORTS].extra.update(totals)
        return totals

    planned, report = plan_fixity(reindex_archive()), write_fixity_report()
    verify_batch.expand(batch=planned) >> repair_recordings() >> verify_ledger() >> report
    planned >> [look_for_strays(), sweep_left_overs(), follow_locks()] >> report


verify_archive()

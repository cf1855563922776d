"""Archive the recordings of an interval, of a range of dates, or of named interactions.

Every night the schedule asks for the days that are not archived yet. Trigger the DAG with interactions or dates for
anything else, or make a backfill for many days.

**When a run is red**, its note says why, and links to the report, which names each recording that failed.

- *failed*: the next runs try these again by themselves for some days. What needs a decision is listed in
  **Recordings → Failures**.
- *not at the source*: Genesys Cloud does not know an interaction that was asked for. Check the id.
- The query failed: run `recording-archive check` on a worker. It names what is wrong with connection, client or disk.

Clear the failed tasks to try again at once: what is archived is not fetched again.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import (
    Asset,
    dag,
    get_current_context,
    task,
    task_group,
)

from recording_archive.settings import read_settings
from recording_archive.tasks import alerts, dag_parts
from recording_archive.tasks.airflow_versions import CronDataIntervalTimetable
from recording_archive.tasks.expected import fail

SETTINGS = read_settings()
ALERTS = alerts.notifiers(SETTINGS)
REPORTS = Asset(name="compliance_report", uri="recording-archive://compliance_report")

_DATES = (
    "A date such as 2026-01-31 (the whole day in {zone}{last}) or a date-time such as 2026-01-31T08:00:00+01:00 "
    "(exact{exact}). Give both dates or neither; without ids and dates the run's own day is archived."
)
PARAMS = {
    "interactionId": dag_parts.list_param(
        dag_parts.ID,
        title="Interactions",
        description="Ids of the interactions to archive: one id, a comma list, or a JSON array. Letters, digits, dots, "
        "dashes and underscores. With dates as well, only those of that range.",
    ),
    "startDate": dag_parts.moment_param(
        title="From",
        description=_DATES.format(zone=SETTINGS.timezone, last="", exact=""),
    ),
    "endDate": dag_parts.moment_param(
        title="To",
        description=_DATES.format(zone=SETTINGS.timezone, last=", this one included", exact=", not included"),
    ),
}


@dag(
    schedule=CronDataIntervalTimetable("0 0 * * *", timezone=SETTINGS.timezone),
    catchup=False,  # a run asks from the end of gap-free coverage itself
    max_active_runs=SETTINGS.max_active_runs,
    params=PARAMS,
    tags=["recordings"],
    default_args=dag_parts.default_args(SETTINGS),
    dag_display_name="Archive recordings",
    **dag_parts.described(__doc__),
    **alerts.late(SETTINGS),
)
def archive_recordings() -> None:
    """Query → download and gzip in mapped batches → compliance report."""

    @task(pool=SETTINGS.api_pool)
    def query_recordings() -> list[dict[str, Any]]:
        """Enter in the books what the source lists; return the batches left to do."""
        from recording_archive import hooks

        context = get_current_context()
        run = context["dag_run"]
        start, end = context.get("data_interval_start"), context.get("data_interval_end")
        state_of = context["ti"].get_dagrun_state
        return hooks.list_recordings(
            run_id=run.run_id,
            conf=run.conf,
            interval=(start, end) if start and end else None,
            scheduled=run.run_type == "scheduled",
            run_is_over=lambda other: state_of(run.dag_id, other) in {"success", "failed"},
        )

    @task(map_index_template="{{ label }}", pool=SETTINGS.media_pool)
    def download(batch: dict[str, Any]) -> int:
        """Stream the media of a batch into staging, hashing it and, where that can be, packing it on the way."""
        from recording_archive import hooks

        return hooks.download_batch(_label(batch), batch["number"])

    @task(map_index_template="{{ label }}", trigger_rule="all_done")
    def gzip(batch: dict[str, Any]) -> int:
        """Read back what was staged, compressed here if it is raw, and publish it in the archive."""
        from recording_archive import hooks

        return hooks.gzip_batch(_label(batch), batch["number"])

    @task_group
    def archive_batch(batch: dict[str, Any]) -> None:
        """One batch of recordings; a failed one leaves the others alone."""
        download(batch) >> gzip(batch)

    @task(trigger_rule="all_done", outlets=[REPORTS], on_failure_callback=ALERTS)
    def write_report() -> dict[str, Any]:
        """Close the books; fail the run when they do not close or too much failed."""
        from recording_archive import hooks

        context, run_id = get_current_context(), dag_parts.run_id()
        summary = hooks.write_report(run_id)
        hooks.leave_note(summary.problems, summary.counts, page=f"runs/{run_id}", head=summary.ledger_head)
        if summary.failed:
            fail(f"{'; '.join(summary.problems)}. Report: {summary.report_key}")
        totals: dict[str, Any] = {"report": summary.report_key, "ledgerHead": summary.ledger_head, **summary.counts}
        context["outlet_events"][REPORTS].extra.update(totals)
        return totals

    archive_batch.expand(batch=query_recordings()) >> write_report()


def _label(batch: dict[str, Any]) -> str:
    """Name the mapped instance for the people who look at the grid; return the run's id."""
    context = get_current_context()
    context["label"] = (  # type: ignore[typeddict-unknown-key]  # what map_index_template renders
        f"batch {batch['number']} of {batch['of']} · {batch['parts']} recordings"
    )
    return str(context["dag_run"].run_id)


archive_recordings()

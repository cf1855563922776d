"""Let recordings go whose time is over: plan, ask a person about a surprise, quarantine, purge, report.

Nothing goes that a legal hold may mean, and nothing for good that was not in quarantine first, but for an erasure.

**When a run is red**, its note says why, and links to the plan. Nothing was deleted beyond what the report lists.

- *nobody answered*, *rejected the plan*: trigger a new run. It makes a new plan, and asks again.
- *documents*: a hold, policy or certificate is missing or was changed. Put it back from a backup; the note names it.
- *failed*: these recordings differ from what the archive knows of them. They are kept; `verify_archive` examines them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.providers.standard.exceptions import HITLTimeoutError
from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import (
    Asset,
    Context,
    Param,
    dag,
    get_current_context,
    task,
)

from recording_archive.settings import read_settings
from recording_archive.tasks import airflow_versions, alerts, dag_parts
from recording_archive.tasks.airflow_versions import CronDataIntervalTimetable
from recording_archive.tasks.expected import fail

SETTINGS = read_settings()
ALERTS = alerts.notifiers(SETTINGS)
REPORTS = Asset(name="retention_report", uri="recording-archive://retention_report")
RULES = airflow_versions.never_retried(HITLTimeoutError, "no answer is no")

_ERASURE = "Erase recordings of a person instead"  # a section of the form, folded at first
_TEXT = r"[^,\s][^,\x00-\x1f]{0,199}"


def _erased(pattern: str, title: str, description: str) -> Param:
    """Make a field of the form's section on erasure."""
    approved = f"{description} One, a comma list, or a JSON array. A person who did not start the run must approve it."
    return dag_parts.list_param(pattern, title=title, description=approved, section=_ERASURE)


PARAMS = {
    "dry_run": Param(
        False,
        type="boolean",
        title="Only plan",
        description="Write the plan and its report; change nothing and ask nobody.",
    ),
    "as_of": dag_parts.moment_param(
        title="As of",
        description="Decide as if it were this time: a date-time such as 2026-01-31T08:00:00+01:00, or a date "
        f"(its midnight); without a zone in {SETTINGS.timezone}. Default: the end of the run's day. A time to come "
        "needs Only plan, or RECORDING_ARCHIVE_DRILL=true.",
    ),
    "max_delete_count": Param(
        None,
        type=["null", "integer"],
        minimum=0,
        title="Most recordings",
        description="A whole number. A plan above it waits for a person's approval. It only lowers "
        f"RECORDING_ARCHIVE_MAX_DELETE_COUNT ({SETTINGS.max_delete_count or 'no limit'}).",
    ),
    "max_delete_bytes": Param(
        None,
        type=["null", "integer"],
        minimum=0,
        title="Most bytes",
        description="The same in stored bytes. It only lowers RECORDING_ARCHIVE_MAX_DELETE_BYTES "
        f"({SETTINGS.max_delete_bytes}).",
    ),
    "eraseNumbers": _erased(
        _TEXT,
        "Numbers",
        "Telephone numbers, in any spelling, whose recordings are erased now, whatever their age. They stay in "
        "Airflow's record of this run: delete the run afterwards, or give ids.",
    ),
    "eraseContacts": _erased(_TEXT, "Contacts", "External contact ids whose recordings are erased now."),
    "eraseIds": _erased(dag_parts.ID, "Interactions", "Ids of the interactions or recordings that are erased now."),
    "eraseReason": Param(
        None,
        type=["null", "string"],
        minLength=1,
        maxLength=500,
        section=_ERASURE,
        title="Reason",
        description="Needed with any of the three above; kept for good, so no personal data: "
        "such as a request's number.",
    ),
}


class PlanApproval(ApprovalOperator):
    """Asks a person for a plan by its hash, and records the answer itself.

    Nothing lies between plan, question, answer and record that somebody could change, as XCom can be over the REST API.
    """

    def execute(self, context: Context) -> None:
        """Put the question. Airflow shows the first one of a run for ever: after a clear that may be another plan's."""
        from recording_archive import hooks

        run = context["dag_run"]
        asked = hooks.ask_for_approval(run.run_id, link=dag_parts.page_link(f"retention/runs/{run.run_id}"))
        if asked.approved:
            return
        if context["ti"].try_number > 1 and run.clear_number:
            why = "this run was cleared after it had asked: trigger a new one"
            hooks.refuse_plan(run.run_id, why)
            fail(why)
        self.subject, self.body = asked.subject, asked.body
        try:
            super().execute(context)
        except airflow_versions.WAITS_FOR_A_PERSON as waiting:
            waiting.kwargs = {"plan_sha256": asked.plan_sha256}
            raise

    def execute_complete(self, context: Context, event: dict[str, Any], plan_sha256: str = "") -> Any:
        """Record who answered what about which plan; raise for an approval by who triggered the run."""
        from recording_archive import hooks

        run_id, who = context["dag_run"].run_id, (event.get("responded_by_user") or {}).get("name")
        if "error" in event or not who:  # at the end of its time, Airflow 3.3 answers with the default
            hooks.refuse_plan(run_id, f"nobody answered within {SETTINGS.approval_hours:g} hours, which means no")
        elif event["chosen_options"] == [self.APPROVE]:
            hooks.record_approval(run_id, plan_sha256=plan_sha256, approved_by=who)
        else:
            hooks.refuse_plan(run_id, f"{who} rejected the plan")
        with airflow_versions.final(HITLTimeoutError):
            return super().execute_complete(context, event)


@dag(
    schedule=CronDataIntervalTimetable("0 1 * * *", timezone=SETTINGS.timezone),  # an hour after archive_recordings
    catchup=False,  # one plan covers whatever became due since the last
    max_active_runs=1,
    params=PARAMS,
    tags=["recordings"],
    default_args=dag_parts.default_args(SETTINGS, *RULES),
    dag_display_name="Enforce retention",
    **dag_parts.described(__doc__),
    **alerts.late(SETTINGS, waits_hours=SETTINGS.approval_hours),
)
def enforce_retention() -> None:
    """Approved requests → plan → approval of a surprise → quarantine → purge → report with certificates."""

    @task(task_display_name="Erase what was requested")
    def erase_requested() -> int:
        """Carry out requests of erasure that were approved in the archive; return how many recordings are gone."""
        from recording_archive import hooks

        return hooks.erase_requested(get_current_context()["dag_run"].conf)

    @task(task_display_name="Plan", trigger_rule="all_done")
    def plan_retention() -> dict[str, Any]:
        """Write down what is due, or what is to be erased."""
        from recording_archive import hooks

        context = get_current_context()
        run = context["dag_run"]
        return hooks.plan_retention(
            run_id=run.run_id,
            conf=run.conf,
            as_of_default=context.get("data_interval_end"),
            triggered_by=run.triggering_user_name,
        )

    @task.branch(task_display_name="Must a person approve?")
    def choose(plan: Any) -> str:
        """Ask about what was not foretold, above the caps, and for erasures; a dry run only reports."""
        if plan["dryRun"]:
            return "write_report"
        return "approve_plan" if plan["needsApproval"] else "within_caps"

    approve_plan = PlanApproval(
        task_id="approve_plan",
        task_display_name="Approve the plan",
        subject="Approve the plan?",
        defaults=PlanApproval.REJECT,  # no answer is no; it also makes the two buttons look different
        notifiers=ALERTS,
        retries=2,  # an answer in the first seconds can get lost: then it is asked for again
        retry_delay=timedelta(seconds=2),
        **airflow_versions.answer_within(timedelta(hours=SETTINGS.approval_hours)),
    )
    within_caps = EmptyOperator(task_id="within_caps", task_display_name="No approval needed")

    @task(task_display_name="Quarantine", trigger_rule="none_failed_min_one_success")
    def quarantine() -> int:
        """Take what is due out of sight, and back what may stay; return how many it took."""
        from recording_archive import hooks

        return hooks.quarantine_planned(dag_parts.run_id())

    @task(task_display_name="Purge")
    def purge() -> int:
        """Delete what was in quarantine long enough, or what is to be erased; return how many are gone."""
        from recording_archive import hooks

        return hooks.purge_planned(dag_parts.run_id())

    @task(task_display_name="Report", trigger_rule="all_done", outlets=[REPORTS], on_failure_callback=ALERTS)
    def write_report() -> dict[str, Any]:
        """Close the plan; fail the run when it was refused, or when anything was left undone."""
        from recording_archive import hooks

        context, run_id = get_current_context(), dag_parts.run_id()
        summary = hooks.write_retention_report(run_id, failed_tasks=_failed_tasks())
        hooks.leave_note(summary.problems, summary.counts, page=f"retention/runs/{run_id}", head=summary.ledger_head)
        if summary.failed:
            fail(f"{'; '.join(summary.problems)}. Report: {summary.report_key}")
        totals = {"report": summary.report_key, "ledgerHead": summary.ledger_head, **summary.counts}
        context["outlet_events"][REPORTS].extra.update(totals)
        return totals

    planned, gone, report = plan_retention(), purge(), write_report()
    chosen = choose(planned)
    erase_requested() >> planned
    chosen >> [approve_plan, within_caps] >> quarantine() >> gone >> report
    chosen >> report


def _failed_tasks() -> list[str]:
    """Those of this run: with an `all_done` leaf Airflow alone would call it a success."""
    ti = get_current_context()["ti"]
    states = ti.get_task_states(dag_id=ti.dag_id, run_ids=[ti.run_id])[ti.run_id]
    return sorted(task_id for task_id, state in states.items() if state == "failed")


enforce_retention()

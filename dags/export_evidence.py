"""Make an evidence pack of any size, in parts, to be fetched from the page *Recordings* or over REST.

**When a run is red**, clear its failed tasks: parts that are ready are not made again. The log of the failed task names
what is in the way, such as a full disk.
"""

from __future__ import annotations

from typing import Any

from airflow.sdk import Param, dag, get_current_context, task

from recording_archive.settings import read_settings
from recording_archive.tasks import alerts, dag_parts

SETTINGS = read_settings()
ALERTS = alerts.notifiers(SETTINGS)


def _text(title: str, description: str) -> Param:
    return Param(None, type=["null", "string"], minLength=1, maxLength=250, title=title, description=description)


PARAMS = {
    "reason": Param(
        type="string",
        minLength=1,
        maxLength=2000,
        title="Reason",
        description="What it is for, such as a court order; kept for good, and in the pack. Name no person.",
    ),
    "interactionIds": dag_parts.list_param(
        dag_parts.ID,
        title="Interactions",
        description="Ids of interactions or recordings: one id, a comma list, or a JSON array. Give this or one of "
        "the next three.",
    ),
    "holdId": _text("Hold", "All that this legal hold holds, certainly or possibly."),
    "runId": _text("Run", "All that this run of archive_recordings archived, or found archived."),
    "query": Param(
        None,
        type=["null", "object"],
        title="Search",
        description="All that a search finds: a JSON object with from, to, agent, queue, number, contact, such as "
        '{"from": "2026-01-01", "to": "2026-03-31", "queue": "Billing"}. What you give must hold at once.',
    ),
}


@dag(
    schedule=None,
    catchup=False,
    max_active_runs=2,
    params=PARAMS,
    tags=["recordings"],
    default_args=dag_parts.default_args(SETTINGS) | {"on_failure_callback": ALERTS},
    dag_display_name="Export evidence",
    **dag_parts.described(__doc__),
)
def export_evidence() -> None:
    """Choose → make the parts → offer the pack."""

    @task(task_display_name="Choose")
    def plan_evidence() -> list[dict[str, Any]]:
        """Choose what goes into which part; return the parts."""
        from recording_archive import hooks

        run = get_current_context()["dag_run"]
        return hooks.plan_evidence(run_id=run.run_id, conf=run.conf, asked_by=run.triggering_user_name)

    @task(task_display_name="Make a part", map_index_template="{{ label }}", max_active_tis_per_dagrun=2)
    def make_part(part: dict[str, Any]) -> int:
        """Make a part; a part that is there is left as it is."""
        from recording_archive import hooks

        context = get_current_context()
        label = f"part {part['number']} of {part['of']}"
        context["label"] = label  # type: ignore[typeddict-unknown-key]  # what map_index_template renders
        return hooks.make_evidence_part(str(context["dag_run"].run_id), part["number"])

    @task(task_display_name="Offer the pack")
    def offer_pack() -> dict[str, Any]:
        """Put the parts together; the page and REST list the pack from then on."""
        from recording_archive import hooks

        return hooks.offer_evidence(dag_parts.run_id())

    make_part.expand(part=plan_evidence()) >> offer_pack()


export_evidence()

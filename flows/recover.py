"""A night after a bad night: what died is said to be dead, and what was missed is made up for, once.

Called before anything new is started, so whatever Prefect still takes for running has no process any more: its server
knows only what it was told last. Of the nights that nobody started in time, and those that died, one run makes up.
"""

from collections.abc import Container, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient
    from prefect.client.schemas.objects import FlowRun

MADE_UP = "made-up"
"""Tag of a run that makes up for others. Where such a run dies, none makes up for it: it may be what kills."""


def recover(client: "SyncPrefectClient", deployments: Mapping[UUID, str], by_hand: Container[UUID] = ()) -> list[str]:
    """Settle what an earlier process left of the deployments (id: name).

    Args:
        by_hand: those of them whose runs somebody asked for, with parameters of his own; none makes up for those.

    Returns:
        What was found and done, one sentence a deployment, for the operator.
    """
    found = [_recover_one(client, identity, name, identity in by_hand) for identity, name in deployments.items()]
    return [said for said in found if said]


def _recover_one(client: "SyncPrefectClient", deployment: UUID, name: str, by_hand: bool) -> str:
    from prefect.client.schemas.objects import State, StateType
    from prefect.states import Cancelled, Crashed, Scheduled

    dead = _runs(client, deployment, "RUNNING", "PENDING", "CANCELLING")
    for run in dead:
        if run.state_type == StateType.CANCELLING:
            client.set_flow_run_state(run.id, Cancelled(message="Stopped, as was asked."), force=True)
        else:
            message = "The processes that ran it ended without a word: killed, or the machine went down."
            client.set_flow_run_state(run.id, Crashed(message=message), force=True)
    now = datetime.now(UTC)
    scheduled = _runs(client, deployment, "SCHEDULED")
    missed = [
        run
        for run in scheduled
        if run.auto_scheduled and run.next_scheduled_start_time and run.next_scheduled_start_time < now
    ]
    for run in missed:
        client.set_flow_run_state(
            run.id, Cancelled(message="Nobody was there to start it; one later run makes up for all."), force=True
        )
    died = [run for run in dead if run.state_type != StateType.CANCELLING]
    if not died and not missed:
        return ""
    counted = [f"{len(died)} run(s) died under way"] if died else []
    if missed:
        last = max(run.next_scheduled_start_time for run in missed if run.next_scheduled_start_time)
        counted.append(f"{len(missed)} night(s) were missed, the last of {last:%Y-%m-%d %H:%M} UTC")
    said = f"`{name}`: " + " and ".join(counted)
    if by_hand:
        return said + "; it was asked for by hand, so ask again where it is still wanted"
    if not missed and all(MADE_UP in run.tags for run in died):
        return said + "; it was to make up for another, so it is left at that until the next night"
    if not any(MADE_UP in run.tags for run in scheduled):
        state: State[Any] = Scheduled(message="Makes up for what was missed.")
        client.create_flow_run_from_deployment(deployment, state=state, tags=[MADE_UP])
    return said + "; one run makes up for it now"


def _runs(client: "SyncPrefectClient", deployment: UUID, *states: str) -> list["FlowRun"]:
    """All runs of a deployment in these states, read in full before any is changed."""
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterDeploymentId,
        FlowRunFilterState,
        FlowRunFilterStateType,
    )
    from prefect.client.schemas.objects import StateType

    chosen = FlowRunFilter(
        deployment_id=FlowRunFilterDeploymentId(any_=[deployment]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType(state) for state in states])),
    )
    found: list[FlowRun] = []
    while page := client.read_flow_runs(flow_run_filter=chosen, limit=200, offset=len(found)):
        found += page
    return found

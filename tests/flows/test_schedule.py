"""A served spec is really scheduled, and what an earlier server was left with is settled.

One Prefect server for the module; nothing is run on it. `benchmarks/hardening/serve.py` kills a served night.
"""

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

ROOT = Path(__file__).parents[2]
SPEC = (
    'name = "{name}"\nmodality = "image"\n[source]\nkind = "folder"\npath = "pets"\n'
    '[schedule]\ncron = "30 4 * * *"\ntimezone = "UTC"\n'
)
CODE = """
import contextlib, json, os, socket, sys, time, urllib.error, urllib.request
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from flows.prefect_server import prefect_server

home, spec = map(Path, sys.argv[1:])
said = {}
with prefect_server(home / ".prefect") as server:
    from assay.contracts.spec import load_spec
    from flows.recover import MADE_UP, recover
    from flows.scheduler import deployment, pause_others

    server.start()
    server.wait()
    from prefect import get_client
    from prefect.client.schemas.actions import DeploymentUpdate
    from prefect.states import Pending, Running, Scheduled, Cancelling

    ours = deployment(spec, load_spec(spec), home)
    client = get_client(sync_client=True)
    with client:
PART
print(json.dumps(said))
"""


def on_a_server(tmp_path: Path, part: str) -> dict:
    """What `part` noted in `said`, in a process with a server, a client and the deployment `ours`."""
    spec = tmp_path / "pets.toml"
    spec.write_text(SPEC.format(name="pets"))
    code = CODE.replace("PART", textwrap.indent(textwrap.dedent(part), " " * 8))
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": os.environ.get("PYTHONPATH", "")}
    finished = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "home"), str(spec)],
        cwd=ROOT, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert finished.returncode == 0, finished.stderr
    return json.loads(finished.stdout.splitlines()[-1])


@pytest.fixture(scope="module")
def said(a_database, tmp_path_factory) -> dict:
    """All that this module asks of one server."""
    folder = tmp_path_factory.mktemp("schedule")
    a_database(folder / "home/.prefect")
    return on_a_server(
        folder,
        '''
        # an older version's deployment: one run at a time, by Prefect's own limit
        ours.concurrency_limit = 1
        identity = ours.apply()
        ours.concurrency_limit = None
        ours.apply()
        deployed = client.read_deployment(identity)
        said["limit"] = deployed.global_concurrency_limit and deployed.global_concurrency_limit.limit
        said["steps"] = deployed.pull_steps
        said["paused"] = deployed.paused
        client.request("POST", "/deployments/{id}/schedule", path_params={"id": str(identity)}, json={})

        def runs():
            return sorted(client.read_flow_runs(limit=200), key=lambda run: str(run.expected_start_time))

        said["hour"] = f"{runs()[0].expected_start_time:%H:%M}"
        running, pending, missed = (run.id for run in runs()[:3])
        asked = client.create_flow_run_from_deployment(identity, state=Scheduled()).id
        client.set_flow_run_state(running, Running(), force=True)
        client.set_flow_run_state(pending, Pending(), force=True)
        client.set_flow_run_state(asked, Cancelling(), force=True)
        past = datetime.now(UTC) - timedelta(hours=5)
        client.set_flow_run_state(missed, Scheduled(scheduled_time=past), force=True)
        manual = client.create_flow_run_from_deployment(identity, state=Scheduled(scheduled_time=past)).id

        said["found"] = recover(client, {identity: "pets"})
        said["states"] = [client.read_flow_run(run).state_name for run in (running, pending, missed, asked, manual)]
        made_up = [run for run in runs() if MADE_UP in run.tags]
        said["made_up"] = [run.state_name for run in made_up]
        said["again"] = recover(client, {identity: "pets"})
        client.set_flow_run_state(made_up[0].id, Running(), force=True)
        said["killer"] = recover(client, {identity: "pets"})
        said["made_up_after"] = [run.state_name for run in runs() if MADE_UP in run.tags]

        other = client.create_deployment(deployed.flow_id, "gone")
        asked = client.create_flow_run_from_deployment(other, state=Scheduled()).id
        client.set_flow_run_state(asked, Running(), force=True)
        said["by hand"] = recover(client, {other: "gone"}, by_hand={other})
        said["by hand after"] = [run.state_name for run in runs() if run.deployment_id == other]
        pause_others(client, {identity: "pets"})
        said["gone"] = client.read_deployment(other).paused
        said["ours"] = client.read_deployment(identity).paused

        def status(path, method="GET", **headers):
            request = urllib.request.Request(f"{server.address}{path}", method=method, headers=headers)
            if method == "POST":
                request.data, request.headers["Content-type"] = b"{}", "application/json"
            try:
                with urllib.request.urlopen(request) as response:
                    return response.status, dict(response.headers).get("access-control-allow-origin", "")
            except urllib.error.HTTPError as error:
                return error.code, dict(error.headers).get("access-control-allow-origin", "")

        import base64
        basic = "Basic " + base64.b64encode(os.environ["PREFECT_API_AUTH_STRING"].encode()).decode()
        evil = "http://evil.example"
        said["guard"] = {
            "health": status("/api/health"),
            "no password": status("/api/admin/settings"),
            "wrong password": status("/api/admin/settings", Authorization="Basic YTpi"),
            "password": status("/api/admin/settings", Authorization=basic),
            "other host": status("/api/admin/settings", Authorization=basic, Host="evil.example"),
            "other origin": status("/api/admin/settings", Authorization=basic, Origin=evil),
            "no origin": status("/api/admin/settings", Authorization=basic, Origin="null"),
            "own origin": status("/api/admin/settings", Authorization=basic, Origin=server.address),
            "forged": status("/api/flow_runs/filter", "POST", Authorization=basic),
            "preflight": status("/api/flow_runs/filter", "OPTIONS", Origin=evil),
            "interface": status("/"),
        }
        said["password file"] = oct(server.password_file.stat().st_mode & 0o777)
        said["folder"] = oct(server.password_file.parent.stat().st_mode & 0o777)
        said["password"] = server.password_file.read_text().strip() == os.environ["PREFECT_API_AUTH_STRING"]
        import asyncio, websockets

        async def greeted(**options):
            address = server.address.replace("http", "ws") + "/api/events/out"
            try:
                async with websockets.connect(address, subprotocols=["prefect"], **options) as socket:
                    await socket.send(json.dumps({"type": "auth", "token": "wrong"}))
                    await socket.recv()
                    return "let in"
            except websockets.exceptions.InvalidStatus:
                return "refused at the door"
            except websockets.exceptions.ConnectionClosed:
                return "shown out"

        said["sockets"] = [asyncio.run(greeted()), asyncio.run(greeted(origin=evil))]
        ''',
    )  # fmt: skip


def test_a_spec_is_scheduled_on_its_hour(said):
    """The nightly hour of the spec is the hour of the runs; the code is loaded from where ours is."""
    assert said["hour"] == "04:30"
    assert said["steps"] == [{"prefect.deployments.steps.set_working_directory": {"directory": str(ROOT)}}]
    assert said["paused"] is False


def test_no_limit_of_the_server_outlives_a_kill(said):
    """A deployment has none, also where an older version gave it one; the dataset's lock goes with its process."""
    assert said["limit"] is None


def test_what_died_is_said_to_be_dead_and_one_run_makes_up(said):
    """Running and pending runs crashed; a missed night is cancelled; what was to be cancelled is; a run that somebody
    asked for by hand stays. One new run makes up for all."""
    *ended, waiting = said["states"]
    assert ended == ["Crashed", "Crashed", "Cancelled", "Cancelled"]
    assert waiting in ("Scheduled", "Late")  # as a slow machine calls what is scheduled
    assert said["made_up"] == ["Scheduled"]
    (sentence,) = said["found"]
    assert sentence.startswith("`pets`: 2 run(s) died under way and 1 night(s) were missed, the last of 20")
    assert sentence.endswith("one run makes up for it now")


def test_recovering_twice_makes_up_once(said):
    """Where nothing is left to settle nothing is said."""
    assert said["again"] == []


def test_a_run_that_makes_up_and_dies_is_left_at_that(said):
    """It may be what kills the machine."""
    assert "left at that" in said["killer"][0]
    assert said["made_up_after"] == ["Crashed"]


def test_nobody_makes_up_for_what_was_asked_for_by_hand(said):
    """With whatever parameters: it is said to be dead, and whoever still wants it asks again."""
    assert said["by hand"] == [
        "`gone`: 1 run(s) died under way; it was asked for by hand, so ask again where it is still wanted"
    ]
    assert said["by hand after"] == ["Crashed"]


def test_what_is_not_served_any_more_is_paused(said):
    """No runs pile up that nobody starts."""
    assert said["gone"] is True and said["ours"] is False


def test_nobody_gets_in_without_the_password(said):
    """Any local account can reach the port; the API answers whoever knows the password, from its own pages or none."""
    guard = {name: tuple(answer) for name, answer in said["guard"].items()}
    refused = ("other host", "other origin", "no origin", "forged", "preflight")
    assert {name: guard[name][0] for name in refused} == dict.fromkeys(refused, 403)
    assert guard["no password"][0] == guard["wrong password"][0] == 401
    assert guard["password"][0] == guard["own origin"][0] == guard["health"][0] == guard["interface"][0] == 200
    assert {origin for _, origin in guard.values()} <= {"", "http://127.0.0.1:4200", guard["own origin"][1]}
    assert "*" not in {origin for _, origin in guard.values()}


def test_sockets_are_guarded_too(said):
    """A wrong password is shown out, a page of another origin not let in."""
    assert said["sockets"] == ["shown out", "refused at the door"]


def test_only_this_account_reads_the_password(said):
    """It is new with each server, and lies in a folder of ours."""
    assert (said["password file"], said["folder"], said["password"]) == ("0o600", "0o700", True)


@pytest.mark.parametrize(("first", "hour"), [("2027-03-26", "30 2 * * *"), ("2027-10-29", "30 2 * * *")])
def test_a_night_is_due_once_a_day_when_clocks_change(first, hour):
    """In spring the hour is not there, in autumn it is there twice: the server plans one night a day."""
    from prefect.server.schemas.schedules import CronSchedule

    start = datetime.fromisoformat(first).replace(tzinfo=ZoneInfo("Europe/Berlin"))
    planned = asyncio.run(CronSchedule(cron=hour, timezone="Europe/Berlin").get_dates(5, start))
    days = [f"{one.astimezone(ZoneInfo('Europe/Berlin')):%m-%d}" for one in planned]
    assert days == sorted(set(days)) and len(days) == 5

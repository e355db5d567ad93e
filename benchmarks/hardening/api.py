"""The Prefect API of `assay serve` among strangers: another account of the machine, a page of another origin.

Whoever may use that API runs code as the account that serves. Wanted: nobody reads anything of it, and no run is made.
"""

import base64
import functools
import http.client
import json
import os
import re
import signal
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.hardening.common import Bench, Child, Row, inside
from benchmarks.hardening.evil_page import Attempts, visit
from benchmarks.hardening.places import NOBODY, _become_nobody
from benchmarks.hardening.serve import processes, start, write_data

STARTUP_SECONDS = 300.0
ANY_RUN = {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED", "PENDING", "RUNNING", "COMPLETED", "FAILED"]}}}}
ATTEMPTS = """
  const all = JSON.stringify({}), run = JSON.stringify({parameters: {spec_path: "/tmp/evil.toml"}});
  const create = "api/deployments/DEPLOYMENT/create_flow_run";
  await read("fetch of settings", "api/admin/settings", {credentials: "include"});
  await read("fetch of a token against forgery", "api/csrf-token?client=evil", {credentials: "include"});
  await read("post of a filter", "api/flow_runs/filter", {method: "POST", headers: json, body: all});
  await read("start of a run", create, {method: "POST", headers: json, body: run});
  await post("start of a run without a preflight", create, run, "text/plain");
  await post("start of a run as a form", create, run, "application/x-www-form-urlencoded");
  await post("start of a run as JSON without asking", create, run, "application/json");
  load("frame of settings", "iframe", "api/admin/settings");
  beacon("beacon", create, new Blob([run], {type: "text/plain"}));
  connect("socket", "api/events/out");"""


@dataclass(frozen=True)
class Served:
    """A served home: its process, the interface's address, the password."""

    process: int
    address: str
    password: str

    @property
    def headers(self) -> dict[str, str]:
        """Of who knows the password."""
        return {"authorization": "Basic " + base64.b64encode(self.password.encode()).decode()}

    def ask(self, path: str, body: object = None) -> object:
        """An answer of the API, as its owner asks it."""
        client = str(uuid.uuid4())
        headers = self.headers | {"content-type": "application/json", "Prefect-Csrf-Client": client}
        if body is not None:
            token = self.ask(f"api/csrf-token?client={client}")
            headers["Prefect-Csrf-Token"] = token["token"]  # type: ignore[index]
        data = None if body is None else json.dumps(body).encode()
        with urllib.request.urlopen(urllib.request.Request(self.address + path, data, headers), timeout=60) as answer:
            return json.loads(answer.read())

    def runs(self) -> int:
        """How many there are that nobody scheduled."""
        found = self.ask("api/flow_runs/filter", {"limit": 200})
        return sum(not run["auto_scheduled"] for run in found)  # type: ignore[attr-defined]


def rows(bench: Bench) -> list[Row]:
    """Both kinds of stranger."""
    account = Row("attacks on the Prefect API of assay serve from another account")
    origin = Row("a page of another origin in a browser that knows the Prefect API's password")
    if os.geteuid() != 0:
        account.left_out = origin.left_out = "this account cannot become another"
        return [account, origin]
    with served(bench) as there:
        other_account(account, there)
        other_origin(origin, there)
    return [account, origin]


@contextmanager
def served(bench: Bench) -> Iterator[Served]:
    """A home that is served once a year."""
    folder = bench.base / "guarded"
    folder.mkdir(exist_ok=True)
    spec = Path(inside(write_data, folder).value)
    spec.write_text(spec.read_text().replace("* * * * *", "0 0 1 1 *"))
    log = folder / "serve.log"
    process = start(spec, folder / "home", log)
    try:
        end = time.monotonic() + STARTUP_SECONDS
        while not (found := re.search(r"interface: (http\S+) \(its password is in (.+)\)", log.read_text())):
            if time.monotonic() > end or process.poll() is not None:
                raise RuntimeError(f"assay serve does not start: {log.read_text()[-400:]}")
            time.sleep(0.2)
        there = Served(process.pid, found[1] + "/", Path(found[2]).read_text().strip())
        while not there.ask("api/deployments/filter", {}):
            time.sleep(0.2)
        yield there
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def other_account(row: Row, there: Served) -> None:
    """What an account without rights finds out and gets on the same machine."""
    deployment = there.ask("api/deployments/filter", {})[0]["id"]  # type: ignore[index]
    work = functools.partial(_attack, processes(there.process), there, deployment)
    found = Child(work, functools.partial(_become_nobody, reads_all=False)).wait()
    if found.problem:
        row.count(found.problem)
    for got in (found.value or {}).values():
        row.count(got or None)
    made = there.runs()
    row.count(f"{made} runs were made" if made else None)


def _attack(family: dict[str, int], there: Served, deployment: str) -> dict[str, str]:
    """What was tried → what it gave away; empty where nothing."""
    assert os.getuid() == NOBODY
    found, secret = {}, there.password.split(":", 1)[1]
    for name, process in family.items():
        for file in ("cmdline", "environ", "maps"):
            try:
                seen = Path(f"/proc/{process}/{file}").read_bytes().decode("latin-1")
            except OSError:
                seen = ""
            found[f"{name} {file}"] = f"the password is in /proc/…/{file} of {name}" if secret in seen else ""
    run = {"parameters": {"spec_path": "/tmp/evil.toml"}}
    asked = [("api/admin/settings", None), ("api/deployments/filter", {}), ("api/flow_runs/filter", ANY_RUN)]
    asked += [(f"api/deployments/{deployment}/create_flow_run", run), (f"api/deployments/{deployment}", None)]
    guesses = ["", "assay:", "assay:assay", there.password[:-1], there.password.upper(), secret]
    known = [{}, *[{"authorization": "Basic " + base64.b64encode(guess.encode()).decode()} for guess in guesses]]
    known += [{"authorization": f"Bearer {there.password[:-1]}"}, {"host": "evil.example"}, {"origin": "null"}]
    for path, body in asked:
        for headers in known:
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(there.address + path, data, headers | {"content-type": "application/json"})
            found[f"{path} {headers}"] = _answer(request)
    return found


def _answer(request: urllib.request.Request) -> str:
    """What a request gave that it should not have."""
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return f"{request.full_url} {request.headers} answers {answer.status}"
    except urllib.error.HTTPError as error:
        return "" if 400 <= error.code < 500 else f"{request.full_url} answers {error.code}"
    except http.client.HTTPException as error:
        return f"{request.full_url}: {error!r}"


def other_origin(row: Row, there: Served) -> None:
    """A browser that sends the password with everything opens a page of another origin, which tries to use it."""
    deployment = there.ask("api/deployments/filter", {})[0]["id"]  # type: ignore[index]
    attempts = Attempts(ATTEMPTS.replace("DEPLOYMENT", deployment), 10, "api/admin/version")
    found = inside(visit, there.address, attempts, there.headers)
    seen = found.value
    if not isinstance(seen, dict):
        row.left_out = seen or found.said[-300:]
        return
    for attempt, got in seen.items():
        row.count(f"{attempt}: {got}" if got else None)
    made = there.runs()
    row.count(f"{made} runs were made" if made else None)

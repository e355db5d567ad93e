"""A served spec is really scheduled: Prefect's own server takes the deployment and inserts its runs."""

import subprocess
import sys
from pathlib import Path

CODE = """
import json, sys, urllib.request
from pathlib import Path
from flows.prefect_server import prefect_server

with prefect_server(Path(sys.argv[1])) as server:
    from assay.contracts.spec import load_spec
    from flows.serve import deployment

    server.wait()
    spec = Path(sys.argv[2])
    identity = deployment(spec, load_spec(spec), Path(sys.argv[1])).apply()
    def post(path, body):
        request = urllib.request.Request(f"{server.url}/{path}", json.dumps(body).encode())
        request.add_header("content-type", "application/json")
        return urllib.request.urlopen(request).read()
    post(f"deployments/{identity}/schedule", {})
    runs = json.loads(post("flow_runs/filter", {"limit": 200}))
    print(sorted(run["expected_start_time"][11:16] for run in runs if run["state_name"] == "Scheduled")[0])
print(server.process.poll())
"""


def test_a_spec_is_scheduled_on_its_hour(tmp_path):
    """The nightly hour of the spec is the hour of the runs; the server ends with the command."""
    spec = tmp_path / "pets.toml"
    spec.write_text(
        'name = "pets"\nmodality = "image"\n[source]\nkind = "folder"\npath = "pets"\n'
        '[schedule]\ncron = "30 4 * * *"\ntimezone = "UTC"\n'
    )
    command = [sys.executable, "-c", CODE, str(tmp_path / "home"), str(spec)]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    finished = subprocess.run(
        command, cwd=Path(__file__).parents[2], env=environment, capture_output=True, text=True, check=False
    )
    assert finished.stdout.splitlines() == ["04:30", "0"], finished.stderr

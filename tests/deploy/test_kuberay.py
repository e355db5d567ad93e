"""deploy/ray/: what can be checked of it without Kubernetes."""

import copy
import json
import re
import shlex
from pathlib import Path

import jsonschema
import pytest
import yaml

from assay.contracts.spec import load_spec

ROOT = Path(__file__).parents[2]
RAY = ROOT / "deploy" / "ray"
SCHEMA = jsonschema.Draft202012Validator(json.loads(Path(__file__).with_name("kuberay.schema.json").read_text()))


def read(name: str) -> dict:
    """A manifest."""
    return yaml.safe_load((RAY / name).read_text())


def pods() -> dict[str, dict]:
    """The specs of the cluster's pods, by group."""
    spec = read("cluster.yaml")["spec"]
    found = {"head": spec["headGroupSpec"]["template"]["spec"]}
    return found | {group["groupName"]: group["template"]["spec"] for group in spec["workerGroupSpecs"]}


def pinned(path: Path) -> dict[str, str]:
    """Package → version."""
    return dict(re.findall(r"^([\w.-]+)==([\w.]+)", path.read_text(), re.M))


@pytest.mark.parametrize("name", ["cluster.yaml", "night.yaml"])
def test_the_manifests_are_valid(name):
    """By the schema of the fields that they use."""
    assert [f"{list(error.path)}: {error.message}" for error in SCHEMA.iter_errors(read(name))] == []


def spoil_name(spec):
    spec["workerGroupSpecs"][0]["groupname"] = spec["workerGroupSpecs"][0].pop("groupName")


def spoil_parameter(spec):
    spec["headGroupSpec"]["rayStartParams"]["num-cpus"] = 0


def spoil_quantity(spec):
    spec["headGroupSpec"]["template"]["spec"]["containers"][0]["resources"]["limits"]["memory"] = "64GB"


def spoil_place(spec):
    spec["headGroupSpec"]["containers"] = []


@pytest.mark.parametrize("spoil", [spoil_name, spoil_parameter, spoil_quantity, spoil_place])
def test_the_schema_finds_mistakes(spoil):
    """A misspelled key, a number for a text, a unit that there is not, a key in the wrong place."""
    cluster = copy.deepcopy(read("cluster.yaml"))
    spoil(cluster["spec"])
    assert list(SCHEMA.iter_errors(cluster))


def test_all_machines_have_one_ray_and_the_image_installs_it():
    """The version that the cluster names, that of the image, and the one that is tested here."""
    tested, image = pinned(ROOT / "constraints.txt"), pinned(RAY / "requirements.txt")
    assert image == {name: tested[name] for name in ("msgpack", "protobuf", "ray")}
    assert read("cluster.yaml")["spec"]["rayVersion"] == tested["ray"]
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}$", (RAY / "requirements.txt").read_text(), re.M)) == len(image)


@pytest.mark.parametrize("group", ["head", "cpu", "gpu"])
def test_every_pod_is_closed_and_sees_the_same_files(group):
    """No root, no right of root's, limits; and home, data and specs under the paths that the head has."""
    pod, head = pods()[group], pods()["head"]
    (container,) = pod["containers"]
    assert (
        pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["seccompProfile"]["type"] == "RuntimeDefault"
    )
    assert container["securityContext"] == {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    assert container["resources"]["limits"] == container["resources"]["requests"]
    assert container["volumeMounts"] == head["containers"][0]["volumeMounts"] and pod["volumes"] == head["volumes"]
    assert {m["name"] for m in container["volumeMounts"]} == {v["name"] for v in pod["volumes"]}
    assert {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"} in container["env"]
    assert pod["automountServiceAccountToken"] is (group == "head")  # the autoscaler's


def test_a_job_is_any_command_so_the_cluster_asks_for_a_token():
    """Ray itself lets everyone who reaches its dashboard run anything."""
    assert read("cluster.yaml")["spec"]["authOptions"] == {"mode": "token"}


def test_the_night_finds_the_cluster_its_home_and_its_spec():
    """The job names the cluster; its command names folders that are mounted, and a spec that runs on Ray with GPUs."""
    cluster, job = read("cluster.yaml"), read("night.yaml")["spec"]
    assert job["clusterSelector"] == {"ray.io/cluster": cluster["metadata"]["name"]}
    words = shlex.split(job["entrypoint"])
    mounts = {mount["name"]: mount["mountPath"] for mount in pods()["head"]["containers"][0]["volumeMounts"]}
    assert words[:2] == ["assay", "run"] and words[words.index("--home") + 1] == mounts["home"]
    spec_path = Path(words[2])
    assert str(spec_path.parent) == mounts["specs"]
    spec = load_spec(RAY / "specs" / spec_path.name)
    assert spec.run.engine == "ray" and spec.run.address == "auto" and spec.source.path == mounts["data"]
    assert spec.embed.precision != "auto", "the head has no GPU to tell it by"
    limits = pods()["gpu"]["containers"][0]["resources"]["limits"]
    assert spec.run.gpus <= int(limits["nvidia.com/gpu"]) and spec.run.cpus <= int(limits["cpu"])

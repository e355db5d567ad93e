"""What the Prefect UI shows of a run: it never fails one."""

import pytest

from assay.store.progress import Progress
from assay.store.workspace import Workspace
from tasks import stages as policy
from tests.snapshot_builder import publish_toy


class Toy:
    """A spec, as far as a task's name goes."""

    name = "toy"


@pytest.fixture
def in_a_task_run(monkeypatch):
    """As if Prefect ran the stage."""
    monkeypatch.setattr(policy.TaskRunContext, "get", staticmethod(lambda: object()))


def refused(*_arguments, **_options):
    raise ConnectionError("the server is gone")


def test_artifacts_that_cannot_be_made_fail_no_run(in_a_task_run, monkeypatch, capsys):
    """The stage's output is returned; one line says what the UI lacks."""
    monkeypatch.setattr(policy, "create_table_artifact", refused)

    def body(spec, workspace):
        return policy.StageOutput("embed", "key", workspace, ())

    embed = policy.as_task("embed", body, 1, policy._stage_artifacts)
    assert embed.fn(Toy, None).stage == "embed"
    assert "embed: not shown in the Prefect UI (ConnectionError: the server is gone)" in capsys.readouterr().err


def test_progress_that_cannot_be_shown_fails_no_run(in_a_task_run, monkeypatch, capsys):
    """The stage's own progress goes on."""
    monkeypatch.setattr(policy, "create_progress_artifact", refused)

    def body(spec, workspace):
        Progress("embedding", 1).advance()
        return policy.StageOutput("embed", "key", workspace, ())

    embed = policy.as_task("embed", body, 1, policy._stage_artifacts)
    monkeypatch.setattr(policy, "create_table_artifact", lambda *_, **__: None)
    assert embed.fn(Toy, None).stage == "embed"
    assert capsys.readouterr().err.count("not shown in the Prefect UI") == 1


def test_a_published_snapshot_is_a_table_a_link_and_a_picture(in_a_task_run, monkeypatch, tmp_path):
    """The picture is the embedding plot, inside its URL; where there is no plot there is no picture."""
    plots, made = [b"png", None], {}
    monkeypatch.setattr(policy, "embedding_plot", lambda _: plots.pop(0))
    for kind in ("table", "link", "image"):
        keep = lambda data, *, key, kind=kind, **_: made.setdefault(kind, (data, key))  # noqa: E731
        monkeypatch.setattr(policy, f"create_{kind}_artifact", keep)

    def body(spec, workspace):
        return publish_toy(workspace, ["a"])

    publish = policy.as_task("publish", body, 1, policy._snapshot_artifacts)
    workspace = Workspace(tmp_path, "toy")
    publish.fn(Toy, workspace)
    assert {kind: key for kind, (_, key) in made.items()} == {
        "table": "toy-headline", "link": "toy-report", "image": "toy-embedding-plot",
    }  # fmt: skip
    assert made.pop("image")[0] == "data:image/png;base64,cG5n"
    publish.fn(Toy, workspace)
    assert "image" not in made

"""Gates: on numbers, on what changed, by group; those that only warn leave the status alone."""

import pytest

from assay.contracts.errors import SpecError
from assay.contracts.gates import holds, says
from assay.store.workspace import Workspace
from tests.snapshot_builder import publish_toy, toy_spec


@pytest.fixture
def workspace(tmp_path) -> Workspace:
    return Workspace(tmp_path, "toy")


def judged(snapshot) -> dict:
    """Each gate of a snapshot by its name."""
    return {gate["metric"]: gate for gate in snapshot.manifest["gates"]}


def test_new_issues_are_counted_since_the_last_night(workspace):
    """None can be new in a first night; then each sample that came with an issue, or came to have one, counts."""
    gates = {"new:leak": {"max": 0}, "new:dark": {"max": 1}, "resolved:dark": {"min": 1}}
    first = publish_toy(workspace, ["a", "b"], [("a", "leak", 1.0, True), ("a", "dark", 1.0, True)], gates=gates)
    assert all(gate["ok"] for gate in judged(first).values())
    second = publish_toy(
        workspace,
        ["a", "b", "c"],
        [("a", "leak", 1.0, True), ("b", "dark", 1.0, True), ("c", "dark", 1.0, True)],
        gates=gates,
    )
    found = judged(second)
    assert found["new:leak"]["ok"] and found["new:leak"]["value"] == 0 and found["resolved:dark"]["ok"]
    assert not found["new:dark"]["ok"] and says(found["new:dark"]) == "new:dark is 2, wanted at most 1"


def test_a_rise_and_a_fall_are_held_against_the_last_night(workspace):
    """Of any number; nothing has changed in a first night."""
    gates = {"n_samples": {"max_fall": 1}, "issues:dark": {"max_rise": 1}}
    first = publish_toy(workspace, ["a", "b", "c"], gates=gates)
    assert holds(first.manifest["gates"])
    dark = [(name, "dark", 1.0, True) for name in "ab"]
    second = judged(publish_toy(workspace, ["a", "b"], dark, gates=gates))
    assert second["n_samples"]["ok"] and not second["issues:dark"]["ok"]
    assert says(second["issues:dark"]) == "issues:dark is 2, before 0, wanted at most 1 more than before"
    third = judged(publish_toy(workspace, ["a"], dark[:1], gates={"n_samples": {"max_fall": 0}}))
    assert not third["n_samples"]["ok"] and third["n_samples"]["before"] == 2


def test_a_gate_by_group_holds_for_each_of_its_values(workspace):
    """The worst is named; groups that are too small are not judged, and a column that is not there breaks it."""
    ids, labels = list("abcdef"), ["cat", "cat", "dog", "dog", "dog", "owl"]
    dark = [(name, "dark", 1.0, True) for name in "acdf"]
    gates = {
        "rate:dark": {"max": 0.6, "by": "label", "fewest": 2},
        "n_samples": {"min": 2, "by": "label"},
        "issues:dark": {"max": 9, "by": "camera"},
    }
    found = judged(publish_toy(workspace, ids, dark, labels, gates=gates))
    assert says(found["rate:dark"]) == "rate:dark is 0.6667 where label is dog, wanted at most 0.6"
    assert found["n_samples"]["group"] == "owl" and not found["n_samples"]["ok"]
    assert not found["issues:dark"]["ok"] and says(found["issues:dark"]) == "issues:dark is absent, wanted at most 9"
    kinder = {"rate:dark": {"max": 0.7, "by": "label", "fewest": 2}}
    assert judged(publish_toy(workspace, ids, dark, labels, gates=kinder))["rate:dark"]["ok"]


def test_a_warning_is_told_and_fails_nothing(workspace):
    """A gate of level `warn` is marked, and the night passes; one of level `fail` beside it does not."""
    warned = publish_toy(workspace, ["a"], gates={"n_samples": {"min": 5, "level": "warn"}})
    assert not warned.manifest["gates"][0]["ok"] and holds(warned.manifest["gates"])
    assert "! warns" in (warned.path / "report.html").read_text()
    both = {"n_samples": {"min": 5, "level": "warn"}, "n_outliers": {"min": 5}}
    assert not holds(publish_toy(workspace, ["a"], gates=both).manifest["gates"])


@pytest.mark.parametrize(
    ("gates", "words"),
    [
        ({"new:leek": {"max": 0}}, "did you mean `new:leak`?"),
        ({"n_samples": {}}, "needs a limit"),
        ({"label_issue_rate": {"max": 0.1, "by": "label"}}, "is one number"),
        ({"n_samples": {"min": 1, "level": "shout"}}, "gates.n_samples.level"),
    ],
)
def test_a_gate_that_cannot_be_is_refused(gates, words):
    """The message names what is wrong, and what was probably meant."""
    with pytest.raises(SpecError, match=words):
        toy_spec(gates=gates)

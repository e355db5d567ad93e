"""What other packages bring: named where it cannot be loaded, and never in the way of reading what is there."""

import sys

import pytest

from assay.contracts import plugins
from assay.contracts.errors import ContractError, SpecError
from assay.contracts.metrics import described, from_outside
from assay.contracts.modality import find_modality

BROKEN = {
    "absent": ("import no_such_module_anywhere", "ModuleNotFoundError: No module named 'no_such_module_anywhere'"),
    "raises": ("raise RuntimeError('no GPU here')", "RuntimeError: no GPU here"),
    "no_python": ("def", "SyntaxError"),
    "empty": ("", "AttributeError"),
}


@pytest.fixture
def offered(tmp_path, monkeypatch):
    """Install a module, under a name of a group."""
    monkeypatch.syspath_prepend(str(tmp_path))
    points: dict[str, dict[str, str]] = {"assay.metrics": {}, "assay.modalities": {}}
    real = plugins.registered
    monkeypatch.setattr(plugins, "registered", lambda group: real(group) | points[group])
    monkeypatch.setattr("assay.contracts.metrics.registered", lambda group: real(group) | points[group])
    plugins.load_plugin.cache_clear()

    def install(group: str, name: str, source: str) -> None:
        (tmp_path / f"outside_{name}.py").write_text(source)
        points[group][name] = f"outside_{name}:THING"

    yield install
    plugins.load_plugin.cache_clear()
    for name in [name for name in sys.modules if name.startswith("outside_")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", BROKEN)
def test_a_metric_that_cannot_be_loaded_is_named_and_its_scores_can_be_read(offered, name):
    """A night ends with its name and why; a snapshot that has its scores is shown all the same."""
    source, why = BROKEN[name]
    offered("assay.metrics", name, source)
    with pytest.raises(SpecError, match=f"assay.metrics '{name}' is registered as outside_{name}:THING.*{why}"):
        from_outside()
    record = described(name)
    assert record.title == name.replace("_", " ").capitalize() and record.threshold is None


def test_a_modality_that_is_none_is_named(offered):
    """What is registered is something else."""
    offered("assay.modalities", "smell", "THING = 'lavender'")
    with pytest.raises(ContractError, match="the modality 'smell' is a str; wanted an assay Modality"):
        find_modality("smell")
    with pytest.raises(SpecError, match="'sound' is none of assay.modalities: image, "):
        find_modality("sound")

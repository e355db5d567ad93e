"""The dataset spec: defaults run, mistakes get one clear message."""

from pathlib import Path

import pytest

from assay.contracts.errors import SpecError
from assay.contracts.spec import load_spec, make_spec

MINIMAL = {"name": "pets", "modality": "image", "source": {"kind": "folder", "path": "pets"}}


def test_a_spec_of_name_modality_and_source_runs():
    """Everything else has a default."""
    spec = make_spec(MINIMAL, Path("."))
    assert (spec.name, spec.embed.kind, spec.index.k) == ("pets", "auto", 50)


def test_naming_a_model_means_open_clip():
    """`[embed] model = …` alone is the design's own example."""
    assert make_spec(MINIMAL | {"embed": {"model": "ViT-B-32"}}, Path(".")).embed.kind == "open_clip"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embd": {}}, "unknown key `embd`; did you mean `embed`?"),
        ({"source": {"kind": "folder", "pth": "x"}}, "did you mean `path`?"),
        ({"schedule": {"crn": "0 2 * * *"}}, "unknown key `schedule.crn`; did you mean `cron`?"),
        ({"gates": {"label_issue_rate": {"mx": 1}}}, "did you mean `max`?"),
        ({"name": "../../etc"}, "cannot be a dataset name"),
        (
            {"modality": "smell"},
            "There are: audio, audio_pairs, graph, image, interactions, objects, pairs",
        ),
        ({"modality": "images"}, "did you mean 'image'?"),
        ({"embed": {"kind": "pcs"}}, "did you mean 'pca'?"),
        ({"index": {"k": 0}}, "`index.k` is 0"),
        ({"source": {"kind": "folder", "path": "a", "files": {"train": "b"}}}, "either `path` or `files`"),
        ({"source": {"kind": "folder"}}, "either `path` or `files`"),
        ({"embed": {"kind": "open_clip"}}, "needs embed.model"),
        ({"metrics": {"group_columns": ["a", "a"]}}, "`metrics.group_columns`: names a column twice"),
        ({"base": "/"}, "unknown key `base`"),
        ({"source": "pets"}, "`source`"),
    ],
)
def test_a_mistake_is_named_with_what_to_do(change, message):
    """Each message has the key found and what was wanted."""
    with pytest.raises(SpecError) as raised:
        make_spec(MINIMAL | change, Path("."))
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_key_is_named():
    """A spec without a source says so."""
    with pytest.raises(SpecError, match="`source` is missing"):
        make_spec({"name": "pets", "modality": "image"}, Path("."))


@pytest.mark.parametrize("content", [b"name = ", b"\xff\xfe\x00", b"[source]\nkind='folder'\n[source]\n"])
def test_a_file_that_is_not_toml_is_refused(tmp_path, content):
    """Broken TOML is a SpecError, not a traceback."""
    path = tmp_path / "spec.toml"
    path.write_bytes(content)
    with pytest.raises(SpecError, match="not valid TOML"):
        load_spec(path)


def test_an_absent_file_or_a_folder_is_refused(tmp_path):
    """The path is in the message."""
    with pytest.raises(SpecError, match="no spec file"):
        load_spec(tmp_path / "none.toml")
    with pytest.raises(SpecError, match="is a folder"):
        load_spec(tmp_path)

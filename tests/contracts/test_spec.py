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


TABLE = {"kind": "table", "path": "a.csv"}


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
        (
            {"source": {"kind": "folder", "path": "a", "layout": "split/klass"}},
            "use auto, flat, or one word per",
        ),
        ({"source": {"kind": "folder", "path": "a", "layout": "class/class"}}, "each at most once"),
        ({"source": {"kind": "folder", "path": "a", "label_separator": ";"}}, 'is for kind = "table"'),
        ({"source": {"kind": "folder", "files": {"train": "b"}}}, '`files` is for kind = "table"'),
        ({"source": {"kind": "folder", "path": "~nobody-of-this-name/x"}}, "no such user is known here"),
        ({"source": TABLE | {"delimiter": "ab"}}, "cannot separate or quote the cells of a CSV"),
        ({"source": TABLE | {"delimiter": "a"}}, "cannot separate or quote the cells of a CSV"),
        ({"source": TABLE | {"delimiter": "'", "quote": "'"}}, "cannot be both `delimiter` and `quote`"),
        ({"source": TABLE | {"encoding": "utf-9"}}, "is not a text encoding"),
        ({"source": TABLE | {"encoding": "a\0"}}, "is not a text encoding"),
        ({"source": TABLE | {"label_separator": "and"}}, "cannot separate the classes of a label"),
        ({"source": TABLE | {"label_separator": "\u212b"}}, "cannot separate the classes of a label"),
        ({"source": TABLE | {"columns": {"lable": "x"}}}, "it maps only sample_id, uri, text, vector, label, split"),
        ({"source": TABLE | {"max_shrink": float("nan")}}, "should be a finite number"),
        ({"source": TABLE | {"label_separator": ";"}, "metrics": {"annotator": "who"}}, "labels of one class"),
        ({"metrics": {"annotator": "who", "annotator_labels": ["a"]}}, "not both"),
        ({"thresholds": {"drak": 0.5}}, "did you mean `dark`?"),
        ({"thresholds": {"duplicate": 0.5}}, "`duplicate` has no threshold"),
        ({"thresholds": {"dark": float("inf")}}, "should be a finite number"),
        ({"thresholds": {"dark": 2}}, "`thresholds.dark` is 2"),
        ({"gates": {"n_samples": {}}}, "a gate needs a limit"),
        ({"gates": {"n_samples": {"max": float("nan")}}}, "should be a finite number"),
        ({"gates": {"new:drak": {"max": 1}}}, "did you mean `new:dark`?"),
        ({"gates": {"new:zzzzzz": {"max": 1}}}, "see docs/metrics.md"),
        ({"gates": {"label_issue_rate": {"max": 1, "by": "split"}}}, "is one number; by group there are n_samples"),
        ({"embed": {"service": {"key_variable": "sk-secret"}}}, "never written into a spec"),
        ({"embed": {"service": {"url": "https://me:pw@example.com/v1"}}}, "without a name, a password or a query"),
        ({"embed": {"service": {"url": "ftp://example.com"}}}, "wanted an address such as"),
        ({"notify": {"webhook": "http://example.com/x"}}, "plain http is allowed to this machine only"),
        ({"run": {"address": "10.0.0.1"}}, "HOST:PORT of its head"),
        ({"retention": {"days": float("inf")}}, "should be a finite number"),
        ({1: 2}, "spec"),
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

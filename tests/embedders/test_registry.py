"""Embedders that cannot be had are refused with the choices; the list of embedders is true."""

import json
import pickle
import shutil
from pathlib import Path

import pytest

from assay.contracts.errors import EmbedderError
from assay.contracts.modality import find_modality
from assay.contracts.plugins import registered
from assay.contracts.spec import Spec, make_spec
from assay.embedders import registry, weights
from assay.embedders.catalog import list_embedders, works_here
from assay.embedders.registry import make_embedder, plan_embedder
from tests.embedders.conftest import ImageSet, TextSet


@pytest.fixture
def spec_of(tmp_path):
    """Specs over no images."""
    return ImageSet(tmp_path / "none", {}).spec


@pytest.fixture
def no_network(monkeypatch):
    """The Hugging Face libraries behave as on a machine without a network and with an empty cache."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def of(modality: str) -> Spec:
    """A spec of some data."""
    return make_spec({"name": "x", "modality": modality, "source": {"kind": "folder", "path": "."}}, Path())


def refused(spec, workspace) -> str:
    """The message of the refusal."""
    with pytest.raises(EmbedderError) as caught:
        make_embedder(spec, workspace).load()
    assert "assay embedders" in str(caught.value) and "pca" in str(caught.value)
    return str(caught.value)


def test_absent_folder(spec_of, workspace):
    """local-dir: of a folder that is not there names the folder."""
    assert "no folder" in refused(spec_of(model="local-dir:nowhere"), workspace)


def test_folder_without_model_files(spec_of, workspace, tmp_path, tiny_model):
    """A folder without a configuration or without weights is refused, and not filled with random weights."""
    assert "open_clip_config.json" in refused(spec_of(model=f"local-dir:{tmp_path}"), workspace)
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(tiny_model / "open_clip_config.json", bare)
    assert "no weights" in refused(spec_of(model=f"local-dir:{bare}"), workspace)


def test_damaged_weights(spec_of, workspace, tmp_path, tiny_model):
    """A cut weights file and a configuration that is no JSON are refused."""
    broken = tmp_path / "broken"
    shutil.copytree(tiny_model, broken)
    file = broken / "open_clip_model.safetensors"
    file.write_bytes(file.read_bytes()[:1000])
    assert "cannot load" in refused(spec_of(model=f"local-dir:{broken}"), workspace)
    (broken / "open_clip_config.json").write_text("{", encoding="utf-8")
    assert "cannot be read as JSON" in refused(spec_of(model=f"local-dir:{broken}"), workspace)


class Trap:
    """Unpickling it leaves a file behind."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickles_are_never_run(spec_of, workspace, tmp_path, tiny_model):
    """Weights that are a free pickle are refused, and what is in them is not executed."""
    evil = tmp_path / "evil"
    evil.mkdir()
    shutil.copy(tiny_model / "open_clip_config.json", evil)
    (evil / "open_clip_pytorch_model.bin").write_bytes(pickle.dumps(Trap(tmp_path / "sprung")))
    assert "cannot load" in refused(spec_of(model=f"local-dir:{evil}"), workspace)
    assert not (tmp_path / "sprung").exists()


def test_model_names_and_tags_are_checked_without_a_network(spec_of, workspace, no_network):
    """Unknown names get near ones, absent and unknown tags the known ones, unreachable weights say so."""
    assert "ViT-B-32" in refused(spec_of(model="ViT-B32", pretrained="openai"), workspace)
    assert "laion2b_s34b_b79k" in refused(spec_of(model="ViT-B-32"), workspace)
    assert "is not a tag" in refused(spec_of(model="ViT-B-32", pretrained="nonesuch"), workspace)
    assert "cannot be fetched" in refused(spec_of(model="ViT-B-32", pretrained="laion2b_s34b_b79k"), workspace)
    assert "cannot be fetched" in refused(spec_of(model="hf-hub:nobody/nothing"), workspace)


def test_missing_package_is_named(tmp_path, workspace, monkeypatch):
    """Without sentence-transformers installed its kind is refused by that name."""
    monkeypatch.setattr(registry, "package_installed", lambda name: False)
    spec = TextSet(tmp_path, []).spec(kind="sentence_transformers", model="any")
    with pytest.raises(EmbedderError, match="package sentence-transformers.*lsa"):
        plan_embedder(spec, workspace, None)


def test_unknown_sentence_models(tmp_path, workspace, no_network):
    """A package that carries no model, an empty folder and a name that cannot be fetched are refused."""
    (tmp_path / "empty").mkdir()
    for model in ("package:json", "package:no-such-package", "local-dir:empty", "empty", "nobody/nothing"):
        with pytest.raises(EmbedderError, match="lsa"):
            make_embedder(TextSet(tmp_path, []).spec(kind="sentence_transformers", model=model), workspace)


def test_local_models_stay_offline(monkeypatch):
    """`offline` holds inside only; a variable that was set stays as it was."""
    import os

    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    with weights.offline():
        assert constants.HF_HUB_OFFLINE and os.environ["HF_HUB_OFFLINE"] == "1"
    assert not constants.HF_HUB_OFFLINE and "HF_HUB_OFFLINE" not in os.environ


def test_remembered_weights_are_checked_against_the_file(tmp_path, workspace, spec_of, tiny_model, monkeypatch):
    """A model named with a weights file is digested once, and again when the file changes."""
    file = tmp_path / "weights.safetensors"
    shutil.copy(tiny_model / "open_clip_model.safetensors", file)
    spec = spec_of(model="ViT-B-32", pretrained=str(file))
    digested = []
    plain = registry.digest_file
    monkeypatch.setattr(registry, "digest_file", lambda path: (digested.append(path), plain(path))[1])
    first = plan_embedder(spec, workspace, None).fingerprint
    assert plan_embedder(spec, workspace, None).fingerprint == first
    assert len(digested) == 1
    file.write_bytes(file.read_bytes() + b" ")
    assert plan_embedder(spec, workspace, None).fingerprint != first


def test_list_of_embedders():
    """Every row has the same keys; pca works here; open_clip's models are there with their dimensions."""
    rows = list_embedders()
    assert len({tuple(row) for row in rows}) == 1
    named = {row["name"]: row for row in rows}
    assert named['kind = "pca"']["available"]
    assert named['model = "ViT-B-32"']["dimensions"] == 512
    assert json.dumps(rows)
    assert {row["kind"] for row in rows} == set(registered("assay.embedders"))
    assert all(row["needs"] or row["available"] for row in rows)
    assert {"bow", "glove", "lsa"} <= set(works_here(of("text"))) and works_here(of("audio")) == ["logmel"]
    assert all(row["cost"] and row["modality"] for row in rows)


@pytest.mark.parametrize("modality", registered("assay.modalities"))
def test_every_embedder_of_a_modality_is_listed_and_compared(modality):
    """Each kind that the modality names has a row that says so; of these at least one works here, to be compared."""
    kinds = find_modality(modality).embedders
    listed = {row["kind"] for row in list_embedders() if modality in row["modality"].split(", ")}
    assert listed == set(kinds)
    assert {name.partition("=")[0] for name in works_here(of(modality))} <= set(kinds) and works_here(of(modality))

"""Devices, precisions, model files and libraries: what `auto` is, and what is said where something is missing."""

import hashlib
import sys
from pathlib import Path

import pytest
import torch

from assay.contracts.errors import EmbedderError
from assay.embedders import hub, weights
from tests.embedders.conftest import ImageSet, TextSet


@pytest.fixture
def machine(monkeypatch):
    """`machine(cuda=…, mps=…)`: what torch finds here, and a device file of a GPU where there is one."""

    def set_up(cuda: bool = False, mps: bool = False) -> None:
        monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
        monkeypatch.setattr(weights, "_GPUS", ("/dev/null",) if cuda or mps else ("/nowhere",))

    return set_up


@pytest.mark.parametrize(
    ("wanted", "cuda", "mps", "found"),
    [
        ("auto", True, False, "cuda"), ("auto", False, True, "mps"), ("auto", True, True, "cuda"),
        ("auto", False, False, "cpu"), ("cpu", True, True, "cpu"), ("cuda", True, False, "cuda"),
        ("mps", True, True, "mps"),
    ],
)  # fmt: skip
def test_the_device_is_the_fastest_or_the_one_that_is_asked_for(machine, wanted, cuda, mps, found):
    """A GPU before Apple's before none."""
    machine(cuda, mps)
    assert weights.resolve_device(wanted) == found


@pytest.mark.parametrize("wanted", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_refused(machine, wanted):
    """No other one is taken quietly."""
    machine()
    with pytest.raises(EmbedderError, match=f'embed.device = "{wanted}", but torch finds none here; use "auto"'):
        weights.resolve_device(wanted)


def test_precision_and_decoding_follow_the_device(tmp_path, monkeypatch):
    """bf16 and JPEGs by the GPU where there is one; never for texts, parts of files, or where the spec says no."""
    monkeypatch.setattr("sys.platform", "linux")
    assert [weights.resolve_precision(*pair) for pair in (("auto", "cuda"), ("auto", "cpu"), ("fp16", "cpu"))] == [
        "bf16", "fp32", "fp16",
    ]  # fmt: skip
    pictures, texts = ImageSet(tmp_path, {}), TextSet(tmp_path, [])
    specs = pictures.spec(), pictures.spec(decode="cpu"), pictures.spec(decode="gpu"), texts.spec()
    assert [weights.decodes_on_gpu(spec, "cuda") for spec in specs] == [True, False, True, False]
    assert not weights.decodes_on_gpu(pictures.spec(), "cpu")
    with pytest.raises(EmbedderError, match='embed.decode = "gpu", but the device is "cpu"'):
        weights.decodes_on_gpu(pictures.spec(decode="gpu"), "cpu")
    told = weights.how_computed(pictures.spec(), "cuda", "bf16")
    assert told == {"weights_in": "bf16", "jpegs": "nvjpeg"} and weights.how_computed(texts.spec(), "cpu", "fp32") == {}
    assert weights.how_computed(pictures.spec(), "cuda", "bf16", pictures=False) == {"weights_in": "bf16"}


def test_a_model_file_is_known_by_its_digest(tmp_path):
    """One that cannot be read is named."""
    (tmp_path / "w.bin").write_bytes(b"weights")
    assert weights.digest_file(tmp_path / "w.bin") == hashlib.sha256(b"weights").hexdigest()
    for place in (tmp_path, tmp_path / "gone"):
        with pytest.raises(EmbedderError, match=f"model's file {place} cannot be read"):
            weights.digest_file(place)


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError("first\nsecond"), "first"),
        (ValueError("  \n "), "ValueError"),
        (KeyError(), "KeyError"),
        (ValueError("x" * 900), "x" * 300),
    ],
)
def test_what_a_library_says_is_one_short_line(error, said):
    """Its first, or its type."""
    assert weights.first_line(error) == said


@pytest.mark.parametrize("model", ["local-dir:", "local-dir:gone", "local-dir:file", "package:../x", "package:a.b"])
def test_folders_that_are_none_are_refused(tmp_path, model):
    """With what works instead."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(EmbedderError, match="embed.model = .*Nothing was embedded.*lsa"):
        weights.local_folder(TextSet(tmp_path, []).spec(kind="sentence_transformers", model=model), model)


def test_a_model_of_the_hub_is_fetched_once(tmp_path, monkeypatch):
    """From the cache without a request; else fetched, without pickles or code; what the hub says is told."""
    import huggingface_hub

    spec, asked = TextSet(tmp_path, []).spec(kind="transformers", model="a/b"), []

    def download(repository: str, allow_patterns: list[str], local_files_only: bool = False) -> str:
        asked.append(local_files_only)
        assert repository == "a/b" and not {"*.bin", "*.py", "*"} & set(allow_patterns)
        if local_files_only and len(asked) == 1:
            raise FileNotFoundError("not in the cache")
        return str(tmp_path)

    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert hub.fetch(spec, "a/b") == Path(tmp_path) == hub.fetch(spec, "a/b") and asked == [True, False, True]

    def fails(*_: object, **__: object) -> str:
        raise OSError("401 Client Error\nat some address")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fails)
    with pytest.raises(EmbedderError, match='embed.model = "a/b" cannot be fetched: 401 Client Error. Nothing'):
        hub.fetch(spec, "a/b")
    monkeypatch.setattr(hub, "package_installed", lambda name: False)
    with pytest.raises(EmbedderError, match='"a/b" needs the package huggingface_hub'):
        hub.fetch(spec, "a/b")


def test_a_library_that_does_not_import_is_told(tmp_path, monkeypatch):
    """Its first line, and what to do; an error of ours goes through as it is."""
    (tmp_path / "broken_library.py").write_text("raise OSError('undefined symbol: x\\nmore')")
    (tmp_path / "refusing_library.py").write_text(
        "from assay.contracts.errors import EmbedderError\nraise EmbedderError('as it is')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(hub, "broken_torchaudio", lambda: "")
    with pytest.raises(EmbedderError, match=r"cannot be imported: undefined symbol: x; reinstall it"):
        hub.import_module("broken_library")
    with pytest.raises(EmbedderError, match=r"^as it is$"):
        hub.import_module("refusing_library")
    assert hub.import_module("json").dumps([]) == "[]"


def test_a_torchaudio_that_does_not_fit_is_the_reason(tmp_path, monkeypatch):
    """Whatever transformers says; one that works, or none, is no reason."""
    (tmp_path / "torchaudio.py").write_text("raise OSError('undefined symbol: torch_library_impl')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "torchaudio", raising=False)
    assert "of unknown version is installed and does not fit torch" in hub.why_not(ImportError("transformers says"))
    monkeypatch.setattr(hub, "package_installed", lambda name: False)
    assert hub.broken_torchaudio() == "" and "transformers says; reinstall" in hub.why_not(
        ImportError("transformers says")
    )

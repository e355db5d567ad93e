"""Vectors equal open_clip's own, on a tiny model of random weights and on a real one where it is at hand."""

import io
import json
import shutil
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image

from assay.contracts.errors import EmbedderError
from assay.embedders.geometry import cut_strip
from assay.embedders.registry import make_embedder, plan_embedder
from tests.embedders.conftest import TINY, ImageSet, TextSet, encoded, photo

REAL = Path(__file__).parents[3] / "shared" / "models" / "mobilenetv2-imagenet"
MODES = {
    "rgb.jpg": lambda: encoded(photo(1, (200, 150)), "JPEG"),
    "gray.png": lambda: encoded(photo(2, (90, 120)).convert("L")),
    "palette.gif": lambda: encoded(photo(3, (64, 64)), "GIF"),
    "cmyk.jpg": lambda: encoded(photo(4, (120, 90)).convert("CMYK"), "JPEG"),
    "bilevel.png": lambda: encoded(photo(5, (80, 60)).convert("1")),
    "opaque.png": lambda: encoded(photo(6, (70, 70)).convert("RGBA")),
    "tall.jpg": lambda: encoded(photo(7, (40, 600)), "JPEG"),
    "wide.webp": lambda: encoded(photo(8, (700, 50)), "WEBP"),
    "dot.png": lambda: encoded(photo(9, (1, 1))),
}


def clip_spec(tmp_path, folder, **embed):
    """A spec that embeds images by the model in `folder`."""
    return ImageSet(tmp_path / "none", {}).spec(model=f"local-dir:{folder}", **embed)


def own_vectors(folder: Path, files: list[bytes]) -> np.ndarray:
    """What open_clip's preprocessing and encode_image give, one image at a time."""
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    model.eval()
    rows = []
    with torch.inference_mode():
        for data in files:
            image = Image.open(io.BytesIO(data)).convert("RGB")
            rows.append(model.encode_image(preprocess(image)[None])[0].numpy())
    return np.stack(rows)


def cosines(one: np.ndarray, two: np.ndarray) -> np.ndarray:
    """Row by row."""
    return (one * two).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)


def test_image_vectors_equal_open_clips(tmp_path, workspace, tiny_model):
    """Cosine of at least 0.9999 in every colour mode and shape, and the same lengths."""
    files = [make() for make in MODES.values()]
    got = make_embedder(clip_spec(tmp_path, tiny_model, batch_size=4), workspace).encode(files)
    expected = own_vectors(tiny_model, files)
    assert cosines(got, expected).min() >= 0.9999
    assert np.allclose(got, expected, atol=1e-4)


@pytest.mark.skipif(not REAL.is_dir(), reason="../shared/models is not here")
def test_real_model_equals_open_clips(tmp_path, workspace):
    """The same for a real convolutional model of 160 pixels."""
    files = [make() for make in MODES.values()]
    got = make_embedder(clip_spec(tmp_path, REAL), workspace).encode(files)
    assert cosines(got, own_vectors(REAL, files)).min() >= 0.9999


@pytest.mark.parametrize("mode", ["longest", "squash"])
def test_other_resize_modes_equal_open_clips(tmp_path, workspace, tiny_model, mode):
    """Models that pad or squash are preprocessed by their own rule."""
    folder = tmp_path / mode
    shutil.copytree(tiny_model, folder)
    config = {**TINY, "preprocess_cfg": {**TINY["preprocess_cfg"], "resize_mode": mode}}
    (folder / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    files = [MODES["tall.jpg"](), MODES["rgb.jpg"]()]
    got = make_embedder(clip_spec(tmp_path, folder), workspace).encode(files)
    assert cosines(got, own_vectors(folder, files)).min() >= 0.9999


def test_text_vectors_equal_open_clips(tmp_path, workspace, tiny_model):
    """Texts go through open_clip's tokenizer and encode_text; hostile ones do not stop it."""
    texts = ["a photo of a cat", "", "ﬁne \u202e text", "word " * 500, "🎉"]
    embedder = make_embedder(TextSet(tmp_path, []).spec(model=f"local-dir:{tiny_model}"), workspace)
    model = open_clip.create_model(f"local-dir:{tiny_model}").eval()
    with torch.inference_mode():
        expected = model.encode_text(open_clip.get_tokenizer(f"local-dir:{tiny_model}")(texts)).numpy()
    assert cosines(embedder.encode(texts), expected).min() >= 0.9999


def test_long_texts_are_cut_or_read_in_windows(tmp_path, workspace, tiny_model):
    """More tokens than the context holds: told, with one vector for one beginning; in windows the ends count."""
    texts = ["word " * 200 + end for end in ("fracture", "pollen allergy and asthma")]
    model = {"model": f"local-dir:{tiny_model}"}
    cut = make_embedder(TextSet(tmp_path, []).spec(**model), workspace)
    read = make_embedder(TextSet(tmp_path, []).spec(**model, long_texts="windows"), workspace)
    assert cosines(*cut.encode(texts)[:, None]).min() >= 0.9999 > cosines(*read.encode(texts)[:, None]).min()
    context = cut.cut(cut.prepare(texts[0]))[0]
    assert cut.cut(cut.prepare("a cat")) is None and cut.cut(cut.prepare(texts[0]))[1] > context
    assert read.cut(read.prepare(texts[0])) is None
    assert cosines(read.encode(["a cat"]), cut.encode(["a cat"])).min() >= 0.9999


def test_exif_rotation_and_transparency_are_honoured(tmp_path, workspace, tiny_model):
    """A rotated photo is embedded upright, a transparent one on white."""
    embedder = make_embedder(clip_spec(tmp_path, tiny_model), workspace)
    upright = photo(1, (60, 40))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(upright.transpose(Image.Transpose.ROTATE_90), exif=exif)
    clear = photo(2).convert("RGBA")
    clear.putalpha(0)
    got = embedder.encode([encoded(upright), turned, encoded(clear), encoded(Image.new("RGB", (48, 40), "white"))])
    assert cosines(got[0:1], got[1:2])[0] == pytest.approx(1, abs=1e-6)
    assert cosines(got[2:3], got[3:4])[0] == pytest.approx(1, abs=1e-6)


def test_endless_strips_are_cut_before_resizing():
    """A strip of 1 × 50,000 keeps its middle, so that resizing it takes no memory; others keep all."""
    assert cut_strip(Image.new("RGB", (1, 50_000))).size == (1, 20)
    assert cut_strip(Image.new("RGB", (40, 800))).size == (40, 800)
    row = Image.fromarray(np.repeat(np.arange(101, dtype=np.uint8)[None, :, None], 3, axis=2))
    assert np.asarray(cut_strip(row))[0, :, 0].tolist() == list(range(40, 60))


def test_memory_running_out_halves_the_batch(tmp_path, workspace, tiny_model):
    """Out of memory above three items: batches shrink for good, and the vectors are the same."""
    files = [encoded(photo(row)) for row in range(11)]
    expected = make_embedder(clip_spec(tmp_path, tiny_model, batch_size=8), workspace).encode(files)
    embedder = make_embedder(clip_spec(tmp_path, tiny_model, batch_size=8), workspace)
    plain, sizes = embedder._forward, []

    def greedy(batch):
        sizes.append(len(batch))
        if len(batch) > 3:
            error = torch.cuda.OutOfMemoryError if len(batch) > 5 else RuntimeError
            raise error("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")
        return plain(batch)

    embedder._forward = greedy
    got = embedder.encode(files)
    assert np.allclose(got, expected, atol=1e-5)
    assert sizes[:3] == [8, 4, 2] and set(sizes[3:]) == {2}
    assert embedder.batch_size == 2


def test_no_memory_for_one_item_is_a_clear_error(tmp_path, workspace, tiny_model):
    """A model too large for one item stops the run and says what to do."""
    embedder = make_embedder(clip_spec(tmp_path, tiny_model, batch_size=2), workspace)

    def starved(batch):
        raise RuntimeError("CUDA out of memory")

    embedder._forward = starved
    with pytest.raises(EmbedderError, match="one item at a time"):
        embedder.encode([encoded(photo(0))])


def test_other_errors_of_the_forward_pass_are_not_swallowed(tmp_path, workspace, tiny_model):
    """Only out-of-memory is tried again."""
    embedder = make_embedder(clip_spec(tmp_path, tiny_model), workspace)

    def broken(batch):
        raise RuntimeError("shapes do not match")

    embedder._forward = broken
    with pytest.raises(RuntimeError, match="shapes"):
        embedder.encode([encoded(photo(0))])


def test_fingerprint_follows_weights_and_settings(tmp_path, workspace, tiny_model):
    """Other weights, precision, storage or preprocessing: another fingerprint; another place or batch: the same."""
    copy = tmp_path / "copy"
    shutil.copytree(tiny_model, copy)
    plain = plan_embedder(clip_spec(tmp_path, tiny_model), workspace, None).fingerprint
    assert plan_embedder(clip_spec(tmp_path, copy, batch_size=7), workspace, None).fingerprint == plain
    seen = {plain}
    for change in ({"precision": "bf16"}, {"storage": "float16"}):
        seen.add(plan_embedder(clip_spec(tmp_path, copy, **change), workspace, None).fingerprint)
    weights = copy / "open_clip_model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    seen.add(plan_embedder(clip_spec(tmp_path, copy), workspace, None).fingerprint)
    config = {**TINY, "preprocess_cfg": {**TINY["preprocess_cfg"], "mean": [0, 0, 0]}}
    (copy / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    seen.add(plan_embedder(clip_spec(tmp_path, copy), workspace, None).fingerprint)
    assert len(seen) == 5


def test_text_tower_of_an_image_model(tmp_path, workspace, tiny_model):
    """The words' vectors for searching images are encode_text's, of the images' length; pca has no such tower."""
    words = make_embedder(clip_spec(tmp_path, tiny_model), workspace, tower="text").encode(["a cat"])
    model = open_clip.create_model(f"local-dir:{tiny_model}").eval()
    with torch.inference_mode():
        expected = model.encode_text(open_clip.get_tokenizer(f"local-dir:{tiny_model}")(["a cat"])).numpy()
    assert cosines(words, expected)[0] >= 0.9999
    with pytest.raises(EmbedderError, match="no text tower"):
        make_embedder(ImageSet(tmp_path / "none", {}).spec(), workspace, tower="text")


def test_relative_model_folder_starts_at_the_spec(tmp_path, workspace, tiny_model):
    """local-dir:PATH is relative to the spec's own folder."""
    pictures = ImageSet(tmp_path / "set", {})
    (tmp_path / "set").mkdir()
    shutil.copytree(tiny_model, tmp_path / "set" / "models" / "tiny")
    embedder = make_embedder(pictures.spec(model="local-dir:models/tiny"), workspace)
    assert embedder.encode([encoded(photo(0))]).shape == (1, 16)


def test_bf16_stays_near_fp32(tmp_path, workspace, tiny_model):
    """The bf16 forward pass points where the fp32 one does, to its own precision."""
    files = [encoded(photo(row)) for row in range(3)]
    full = make_embedder(clip_spec(tmp_path, tiny_model), workspace).encode(files)
    half = make_embedder(clip_spec(tmp_path, tiny_model, precision="bf16"), workspace).encode(files)
    assert cosines(full, half).min() > 0.999

"""Files that a GPU decodes, here decoded by torch on the CPU: which ones, how they are resized, what is refused."""

import numpy as np
import open_clip
import polars as pl
import pytest
import torch
from PIL import Image
from torchvision.transforms import CenterCrop, InterpolationMode, Resize

from assay.contracts.errors import EmbedderError
from assay.embedders import jpegs, torch_model, weights
from assay.embedders import open_clip as open_clip_model
from assay.embedders.geometry import Geometry
from assay.embedders.jpegs import Decoder, Jpeg, jpeg_for_gpu, picture_of
from assay.embedders.registry import make_embedder, plan_embedder
from assay.embedders.stage import embed
from assay.modalities.contents import Unmeasured
from assay.modalities.image.decode import decode_rgb
from assay.sources.files import open_source
from tests.embedders.conftest import ImageSet, encoded, photo
from tests.embedders.fatal import FATAL, FatalGeometry

GEOMETRY = Geometry(32, "bicubic", (32, 32))
SIZES = [(48, 40), (40, 48), (33, 200), (32, 32), (500, 375), (31, 20)]


def exif(orientation: int) -> Image.Exif:
    """Metadata that say how a picture is to be turned."""
    tags = Image.Exif()
    tags[0x0112] = orientation
    return tags


def library_steps(mode: InterpolationMode = InterpolationMode.BICUBIC, size: int = 32, crop: int = 32):
    """The steps that open_clip takes."""
    return [Resize(size, mode), CenterCrop((crop, crop)), open_clip.transform.MaybeConvertMode()]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("mode", [InterpolationMode.BICUBIC, InterpolationMode.BILINEAR])
def test_pillow_and_torch_resize_as_torchvision_does(size, mode):
    """A worker's pixels are the library's, bit for bit; a device's are within two levels of 256."""
    steps = library_steps(mode, 36)
    geometry, image = Geometry.of(steps), photo(1, size)
    wanted = np.asarray(steps[1](steps[0](image)))
    assert geometry == Geometry(36, mode.value, (32, 32))
    assert (geometry.in_pillow(image) == wanted).all()
    pixels = torch.from_numpy(np.asarray(image).copy()).permute(2, 0, 1)[None]
    found = geometry.in_torch(pixels)[0].permute(1, 2, 0).numpy()
    assert np.abs(found.astype(int) - wanted).max() <= 2


def test_only_a_resize_and_a_crop_are_done_on_a_device():
    """Padding, other filters and pictures of no fixed size are left to the library."""
    assert Geometry.of([Resize((20, 30))]) == Geometry((20, 30), "bilinear")
    assert Geometry.of([Resize((20, 30))]).in_pillow(photo(1)).shape == (20, 30, 3)
    assert Geometry.of([Resize(30)]) is None
    assert Geometry.of([Resize(30), CenterCrop((32, 32))]) is None
    assert Geometry.of([Resize(32, InterpolationMode.NEAREST), CenterCrop((32, 32))]) is None
    assert Geometry.of([open_clip.transform.ResizeKeepRatio(32), CenterCrop((32, 32))]) is None


@pytest.mark.parametrize("orientation", range(1, 9))
def test_rotated_files_are_turned_as_by_pillow(orientation):
    """Every EXIF orientation."""
    data = encoded(photo(3, (60, 40)), "JPEG", quality=95, exif=exif(orientation))
    jpeg = jpeg_for_gpu(data, 10**9)
    assert jpeg.orientation == orientation
    batch, rows, refused = Decoder(GEOMETRY, torch.device("cpu"), 10**9).decode([jpeg])
    wanted = GEOMETRY.in_pillow(decode_rgb(data, 10**9).image)
    assert rows == [0] and not refused
    assert np.abs(batch[0].numpy().astype(int) - wanted).mean() < 1.0


def test_what_is_no_usual_whole_jpeg_is_decoded_by_a_worker():
    """Grey and colour are for the GPU, to a limit of pixels; CMYK, RGB as it is, cut files and strips are not."""
    colour, gray = encoded(photo(1), "JPEG"), encoded(photo(1).convert("L"), "JPEG")
    assert isinstance(jpeg_for_gpu(colour, 10**9), Jpeg) and isinstance(jpeg_for_gpu(gray, 10**9), Jpeg)
    assert jpeg_for_gpu(colour, 48 * 40 - 1) is None
    progressive = encoded(photo(1), "JPEG", progressive=True)
    assert jpeg_for_gpu(progressive, 10**9).width == 48
    for other in (
        encoded(photo(1).convert("CMYK"), "JPEG"),
        encoded(photo(1), "JPEG", keep_rgb=True),
        encoded(photo(1, (20, 900)), "JPEG"),
        encoded(photo(1), "PNG"),
        colour[: len(colour) // 2],
        b"\xff\xd8\xff",
    ):
        assert jpeg_for_gpu(other, 10**9) is None
    made = picture_of(GEOMETRY, 10**9, encoded(photo(1), "PNG"))
    assert made.shape == (32, 32, 3) and made.dtype == np.uint8


def test_a_batch_keeps_its_order_and_says_what_it_lacks(monkeypatch):
    """Files, pixels, refusals and files that the decoder refuses, mixed: each row is its picture's."""
    monkeypatch.setattr(jpegs, "GROUP_BYTES", 10_000)
    files = [encoded(photo(row, SIZES[row % 3]), "JPEG", quality=95) for row in range(9)]
    pictures = [jpeg_for_gpu(data, 10**9) for data in files]
    broken = Jpeg(files[4][:40], 5, 5, 1)  # whatever its header said
    pictures[4] = broken
    pictures[2] = picture_of(GEOMETRY, 10**9, files[2])
    pictures[7] = Unmeasured("not_found", "it is gone", lasting=False)
    batch, rows, refused = Decoder(GEOMETRY, torch.device("cpu"), 10**9).decode(pictures)
    assert rows == [0, 1, 2, 3, 5, 6, 8] and set(refused) == {4, 7}
    assert refused[7] == ("not_found", "it is gone")
    for place, row in enumerate(rows):
        wanted = GEOMETRY.in_pillow(decode_rgb(files[row], 10**9).image)
        assert np.abs(batch[place].numpy().astype(int) - wanted).mean() < 1.0


def test_a_decoder_that_refuses_a_batch_gets_it_by_halves(monkeypatch):
    """One file that breaks a batch costs the batch nothing: Pillow decodes that file."""
    import torchvision

    plain = torchvision.io.decode_jpeg
    bad = encoded(photo(5), "JPEG")
    asked = []

    def picky(data, **options):
        asked.append(len(data))
        if any(bytes(one.numpy()) == bad for one in data):
            raise RuntimeError("nvjpegDecode failed: 8")
        return plain(data, **options)

    monkeypatch.setattr(torchvision.io, "decode_jpeg", picky)
    files = [encoded(photo(row), "JPEG") for row in range(5)] + [bad, encoded(photo(6), "JPEG")]
    batch, rows, refused = Decoder(GEOMETRY, torch.device("cpu"), 10**9).decode(
        [jpeg_for_gpu(data, 10**9) for data in files]
    )
    assert rows == list(range(7)) and not refused and asked[0] == 7 and 1 in asked
    wanted = GEOMETRY.in_pillow(decode_rgb(bad, 10**9).image)
    assert (batch[5].numpy() == wanted).all()


def contents_of(folder, files: dict[str, bytes]):
    """A source, and the contents of some files."""
    pictures = ImageSet(folder, files)
    return open_source(pictures.spec()), [(name, [uri]) for name, uri in zip(pictures.hashes(), files, strict=True)]


def test_shared_memory_is_used_again_and_again(tmp_path, monkeypatch):
    """More blocks than there are places, of files of very different lengths: each picture is its file's."""
    monkeypatch.setattr(jpegs, "BATCH", 2)
    rng = np.random.default_rng(0)
    noise = [rng.integers(0, 255, (rng.integers(20, 90), 40, 3), dtype=np.uint8) for _ in range(40)]
    kinds = [("PNG", {}) if row % 5 == 0 else ("JPEG", {"quality": 95}) for row in range(40)]
    files = {
        f"{row}.jpg": encoded(Image.fromarray(one), kind, **options)
        for row, (one, (kind, options)) in enumerate(zip(noise, kinds, strict=True))
    }
    source, contents = contents_of(tmp_path / "set", files)
    found = jpegs.read_pictures(source, GEOMETRY, 10**9, contents, 4)
    for picture, data in zip(found, files.values(), strict=True):
        if isinstance(picture, Jpeg):
            assert bytes(picture.data) == data
        else:
            assert (picture == GEOMETRY.in_pillow(decode_rgb(data, 10**9).image)).all()


def test_a_file_that_kills_its_worker_costs_only_itself(tmp_path, monkeypatch):
    """The block is read again file by file."""
    monkeypatch.setattr(jpegs, "BATCH", 4)
    files = {f"{row}.png": encoded(photo(row, FATAL if row == 5 else (20, 20))) for row in range(9)}
    source, contents = contents_of(tmp_path / "set", files)
    found = list(jpegs.read_pictures(source, FatalGeometry(32, "bicubic", (32, 32)), 10**9, contents, 100))
    assert [row for row, picture in enumerate(found) if isinstance(picture, Unmeasured)] == [5]
    assert found[5].reason == "decoder_crashed"
    for row in (4, 6, 7, 8):
        assert (found[row] == GEOMETRY.in_pillow(photo(row, (20, 20)))).all()


@pytest.fixture
def on_device(monkeypatch):
    """The device decodes, though it is the CPU."""
    for module in (torch_model, weights, open_clip_model):
        monkeypatch.setattr(module, "decodes_on_gpu", lambda spec, device: spec.embed.decode != "cpu")


def test_the_stage_decodes_on_the_device(tmp_path, workspace, tiny_model, on_device):
    """Vectors as near to Pillow's as two decoders are; PNGs equal; what cannot be read is refused; the cosine between
    the two is told, and stays when nothing is embedded any more."""
    files = {f"{row:02d}.jpg": encoded(photo(row, SIZES[row % 5]), "JPEG", quality=92) for row in range(20)}
    files |= {"a.png": encoded(photo(50)), "b.jpg": encoded(photo(51), "JPEG")[:300], "c.jpg": b"nothing"}
    pictures = ImageSet(tmp_path / "set", files)
    spec = pictures.spec(model=f"local-dir:{tiny_model}", batch_size=8)
    found = embed(spec, workspace, *pictures.inputs(workspace))
    vectors = dict(found.read("vectors", ["content_hash", "vector"]).iter_rows())
    refused = found.read("rejects")
    assert set(refused["uri"]) == {"b.jpg", "c.jpg"}
    plain = make_embedder(pictures.spec(model=f"local-dir:{tiny_model}", decode="cpu"), workspace)
    names = [name for name in files if name not in ("b.jpg", "c.jpg")]
    wanted = plain.encode([files[name] for name in names])
    hashes = dict(zip(files, pictures.hashes(), strict=True))
    got = np.array([vectors[hashes[name]] for name in names])
    cosines = (got * wanted).sum(axis=1) / np.linalg.norm(wanted, axis=1)
    assert cosines.min() > 0.999 and cosines[names.index("a.png")] > 1 - 1e-6
    check = found.read("embedding_health").row(by_predicate=pl.col("check") == "decoder_cosine", named=True)
    assert check["ok"] and 0.999 < check["value"] <= 1.0 and check["note"].startswith("20 JPEGs")
    (tmp_path / "set" / "d.png").write_bytes(encoded(photo(60)))
    more = ImageSet(tmp_path / "set", files | {"d.png": encoded(photo(60))})
    again = embed(spec, workspace, *more.inputs(workspace))
    kept = again.read("embedding_health").row(by_predicate=pl.col("check") == "decoder_cosine", named=True)
    assert kept["note"] == check["note"]


def test_the_decoder_is_part_of_the_fingerprint(tmp_path, workspace, tiny_model, monkeypatch):
    """A device's pixels differ a little from Pillow's, so their vectors have a name of their own; it takes a GPU."""
    pictures = ImageSet(tmp_path / "set", {})
    spec = pictures.spec(model=f"local-dir:{tiny_model}")
    plain = plan_embedder(spec, workspace, None).fingerprint
    assert (
        plan_embedder(pictures.spec(model=f"local-dir:{tiny_model}", decode="cpu"), workspace, None).fingerprint
        == plain
    )
    with pytest.raises(EmbedderError, match=r'embed.decode = "gpu", but the device is "cpu"'):
        plan_embedder(pictures.spec(model=f"local-dir:{tiny_model}", decode="gpu"), workspace, None)
    monkeypatch.setattr("assay.embedders.weights.decodes_on_gpu", lambda spec, device: True)
    assert plan_embedder(spec, workspace, None).fingerprint != plain

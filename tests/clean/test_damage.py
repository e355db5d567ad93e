"""Damage that decoders pass over in silence is found, and whole files have none."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from assay.contracts.errors import UnreadableSample
from assay.modalities.image.facts import measure


def photo(seed: int, width: int = 320, height: int = 240) -> Image.Image:
    """Clouds of several sizes, as unlike a test pattern as can be made."""
    random, out = np.random.default_rng(seed), np.zeros((height, width, 3))
    for cells, gain in ((4, 70), (9, 60), (21, 40), (60, 25), (160, 12)):
        for channel in range(3):
            noise = Image.fromarray(random.normal(0, 1, (cells, cells)).astype(np.float32))
            out[..., channel] += gain * np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC))
    return Image.fromarray(np.clip(out + 128, 0, 255).astype(np.uint8))


def saved(image: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def damage(data: bytes) -> float:
    """The share that is measured; 1 for what is not read at all, which is a reject."""
    try:
        return measure(data, max_pixels=10**8).damage
    except UnreadableSample:
        return 1.0


JPEGS = {
    "baseline": {"quality": 90},
    "grey": {"quality": 90},
    "rough": {"quality": 40},
    "optimised": {"quality": 90, "optimize": True},
    "progressive": {"quality": 90, "progressive": True},
    "restarts": {"quality": 90, "restart_marker_rows": 1},
    "large": {"quality": 80},
}


def jpeg(kind: str, seed: int) -> bytes:
    picture = photo(seed, 1200, 900) if kind == "large" else photo(seed)
    return saved(picture.convert("L") if kind == "grey" else picture, "JPEG", **JPEGS[kind])


def planted(data: bytes, way: str, share: float, other: bytes) -> bytes:
    start = data.index(b"\xff\xda") + 14
    cut = start + int((len(data) - start) * share)
    return {
        "cut": data[:cut] + b"\xff\xd9",
        "zero tail": data[:cut] + bytes(len(data) - cut - 2) + b"\xff\xd9",
        "lost block": data[:cut] + data[cut + 2000 :],
        "zero block": data[:cut] + bytes(2000) + data[cut + 2000 :],
        "foreign block": data[:cut] + other[start + 2000 : start + 4000] + data[cut + 2000 :],
    }[way]


@pytest.mark.parametrize("kind", JPEGS)
@pytest.mark.parametrize("way", ["cut", "zero tail", "lost block", "zero block", "foreign block"])
def test_damaged_jpegs(kind, way):
    """Nearly all of them are found, in every kind of JPEG; cut ones and empty tails without exception."""
    found = [
        damage(planted(jpeg(kind, seed), way, share, jpeg(kind, 90 + seed)))
        for seed, share in enumerate((0.3, 0.4, 0.5, 0.6, 0.7))
    ]
    assert sum(value > 0 for value in found) >= {"cut": 5, "zero tail": 5, "foreign block": 3}.get(way, 4), found


@pytest.mark.parametrize("share", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("way", ["cut", "zero tail"])
def test_the_share_that_is_affected(way, share):
    """What lies below the cut, by the pixels."""
    found = damage(planted(jpeg("baseline", 3), way, share, b""))
    assert found == pytest.approx(1 - share, abs=0.2)


@pytest.mark.parametrize("kind", JPEGS)
def test_whole_jpegs_have_no_damage(kind):
    """Nor have those with something behind their end mark, or with other tables."""
    data = jpeg(kind, 5)
    assert damage(data) == damage(data + b"\0" * 5000) == damage(data + data) == 0
    flat = saved(Image.new("RGB", (1500, 1500), (255, 255, 255)), "JPEG", **JPEGS[kind])
    assert damage(flat) == 0


def test_png_checksums():
    """A data chunk whose checksum is wrong is damage from there on, though the pixels load."""
    pixels = np.asarray(photo(1))
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    packed = zlib.compress(rows, 0)
    half = len(packed) // 2
    parts = [packed[:half], packed[half:-1] + bytes([packed[-1] ^ 1])]  # the stream's own checksum is wrong too

    def chunk(name: bytes, content: bytes, wrong: int = 0) -> bytes:
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content) ^ wrong)

    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 320, 240, 8, 2, 0, 0, 0))
    data = head + chunk(b"IDAT", parts[0]) + chunk(b"IDAT", parts[1], wrong=1) + chunk(b"IEND", b"")
    assert damage(data) == pytest.approx(0.5, abs=0.01) or damage(data) == 1.0
    assert damage(head + chunk(b"IDAT", packed[:half]) + chunk(b"IDAT", packed[half:]) + chunk(b"IEND", b"")) == 0


FORMS = {
    "WEBP": {"quality": 80}, "AVIF": {}, "JPEG2000": {"quality_mode": "rates", "quality_layers": [20]},
    "PNG": {}, "GIF": {}, "TIFF": {"compression": "tiff_adobe_deflate"},
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("way", ["cut", "zero tail", "zero block"])
def test_other_formats(form, way):
    """Cut files, empty tails and empty blocks are damage or rejects, in every format; whole files are neither."""
    for seed in range(3):
        data = saved(photo(seed), form, **FORMS[form])
        assert damage(data) == 0
        cut = int(len(data) * (0.3 + 0.2 * seed))
        end = data[-16:] if form != "GIF" else b"\0;"
        spoilt = {
            "cut": data[:cut] + end,
            "zero tail": data[:cut] + bytes(len(data) - cut - len(end)) + end,
            "zero block": data[:cut] + bytes(900) + data[cut + 900 :],
        }[way]
        assert damage(spoilt) > 0, (form, way, seed)


@pytest.mark.parametrize("form", ["WEBP", "AVIF", "JPEG2000", "TIFF", "GIF", "PNG"])
@pytest.mark.parametrize("shade", [0, 128, 255])
def test_flat_pictures_are_whole(form, shade):
    """Much of one colour is coded in few bytes, some of them zero, and is no damage."""
    picture = Image.new("RGB", (1800, 1200), (shade, shade, shade))
    picture.paste(photo(2, 200, 150), (100, 100))
    assert damage(saved(picture, form, **FORMS[form])) == 0


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_an_animation_that_breaks_off(form):
    """Later frames that are lost are damage, or the file is a reject; the whole animation has none."""
    frames = [photo(seed, 120, 90) for seed in range(6)]
    data = saved(frames[0], form, save_all=True, append_images=frames[1:], duration=100)
    assert damage(data) == 0
    assert damage(data[: int(len(data) * 0.6)] + (b"\0;" if form == "GIF" else b"")) > 0

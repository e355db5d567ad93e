"""Image facts: each measure against a slow plain version, and what decoding must not be fooled by."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from assay.contracts.errors import UnreadableSample
from assay.modalities.image import cleaning as images
from assay.modalities.image import facts as image_measures
from assay.modalities.image.identity import hash_pixels
from assay.store import executor as workers
from assay.store.files import hash_bytes
from assay.store.parts import check
from tests.clean.conftest import IN_PROCESSES, facts_of

RNG = np.random.default_rng(0)
PIXELS = arrays(np.uint8, st.tuples(st.integers(1, 20), st.integers(1, 20), st.just(3)))


def png(array: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(array).save(buffer, options.pop("format", "PNG"), **options)
    return buffer.getvalue()


def photo(height: int = 90, width: int = 120) -> np.ndarray:
    """Smooth colours with some texture."""
    y, x = np.mgrid[0:height, 0:width]
    base = np.stack([x * 255 / width, y * 255 / height, (x + y) % 256], axis=2)
    return (base * 0.8 + RNG.integers(0, 50, (height, width, 3))).clip(0, 255).astype(np.uint8)


def row(data: bytes, **options) -> dict:
    facts, failures, unread = facts_of([data], **options)
    assert failures.is_empty() and unread.is_empty(), (failures.rows(), unread.rows())
    return check("image_facts", facts).row(0, named=True)


@settings(max_examples=40)
@given(PIXELS)
def test_histogram_measures_equal_a_plain_version(pixels):
    """Brightness, its percentiles, contrast and entropy are what a sorted list of the pixels gives."""
    found = row(png(pixels))
    bright = np.sort(np.floor(np.sqrt(pixels.astype(float) ** 2 @ [0.241, 0.691, 0.068]) + 0.5).ravel())
    gray = np.asarray(Image.fromarray(pixels).convert("L")).ravel().astype(float)
    counts = np.unique(gray, return_counts=True)[1] / len(gray)
    assert found["brightness"] == pytest.approx(bright.mean() / 255, abs=2e-3)
    assert abs(found["brightness_p05"] - bright[max(int(np.ceil(0.05 * len(bright) - 1e-9)) - 1, 0)] / 255) < 0.005
    assert abs(found["brightness_p99"] - bright[max(int(np.ceil(0.99 * len(bright) - 1e-9)) - 1, 0)] / 255) < 0.005
    assert found["contrast"] == pytest.approx(min(2 * gray.std() / 255, 1), abs=1e-6)
    assert found["entropy_bits"] == pytest.approx(-(counts * np.log2(counts)).sum(), abs=1e-9)


@settings(max_examples=40)
@given(PIXELS)
def test_sharpness_and_colorfulness_equal_a_plain_version(pixels):
    """The Laplacian's variance and the channel spread are what two nested loops give."""
    found = row(png(pixels))
    gray = np.asarray(Image.fromarray(pixels).convert("L")).astype(float)
    height, width = gray.shape
    values = [
        gray[y - 1, x] + gray[y + 1, x] + gray[y, x - 1] + gray[y, x + 1] - 4 * gray[y, x]
        for y in range(1, height - 1)
        for x in range(1, width - 1)
    ]
    assert found["sharpness"] == (pytest.approx(np.var(values), rel=1e-4, abs=1e-2) if values else None)
    spread = np.mean([max(p) - min(p) for p in pixels.reshape(-1, 3).astype(int).tolist()]) / 255
    assert found["colorfulness"] == pytest.approx(spread, abs=1e-6)


def test_perceptual_hash_equals_a_plain_dct():
    """The matrix form of the pHash is SciPy's DCT of each image, bit by bit."""
    from scipy.fft import dctn

    luminance = RNG.integers(0, 256, (20, 32, 32)).astype(np.uint8)
    for image, found in zip(luminance, images.perceptual_hashes(luminance), strict=True):
        coefficients = dctn(image.astype(float), type=2)[:8, :8].ravel()
        bits = coefficients > np.median(coefficients[1:])
        bits[0] = False
        assert int("".join("01"[int(bit)] for bit in bits), 2) == int(found)


def test_perceptual_hash_survives_reencoding_and_tells_pictures_apart():
    """A re-encoded, resized copy stays within 4 bits; another picture is far away."""
    coarse = Image.fromarray(np.random.default_rng(3).integers(0, 256, (8, 8, 3)).astype(np.uint8))
    picture = np.asarray(coarse.resize((300, 200), Image.Resampling.BICUBIC))
    copy = Image.fromarray(picture).resize((150, 100))
    mirrored = picture[:, ::-1].copy()
    base, near, far = (
        row(data)["perceptual_hash"] for data in (png(picture), png(np.asarray(copy), format="JPEG"), png(mirrored))
    )
    assert (base ^ near).bit_count() <= 4
    assert (base ^ far).bit_count() > 8


@pytest.mark.parametrize("value", [0, 7, 255])
def test_flat_images_have_one_perceptual_hash(value):
    """No rounding noise decides the hash of an image of one colour."""
    assert row(png(np.full((50, 40, 3), value, np.uint8)))["perceptual_hash"] == 0


def test_pixel_hash_is_of_pixels_and_not_of_bytes():
    """The same pixels as PNG, BMP, WebP and opaque RGBA agree; one changed pixel, or another shape, does not."""
    pixels = photo()
    same = [png(pixels), png(pixels, format="BMP"), png(pixels, format="WEBP", lossless=True)]
    same.append(png(np.dstack([pixels, np.full(pixels.shape[:2], 255, np.uint8)])))
    changed = pixels.copy()
    changed[5, 5, 1] ^= 1
    hashes = [row(data)["pixel_hash"] for data in same]
    assert len(set(hashes)) == 1
    assert row(png(changed))["pixel_hash"] != hashes[0]
    assert row(png(pixels.reshape(120, 90, 3)))["pixel_hash"] != hashes[0]


def test_pixel_hash_of_a_large_image_equals_that_of_its_bytes():
    """Images of several memory blocks (16 MB and more) have the hash of their rows."""
    from xxhash import xxh3_128

    pixels = RNG.integers(0, 256, (2100, 2100, 3)).astype(np.uint8)
    for part in (pixels, pixels[:50, :40].copy()):
        size = f"{part.shape[1]}x{part.shape[0]}"
        expected = xxh3_128(f"{size} {size}:".encode() + part.tobytes()).hexdigest()
        assert hash_pixels(Image.fromarray(part), part.shape[1::-1]) == expected


def test_a_large_jpeg_is_measured_at_a_scale_and_keeps_its_size():
    """Decoding at a half changes neither size nor, by much, any measure; metadata do not change the pixel hash."""
    coarse = Image.fromarray(np.random.default_rng(5).integers(0, 256, (12, 16, 3)).astype(np.uint8))
    picture = np.asarray(coarse.resize((640, 480), Image.Resampling.BICUBIC))
    exif = Image.Exif()
    exif[0x0112] = 6
    jpeg, turned, whole = (
        row(png(picture, format="JPEG")),
        row(png(picture, format="JPEG", exif=exif)),
        row(png(picture)),
    )
    assert (jpeg["width"], jpeg["height"], turned["width"], turned["height"]) == (640, 480, 480, 640)
    for name in ("brightness", "brightness_p05", "brightness_p99", "contrast", "colorfulness"):
        assert jpeg[name] == pytest.approx(whole[name], abs=0.02), name
    assert jpeg["entropy_bits"] == pytest.approx(whole["entropy_bits"], abs=0.1)
    assert (jpeg["perceptual_hash"] ^ whole["perceptual_hash"]).bit_count() <= 4
    commented = row(png(picture, format="JPEG", comment=b"the same pixels"))
    assert commented["pixel_hash"] == jpeg["pixel_hash"] != turned["pixel_hash"]


def test_grayscale_and_rgb_of_equal_pixels_agree():
    """A gray PNG and the same picture as RGB are pixel duplicates, and have no colour."""
    gray = photo()[..., 0]
    one, other = row(png(gray)), row(png(np.dstack([gray] * 3)))
    assert one["pixel_hash"] == other["pixel_hash"]
    assert one["colorfulness"] == other["colorfulness"] == 0.0
    assert (one["mode"], other["mode"]) == ("L", "RGB")


def test_exif_rotation_is_applied():
    """Width, height and pixels are those that a viewer shows, and the change is recorded."""
    pixels = photo()
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = row(png(pixels, exif=exif))
    assert (turned["width"], turned["height"]) == (90, 120)
    assert "exif_rotated" in turned["changes"]
    assert turned["pixel_hash"] == row(png(np.rot90(pixels, -1).copy()))["pixel_hash"]


@pytest.mark.parametrize("pixels", [16, 100, 128, 200])
def test_thumbnail_fits_its_side(pixels):
    """The thumbnail is a JPEG of at most that side and of the image's aspect; small images are not enlarged."""
    found = row(png(photo(300, 600)), thumbnail_pixels=pixels)
    thumbnail = Image.open(io.BytesIO(found["thumbnail"]))
    assert thumbnail.format == "JPEG" and thumbnail.size == (pixels, pixels // 2)
    assert Image.open(io.BytesIO(row(png(photo(8, 9)))["thumbnail"])).size == (9, 8)


def test_facts_do_not_depend_on_the_number_of_processes(monkeypatch):
    """In this process, in one worker or in three: the same rows in the same order, failures where they belong."""
    files = [png(photo(20 + i, 30)) for i in range(40)]
    files[7] = b"no image"
    here = facts_of(files)
    monkeypatch.setattr(workers, "cores", lambda: 3)
    monkeypatch.setattr(workers, "_in_processes", IN_PROCESSES)
    for worth in (128, 10):
        monkeypatch.setattr(workers, "WORTH", worth)
        there = facts_of(files)
        assert all(one.equals(other) for one, other in zip(here, there, strict=True))
    assert here[0]["content_hash"].to_list() == [hash_bytes(data) for data in files if data != b"no image"]
    assert here[1]["reason"].to_list() == ["not_an_image"]


def test_pixels_are_counted_before_they_are_decoded():
    """A bomb is refused by its header: a few bytes that claim a billion pixels cost no memory."""
    header = bytearray(png(np.zeros((4, 4, 3), np.uint8)))
    header[16:24] = (30_000).to_bytes(4, "big") * 2
    import zlib

    header[29:33] = zlib.crc32(bytes(header[12:29])).to_bytes(4, "big")
    with pytest.raises(UnreadableSample) as caught:
        image_measures.measure(bytes(header), max_pixels=10**8)
    assert caught.value.reason == "decompression_bomb"

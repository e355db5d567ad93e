"""Hostile image files: each is measured rightly or rejected with a true reason; none stops or hangs the run."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from assay.facts import clean
from assay.modalities.image.facts import measure
from assay.store.workspace import Workspace
from tests.clean.conftest import image_spec, ingest_folder

RNG = np.random.default_rng(0)
PHOTO = RNG.integers(0, 256, (48, 64, 3)).astype(np.uint8)


def saved(image, format: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, format, **options)
    return buffer.getvalue()


def png_claiming(width: int, height: int) -> bytes:
    """A tiny PNG whose header claims another size."""
    data = bytearray(saved(PHOTO))
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(bytes(data[12:29])))
    return bytes(data)


REJECTED = {
    "zero_bytes.png": (b"", "zero_bytes"),
    "text.jpg": (b"this is no picture", "not_an_image"),
    "nul.png": (b"\0" * 5000, "not_an_image"),
    "page.png": (b"<!doctype html><title>404</title>", "not_an_image"),
    "truncated.jpg": (saved(PHOTO, "JPEG")[:-400], "truncated"),
    "truncated.png": (saved(PHOTO)[:2000], "truncated"),
    "header_only.png": (saved(PHOTO)[:20], "truncated"),
    "truncated.gif": (saved(PHOTO, "GIF")[:900], "truncated"),
    "truncated.webp": (saved(PHOTO, "WEBP")[:300], "truncated"),
    "bomb.png": (png_claiming(60_000, 60_000), "decompression_bomb"),
    "above_limit.png": (saved(np.zeros((1100, 1000), np.uint8)), "decompression_bomb"),
    "script.svg": (b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"></svg>', "unsupported_format"),
    "bare.png": (b"<svg onload=alert(1)></svg>", "unsupported_format"),
    "postscript.jpg": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n", "unsupported_format"),
    "paper.pdf": (b"%PDF-1.7\n1 0 obj\n", "unsupported_format"),
    "layers.psd": (b"8BPS\0\1" + b"\0" * 100, "unsupported_format"),
    "phone.heic": (b"\0\0\0\x18ftypheic" + b"\0" * 100, "unsupported_format"),
}
OPAQUE = np.full((48, 64), 255, np.uint8)
GOOD = {
    "rgb.png": (saved(PHOTO), []),
    "really_a_png.jpg": (saved(PHOTO), []),
    "cmyk.jpg": (saved(Image.fromarray(PHOTO).convert("CMYK"), "JPEG"), ["mode_converted"]),
    "gray.png": (saved(PHOTO[..., 0]), ["mode_converted"]),
    "one_bit.png": (saved(Image.fromarray(PHOTO).convert("1")), ["mode_converted"]),
    "gray16.png": (saved(PHOTO[..., 0].astype(np.uint16) * 257), ["depth_reduced", "mode_converted"]),
    "float.tiff": (saved(PHOTO[..., 0] / np.float32(255), "TIFF"), ["depth_reduced", "mode_converted"]),
    "alpha.png": (saved(np.dstack([PHOTO, OPAQUE // 2])), ["alpha_composited", "mode_converted"]),
    "palette.gif": (saved(Image.fromarray(PHOTO).quantize(16), "GIF"), ["mode_converted"]),
    "clear_palette.png": (
        saved(Image.fromarray(PHOTO).quantize(16), transparency=0), ["alpha_composited", "mode_converted"]
    ),
    "one_wide.png": (saved(PHOTO[:, :1]), []),
    "one_pixel.png": (saved(PHOTO[:1, :1]), []),
    "long.png": (saved(np.zeros((2, 50_000, 3), np.uint8)), []),
    "two_frames.gif": (
        saved(Image.fromarray(PHOTO), "GIF", save_all=True, append_images=[Image.fromarray(255 - PHOTO)]),
        ["first_frame", "mode_converted"],
    ),
    "trailing.jpg": (saved(PHOTO, "JPEG") + b"<script>alert(1)</script>" * 50, []),
    "damaged_exif.jpg": (saved(PHOTO, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff"), []),
    "photo.webp": (saved(PHOTO, "WEBP"), []),
    "photo.bmp": (saved(PHOTO, "BMP"), []),
    "photo.tiff": (saved(PHOTO, "TIFF"), []),
    "photo.ppm": (saved(PHOTO, "PPM"), []),
    "photo.avif": (saved(PHOTO, "AVIF"), []),
}  # fmt: skip


@pytest.fixture(scope="module")
def cleaned(tmp_path_factory):
    """All of them in one night."""
    folder = tmp_path_factory.mktemp("data")
    for name, (data, _) in {**REJECTED, **GOOD}.items():
        (folder / name).write_bytes(data)
    workspace = Workspace(tmp_path_factory.mktemp("home"), "test")
    spec = image_spec(folder, clean={"max_pixels": 1_000_000})
    return clean(spec, workspace, ingest_folder(workspace, folder))


@pytest.mark.parametrize("name", REJECTED)
def test_bad_files_are_rejected_with_a_true_reason(cleaned, name):
    """Damaged, refused and oversized files are in `rejects`, each under its own reason, and nowhere else."""
    found = {row["uri"]: row for row in cleaned.read("rejects").to_dicts()}
    assert found[name]["reason"] == REJECTED[name][1], found[name]
    assert found[name]["detail"]
    assert name not in cleaned.read("samples")["uri"].to_list()


@pytest.mark.parametrize("name", GOOD)
def test_odd_files_are_measured(cleaned, name):
    """Unusual but whole files go on, with what decoding changed."""
    rows = cleaned.read("samples").join(cleaned.read("image_facts"), on="content_hash", how="left").to_dicts()
    row = next(row for row in rows if row["uri"] == name)
    assert set(row["changes"]) == set(GOOD[name][1])
    assert Image.open(io.BytesIO(row["thumbnail"])).size[0] >= 1
    assert len(row["luminance"]) == 1024


def test_the_content_decides_and_not_the_extension(cleaned):
    """A PNG named .jpg is a PNG, and a pixel duplicate of the one named .png."""
    facts = cleaned.read("samples").join(cleaned.read("image_facts"), on="content_hash", how="left")
    pair = facts.filter(facts["uri"].is_in(["rgb.png", "really_a_png.jpg"]))
    assert set(pair["format"]) == {"PNG"} and pair["pixel_hash"].n_unique() == 1


def test_sixteen_bits_are_scaled_and_not_cut():
    """A 16-bit gray image measures as its 8-bit version does."""
    eight = measure(saved(PHOTO[..., 0]), max_pixels=10**6)
    sixteen = measure(saved(PHOTO[..., 0].astype(np.uint16) * 257), max_pixels=10**6)
    assert sixteen.pixel_hash == eight.pixel_hash


def test_transparent_pixels_show_the_background():
    """What colour hides under full transparency is not seen, it is white; but it is not the same picture as white."""
    hidden = measure(saved(np.dstack([PHOTO, OPAQUE * 0])), max_pixels=10**6)
    white = measure(saved(np.full_like(PHOTO, 255)), max_pixels=10**6)
    assert (hidden.luminance == white.luminance).all() and hidden.pixel_hash != white.pixel_hash


def test_random_bytes_never_raise_anything_else():
    """Bytes flipped at random in valid files give facts or a reason, whatever the decoder does."""
    from assay.contracts.errors import UnreadableSample

    for name in ("rgb.png", "cmyk.jpg", "palette.gif", "photo.webp", "photo.tiff", "photo.avif", "photo.bmp"):
        for seed in range(12):
            data = bytearray(GOOD[name][0])
            rng = np.random.default_rng(seed)
            for place in rng.integers(0, len(data), 8):
                data[place] = rng.integers(0, 256)
            try:
                assert measure(bytes(data), max_pixels=10**6).width > 0
            except UnreadableSample as error:
                assert error.reason

"""The one image decoder: every colour mode to RGB, and a true reason for every file it refuses."""

import io
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from assay.contracts.errors import UnreadableSample
from assay.modalities.image.decode import decode_rgb

LIMIT = 10**6


def picture(size=(24, 16)) -> Image.Image:
    """A gradient, RGB."""
    row = np.linspace(0, 255, size[0], dtype=np.uint8)
    return Image.fromarray(np.stack([np.tile(row, (size[1], 1))] * 3, axis=2))


def bytes_of(image: Image.Image, file_format: str, **options) -> bytes:
    """The bytes of an image file."""
    stream = io.BytesIO()
    image.save(stream, file_format, **options)
    return stream.getvalue()


def reason(data: bytes, limit: int = LIMIT) -> str:
    """Why the bytes are refused."""
    with pytest.raises(UnreadableSample) as caught:
        decode_rgb(data, limit)
    return caught.value.reason


@pytest.mark.parametrize(
    "file_format", ["AVIF", "BMP", "GIF", "ICO", "JPEG", "JPEG2000", "PNG", "PPM", "QOI", "SGI", "TIFF", "WEBP"]
)
def test_allowed_formats(file_format):
    """Each is decoded to RGB of its own size, near the original, and refused above the limit of pixels."""
    data = bytes_of(picture(), file_format, **({"sizes": [(24, 16)]} if file_format == "ICO" else {}))
    decoded = decode_rgb(data, LIMIT)
    assert (decoded.format, decoded.image.mode, decoded.image.size) == (file_format, "RGB", (24, 16))
    assert np.abs(np.asarray(decoded.image).astype(int) - np.asarray(picture())).max() < 24
    assert reason(data, 24 * 16 - 1) == "decompression_bomb"


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LA", "RGBA", "I;16", "I", "F"])
def test_colour_modes(mode):
    """Every mode becomes 8-bit RGB; what was done is listed."""
    image = picture()
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image)[:, :, 0].astype(np.uint16) * 257)
    elif mode in ("I", "F"):
        image = image.convert("L").convert(mode)
    else:
        image = image.convert(mode)
    decoded = decode_rgb(bytes_of(image, "TIFF" if mode != "P" else "PNG"), LIMIT)
    assert decoded.image.mode == "RGB"
    assert "mode_converted" in decoded.changes
    assert ("depth_reduced" in decoded.changes) == (mode in ("I;16", "I", "F"))
    if mode in ("L", "I;16", "I", "F"):
        assert np.array_equal(np.asarray(decoded.image), np.asarray(picture()))


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF"])
def test_transparency_is_white(file_format):
    """Transparent pixels are white whatever colour they hide; an opaque alpha changes nothing."""
    hidden = Image.new("RGBA", (8, 8), (10, 20, 30, 0))
    decoded = decode_rgb(bytes_of(hidden, file_format, **({"lossless": True} if file_format == "WEBP" else {})), LIMIT)
    assert decoded.image.getpixel((3, 3)) == (255, 255, 255)
    assert "alpha_composited" in decoded.changes
    opaque = decode_rgb(bytes_of(picture().convert("RGBA"), "PNG"), LIMIT)
    assert "alpha_composited" not in opaque.changes
    assert np.array_equal(np.asarray(opaque.image), np.asarray(picture()))


def test_palette_with_transparent_colour():
    """A palette's transparent entry is white, the others keep their colour."""
    image = Image.new("P", (2, 1))
    image.putpalette([200, 0, 0, 0, 0, 200])
    image.putpixel((1, 0), 1)
    decoded = decode_rgb(bytes_of(image, "PNG", transparency=0), LIMIT)
    assert [decoded.image.getpixel((x, 0)) for x in (0, 1)] == [(255, 255, 255), (0, 0, 200)]


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation(file_format, orientation):
    """Each of the eight orientations gives what Pillow's own transposition of the file gives."""
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    data = bytes_of(picture(), file_format, exif=exif)
    decoded = decode_rgb(data, LIMIT)
    expected = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    assert np.array_equal(np.asarray(decoded.image), np.asarray(expected))
    assert decoded.image.size == ((16, 24) if orientation > 4 else (24, 16))
    assert ("exif_rotated" in decoded.changes) == (orientation > 1)


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_first_of_several_frames(file_format):
    """An animation or a file of pages counts its frames and gives the first."""
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "green", "blue")]
    data = bytes_of(frames[0], file_format, save_all=True, append_images=frames[1:])
    decoded = decode_rgb(data, LIMIT)
    assert decoded.n_frames == 3
    assert decoded.changes[0] == "first_frame"
    red, green, blue = decoded.image.getpixel((4, 4))
    assert red > 200 and green < 60 and blue < 60


def test_files_that_are_no_images():
    """Each is refused for what it is."""
    assert reason(b"") == "zero_bytes"
    assert reason(b"hello, this is text") == "not_an_image"
    assert reason(np.random.default_rng(0).bytes(5000)) == "not_an_image"
    assert reason(b"\xff\xd8\xff" + b"a" * 500) == "truncated"
    for data in (b"%!PS-Adobe-3.0 EPSF", b"<?xml version='1.0'?><SVG xmlns='x'>", b"%PDF-1.7", b"8BPS\0\1"):
        assert reason(data) == "unsupported_format"
    assert reason(b"\0\0\0\x18ftypheic" + b"\0" * 100) == "unsupported_format"


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_files(file_format, share):
    """A file that ends too early is `truncated`, wherever it ends."""
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    data = bytes_of(noise, file_format)
    assert reason(data[: int(len(data) * share)]) == "truncated"


def test_damaged_bytes_never_escape():
    """Files with bytes changed at random are decoded or refused, and nothing else is raised."""
    rng = np.random.default_rng(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for file_format in ("JPEG", "PNG", "GIF", "TIFF", "WEBP", "ICO", "QOI", "JPEG2000"):
            whole = bytes_of(picture(), file_format)
            for _ in range(40):
                data = bytearray(whole)
                for place in rng.integers(0, len(data), 4):
                    data[place] = rng.integers(0, 256)
                try:
                    decode_rgb(bytes(data), LIMIT)
                except UnreadableSample as error:
                    assert error.reason in ("truncated", "unreadable", "not_an_image", "decompression_bomb"), data


def test_bomb_is_refused_before_it_is_decoded():
    """A small file that claims 2.5 thousand million pixels is refused at once."""
    header = bytearray(bytes_of(picture(), "PNG"))
    header[16:24] = (50_000).to_bytes(4, "big") * 2
    import zlib

    header[29:33] = zlib.crc32(bytes(header[12:29])).to_bytes(4, "big")
    assert reason(bytes(header), 178_956_970) == "decompression_bomb"


def test_many_threads_agree():
    """Decoding from eight threads at once gives what one thread gives."""
    files = [bytes_of(picture((8 + n, 9)), name) for n in range(20) for name in ("PNG", "JPEG", "WEBP")]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda data: np.asarray(decode_rgb(data, LIMIT).image), files))
    assert all(
        np.array_equal(got, np.asarray(decode_rgb(data, LIMIT).image))
        for got, data in zip(together, files, strict=True)
    )

"""What was not looked at is not called equal: the pixel hash, and what is seen of deep and transparent pictures."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageDraw

from assay.contracts.errors import UnreadableSample
from assay.modalities.image import facts as image_measures
from assay.modalities.image.decode import decode_rgb
from assay.modalities.image.facts import Measured, measure
from assay.modalities.image.opening import PNG_HEAD

RNG = np.random.default_rng(0)
PHOTO = np.asarray(Image.fromarray(RNG.integers(0, 256, (6, 8, 3)).astype(np.uint8)).resize((64, 48), 3))


def saved(image, form: str = "PNG", **options) -> bytes:
    buffer = io.BytesIO()
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, form, **options)
    return buffer.getvalue()


def seen(data: bytes) -> Measured:
    return measure(data, max_pixels=10**8)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png16(pixels: np.ndarray) -> bytes:
    """A PNG of 16 bits a channel, of (H, W, 3 or 4) uint16."""
    height, width, channels = pixels.shape
    head = struct.pack(">IIBBBBB", width, height, 16, 2 if channels == 3 else 6, 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    return PNG_HEAD + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def icon(number: int, colour: tuple[int, ...]) -> Image.Image:
    """A line drawing on transparency."""
    image = Image.new("RGBA", (48, 48), (0, 0, 0, 0))
    ImageDraw.Draw(image).line((4, 4 + 3 * number, 44, 40 - 2 * number), fill=colour, width=4)
    return image


def animated(form: str, last: np.ndarray) -> bytes:
    """Three frames of which the first two are a title."""
    title = Image.fromarray(np.full((48, 64, 3), 40, np.uint8))
    frames = [title, Image.fromarray(PHOTO), Image.fromarray(last)]
    options = {"lossless": True} if form == "WEBP" else {}
    return saved(frames[0], form, save_all=True, append_images=frames[1:], **options)


OTHER = PHOTO.copy()
OTHER[20:30, 20:30] = 255 - OTHER[20:30, 20:30]


@pytest.mark.parametrize("colour", [(255, 255, 255, 255), (0, 0, 0, 255), (250, 240, 245, 200)])
@pytest.mark.parametrize("form", ["PNG", "WEBP", "TIFF"])
def test_icons_on_transparency_differ_and_are_visible(colour, form):
    """Drawings in any colour have hashes and views of their own: white ones stand on black, and that is said."""
    found = [seen(saved(icon(number, colour), form)) for number in range(6)]
    assert len({image.pixel_hash for image in found}) == 6
    assert all(image.luminance.std() > 10 for image in found)
    assert all(("dark_background" in image.changes) == (colour[0] > 200) for image in found)


def test_alpha_alone_makes_a_difference():
    """Equal colours with another alpha, and an opaque picture that looks the same, are not the same pixels."""
    half = np.full(PHOTO.shape[:2], 128, np.uint8)
    pictures = [np.dstack([PHOTO, alpha]) for alpha in (half, half + 1, half * 0)]
    hashes = {seen(saved(picture)).pixel_hash for picture in pictures}
    flattened = np.asarray(decode_rgb(saved(pictures[0]), 10**6).image)
    assert len(hashes | {seen(saved(flattened)).pixel_hash}) == 4
    assert seen(saved(np.dstack([PHOTO, half * 0 + 255]))).pixel_hash == seen(saved(PHOTO)).pixel_hash


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF"])
def test_all_frames_count(form):
    """Files that begin alike and go on differently differ; the same frames with another comment or speed do not."""
    one, other = animated(form, PHOTO[::-1]), animated(form, OTHER)
    assert seen(one).n_frames == 3
    assert len({seen(data).pixel_hash for data in (one, other, saved(np.full((48, 64, 3), 40, np.uint8), form))}) == 3
    if form == "GIF":
        assert seen(one.replace(b"NETSCAPE2.0", b"NETSCAPE2.1")).pixel_hash == seen(one).pixel_hash


def test_full_resolution_counts():
    """One pixel of a large picture makes a difference, in a JPEG that is measured at a scale too."""
    large = np.asarray(Image.fromarray(PHOTO).resize((1600, 1200)))
    changed = large.copy()
    changed[600:608, 800:808] ^= 64
    for form, options in (("PNG", {}), ("JPEG", {"quality": 90}), ("JPEG", {"quality": 90, "progressive": True})):
        one, other = seen(saved(large, form, **options)), seen(saved(changed, form, **options))
        assert one.pixel_hash != other.pixel_hash and one.width == 1600


@pytest.mark.parametrize("scale, offset", [(4095, 0), (1400, 29300), (500, 400), (60, 20_000)])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_deep_pictures_keep_their_structure(scale, offset, form):
    """12-bit frames, temperatures and depths show their structure, are not dark, and say how they were scaled."""
    values = PHOTO[..., 0] / 255 * scale + offset
    found = seen(saved(values.astype(np.uint16), form))
    assert np.corrcoef(found.luminance.ravel(), seen(saved(PHOTO[..., 0])).luminance.ravel())[0, 1] > 0.98
    assert "range_scaled" in found.changes and found.luminance.max() > 200
    values[3, 3] += 1
    assert seen(saved(values.astype(np.uint16), form)).pixel_hash != found.pixel_hash


def test_no_value_does_not_set_the_range():
    """Zeros and full-scale pixels, which stand for no measurement, do not squeeze the rest into a few greys."""
    values = (PHOTO[..., 0] / 255 * 500 + 400).astype(np.uint16)
    values[:5], values[5:8] = 0, 65535
    assert len(np.unique(np.asarray(decode_rgb(saved(values), 10**6).image)[10:])) > 60


@pytest.mark.parametrize("low, high", [(-1000.0, 400.0), (0.0, 0.02), (280.0, 310.0)])
def test_float_pictures_are_spread(low, high):
    """Negative values, tiny ones and kelvins alike; NaN and infinity are no values."""
    values = (PHOTO[..., 0] / np.float32(255) * (high - low) + low).astype(np.float32)
    values[0, 0], values[0, 1], values[0, 2] = np.nan, np.inf, -np.inf
    found = seen(saved(values, "TIFF"))
    assert "range_scaled" in found.changes and found.luminance.std() > 20


def test_an_ordinary_deep_picture_is_not_stretched():
    """16 bits that use their scale measure as 8 bits do, and so do colours of 16 bits."""
    eight = seen(saved(PHOTO))
    deep = seen(png16(PHOTO.astype(np.uint16) * 257))
    assert deep.pixel_hash == eight.pixel_hash and (deep.luminance == eight.luminance).all()


def test_deep_colours_differ_in_their_lower_bits():
    """Colours of 16 bits: the lower byte counts, a narrow range is spread, and alpha is not lost."""
    deep = PHOTO.astype(np.uint16) * 16
    changed = deep.copy()
    changed[5, 5, 1] += 1
    one, other = seen(png16(deep)), seen(png16(changed))
    assert one.pixel_hash != other.pixel_hash and "range_scaled" in one.changes and one.luminance.std() > 20
    alpha = np.full((*deep.shape[:2], 1), 30_000, np.uint16)
    hashes = {seen(png16(np.dstack([picture, alpha]))).pixel_hash for picture in (deep, changed)}
    assert len(hashes) == 2


def test_cmyk_and_lab_are_not_compared_as_rgb():
    """Inks that give the same RGB are not the same pixels."""
    inks = np.zeros((8, 8, 4), np.uint8)
    inks[..., 3] = 255
    rich = inks.copy()
    rich[..., 0] = 200
    one, other = (seen(saved(Image.fromarray(picture, "CMYK"), "TIFF")) for picture in (inks, rich))
    assert (one.luminance == other.luminance).all() and one.pixel_hash != other.pixel_hash


def raw_file(main_type: int = 1, make: bytes = b"NIKON\0") -> bytes:
    """A TIFF of a 16 × 12 preview with a sub-directory for the picture that is not read."""
    small = np.ascontiguousarray(PHOTO[:12, :16]).tobytes()
    entries = [
        (254, 4, main_type), (256, 4, 16), (257, 4, 12), (258, 3, 8), (259, 3, 1), (262, 3, 2), (273, 4, 400),
        (277, 3, 3), (278, 4, 12), (279, 4, len(small)), (330, 4, 300),
    ]  # fmt: skip
    body = struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", tag, kind, 1, v) for tag, kind, v in entries)
    return (b"II*\0" + struct.pack("<I", 8) + body + struct.pack("<I", 0) + make).ljust(400, b"\0") + small


RAWS = [raw_file(), b"IIU\0" + bytes(300), b"FUJIFILMCCD-RAW 0201" + bytes(300), b"\0\0\0\x18ftypcrx " + bytes(300)]


@pytest.mark.parametrize("data", RAWS, ids=["nef", "rw2", "raf", "cr3"])
def test_raw_files_are_not_read_as_their_preview(data):
    """A camera's raw file is a reject that says so."""
    with pytest.raises(UnreadableSample) as caught:
        seen(data)
    assert caught.value.reason == "unsupported_format" and "camera raw" in caught.value.detail


def test_a_picture_with_reduced_versions_is_no_raw():
    """Where the first picture is the whole one, it is read."""
    assert seen(raw_file(main_type=0)).width == 16


def spoilt(crc_of: bytes) -> bytes:
    return crc_of[:-1] + bytes([crc_of[-1] ^ 1])


METADATA = {
    "long zTXt": chunk(b"zTXt", b"workflow\0\0" + zlib.compress(b"x" * 2_000_000)),
    "long iTXt": chunk(b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(b"x" * 2_000_000)),
    "large profile": chunk(b"iCCP", b"icc\0\0" + zlib.compress(b"\0" * 2_000_000)),
    "no profile": chunk(b"iCCP", b"icc\0\0not deflated"),
    "wrong checksum": spoilt(chunk(b"tEXt", b"a\0b")),
    "unknown chunk": chunk(b"prVt", b"\0" * 40),
    "many texts": chunk(b"zTXt", b"k\0\0" + zlib.compress(b"y" * 900_000)) * 90,
}


@pytest.mark.parametrize("name", METADATA)
@pytest.mark.parametrize("place", ["before", "after"])
def test_metadata_do_not_kill_pixels(name, place):
    """Whatever stands in a PNG's text and profile chunks, before or after the pixels, these are read."""
    data = saved(PHOTO)
    cut = 33 if place == "before" else len(data) - 12
    found = seen(data[:cut] + METADATA[name] + data[cut:])
    assert found.pixel_hash == seen(data).pixel_hash and found.damage == 0


def test_orientation_in_a_png_survives():
    """The chunk that turns the picture is no mere metadata."""
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = saved(PHOTO, exif=exif)
    found = seen(turned[:33] + METADATA["long zTXt"] + turned[33:])
    assert "exif_rotated" in found.changes and (found.width, found.height) == (48, 64)


def test_small_and_large_jpegs_agree_with_themselves(monkeypatch):
    """Metadata change no hash, whether pixels or coded data are hashed; another quality does."""
    jpeg, other = saved(PHOTO, "JPEG", quality=90), saved(PHOTO, "JPEG", quality=70)
    commented = saved(PHOTO, "JPEG", quality=90, comment=b"the same pixels")
    for limit in (600_000, 10):
        monkeypatch.setattr(image_measures, "WHOLE_UP_TO", limit)
        hashes = [measure(data, max_pixels=10**6, thumbnail_pixels=16).pixel_hash for data in (jpeg, commented, other)]
        assert hashes[0] == hashes[1] != hashes[2]

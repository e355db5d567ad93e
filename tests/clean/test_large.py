"""Pictures beyond the memory budget: seen at a scale, known by their bytes, and never at the price of the night."""

import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from assay.contracts.errors import UnreadableSample
from assay.modalities.image import large
from assay.modalities.image.decode import decode_rgb
from assay.modalities.image.facts import measure
from benchmarks.large_pictures import write_png16

ROOT = Path(__file__).parents[2]
RNG = np.random.default_rng(3)
WAVE = np.add.outer(np.arange(90) * 2, np.arange(131)).astype(np.uint8)


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def half_clear() -> Image.Image:
    """Colours under all degrees of transparency."""
    rgba = np.stack([WAVE, WAVE[::-1], WAVE[:, ::-1], RNG.integers(0, 256, WAVE.shape).astype(np.uint8)], axis=2)
    return Image.fromarray(rgba)


PICTURES = {
    "RGB": (Image.fromarray(np.stack([WAVE, WAVE[::-1], WAVE[:, ::-1]], axis=2)), "PNG"),
    "RGBA": (half_clear(), "PNG"),
    "LA": (half_clear().convert("LA"), "PNG"),
    "P": (Image.fromarray(WAVE).convert("P"), "PNG"),
    "I;16": (Image.fromarray(WAVE.astype(np.uint16) * 250), "PNG"),
    "narrow I;16": (Image.fromarray(WAVE.astype(np.uint16) + 3000), "TIFF"),
    "F": (Image.fromarray(WAVE.astype(np.float32) / 255), "TIFF"),
}


@pytest.fixture
def little(monkeypatch) -> None:
    """A budget that no picture fits, and a scale of a third."""
    monkeypatch.setattr(large, "BUDGET_BYTES", 1)
    monkeypatch.setattr(large, "LONGER_SIDE", 131 // 3)
    monkeypatch.setattr(large, "STRIP_PIXELS", 131 * 7)


@pytest.mark.parametrize("name", PICTURES)
def test_at_a_scale_a_picture_looks_as_it_did(little, monkeypatch, name):
    """The means of squares of what is seen of the whole, to a level or two; sizes and changes are told. Where a narrow
    range is spread, its ends are those of the means."""
    image, kind = PICTURES[name]
    data = saved(image, kind)
    small = decode_rgb(data, 10**6)
    monkeypatch.setattr(large, "BUDGET_BYTES", 2**40)
    whole = decode_rgb(data, 10**6)
    assert small.size == whole.size == (131, 90) and small.image.size == (44, 30)
    assert [c for c in small.changes if c != "reduced_to_fit"] == list(whole.changes)
    assert "reduced_to_fit" in small.changes and not small.is_whole
    wanted = np.asarray(whole.image.reduce(3)).astype(int)
    inner = np.abs(np.asarray(small.image).astype(int) - wanted)[:29, :43]
    usual, most = (4, 6) if name == "narrow I;16" else (1, 4 if "A" in name else 2)
    assert np.median(inner) <= usual and np.quantile(inner, 0.98) <= most


def test_sixteen_bits_a_colour_keep_their_depth(little, tmp_path):
    """Means of 16 bits, rounded once."""
    write_png16(WAVE[:90, :90], tmp_path / "deep.png")
    found = decode_rgb((tmp_path / "deep.png").read_bytes(), 10**6)
    values = np.stack([WAVE[:90, :90], WAVE[:90, :90][:, ::-1], WAVE[:90, :90]], axis=2).astype(np.float64) * 201
    factor = 90 // large.LONGER_SIDE
    means = values.reshape(90 // factor, factor, 90 // factor, factor, 3).mean(axis=(1, 3))
    assert found.deep is not None and np.array_equal(found.deep, np.rint(means).astype(np.uint16))


def test_at_a_scale_a_picture_is_known_by_its_file(little):
    """Two files that look alike but differ have two hashes; nothing is called equal that was not compared."""
    image = half_clear()
    other = image.copy()
    other.putpixel((5, 5), (1, 2, 3, 4))
    one, two = (measure(saved(each), max_pixels=10**6) for each in (image, other))
    again = measure(saved(image), max_pixels=10**6)
    assert one.pixel_hash == again.pixel_hash != two.pixel_hash
    assert (one.width, one.height) == (131, 90)


def test_a_rotated_tiff_keeps_its_size(little):
    """Width and height are those of the upright picture."""
    exif = Image.Exif()
    exif[0x0112] = 6
    assert decode_rgb(saved(PICTURES["F"][0], "TIFF", exif=exif), 10**6).size == (90, 131)


def test_what_is_needed_whole_is_refused(little):
    """Boxes count in whole pixels."""
    with pytest.raises(UnreadableSample, match="memory_limit: 131 × 90 pixels of mode RGBA"):
        decode_rgb(saved(half_clear()), 10**6, reduces=False)


def test_usual_pictures_are_whole():
    """Up to twenty million pixels, of any mode."""
    for mode in ("RGB", "RGBA", "I;16", "F", "P"):
        assert large.reduction(Image.new(mode, (5_000, 4_000)), mode == "RGB") == 1


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["RGBA", "I;16"])
def test_a_hundred_and_sixty_nine_million_pixels_fit_the_budget(tmp_path, mode):
    """Peak memory of a process that measures one, beyond what it had."""
    script = str(ROOT / "benchmarks/large_pictures.py")
    subprocess.run([sys.executable, script, "--make", mode, "PNG", str(tmp_path / "big")], check=True, cwd=ROOT)
    said = subprocess.run(
        [sys.executable, script, "--measure", str(tmp_path / "big")],
        check=True,
        cwd=ROOT,
        capture_output=True,
        text=True,
    ).stdout
    peak = int(said.split('"peak_mb": ')[1].split(",")[0])
    assert "reduced_to_fit" in said and peak < large.BUDGET_BYTES / 2**20

"""Verdicts on whole folders of pictures: what is a copy is found, what only looks like one in small is not."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image, ImageDraw

from assay.contracts.spec import make_spec
from assay.duplicates.stage import dedup, near_dedup
from assay.embedders.stage import embed
from assay.facts import clean
from assay.knn.stage import index
from assay.modalities.image.comparison import Picture, compare
from assay.sources.ingest import ingest
from assay.store.workspace import Workspace

T = Image.Transpose


def photo(seed: int, width: int = 200, height: int = 150) -> Image.Image:
    random, out = np.random.default_rng(seed), np.zeros((height, width, 3))
    for cells, gain in ((4, 90), (9, 60), (21, 35), (50, 18)):
        for channel in range(3):
            noise = Image.fromarray(random.normal(0, 1, (cells, cells)).astype(np.float32))
            out[..., channel] += gain * np.asarray(noise.resize((width, height), Image.Resampling.BICUBIC))
    return Image.fromarray(np.clip(out + 128, 0, 255).astype(np.uint8))


def save(image: Image.Image, path: Path, **options) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, **({"quality": 92} | options if path.suffix == ".jpg" else options))


def verdicts(folder: Path, home: Path) -> tuple[pl.DataFrame, int]:
    """The duplicates of a folder, with `uri` and `kept` (the kept one's uri), and how many units there are."""
    source = {"kind": "folder", "path": str(folder)}
    spec = make_spec({"name": "x", "modality": "image", "source": source, "embed": {"kind": "pca"}}, base=folder)
    workspace = Workspace(home, "x")
    outputs = [ingest(spec, workspace)]
    for one in (clean, dedup, embed, index, near_dedup):
        outputs.append(one(spec, workspace, *outputs))
    uris = dict(outputs[1].read("samples", ["sample_id", "uri"]).iter_rows())
    found = (
        outputs[-1]
        .read("copies")
        .with_columns(
            uri=pl.col("sample_id").replace_strict(uris, return_dtype=pl.String),
            kept=pl.col("group_id").replace_strict(uris, return_dtype=pl.String),
        )
    )
    return found, outputs[2].read("units")["unit_id"].n_unique()


def icons(folder: Path) -> int:
    for k in range(12):
        image = Image.new("RGBA", (96, 96), (0, 0, 0, 0))
        draw = ImageDraw.Draw(image)
        draw.ellipse((4, 4, 92, 92), outline=(255, 255, 255, 255), width=4)
        draw.line((20, 20 + 5 * k, 70, 76 - 4 * k), fill=(255, 255, 255, 255), width=5)
        save(image, folder / "ab"[k % 2] / f"{k}.png")
    return 12


def title_frames(folder: Path) -> int:
    title = Image.new("RGB", (120, 90), (20, 30, 60))
    for k in range(8):
        rest = [photo(10 * k + n, 120, 90) for n in range(3)]
        save(title, folder / "ab"[k % 2] / f"{k}.{'gif' if k < 4 else 'tif'}", save_all=True, append_images=rest)
    return 8


def deep(folder: Path) -> int:
    """One scene at twelve distances: equal once each is spread over its own range."""
    for k in range(12):
        values = np.asarray(photo(1, 96, 72).convert("L")).astype(np.uint16) * 2 + 400 + 700 * k
        save(Image.fromarray(values), folder / "ab"[k % 2] / f"{k}.png")
    return 12


def materials(folder: Path) -> int:
    for k in range(10):
        noise = np.random.default_rng(k).normal(0, 18, (500, 500))
        stripes = noise * 0.4 + ((np.arange(500) // 2 % 2) * 60 - 30.0)
        pixels = noise if k % 2 else stripes
        save(Image.fromarray(np.clip(pixels + 128, 0, 255).astype(np.uint8)), folder / "ab"[k % 2] / f"{k}.jpg")
    return 10


def colourways(folder: Path) -> int:
    colours = {"red": (214, 60, 60), "green": (40, 147, 40), "blue": (70, 100, 235), "grey": (106, 110, 108)}
    for k in range(4):
        for name, colour in colours.items():
            image = Image.new("RGB", (160, 160), (245, 245, 245))
            ImageDraw.Draw(image).polygon(
                [(40 - 4 * k, 30), (120, 30), (130, 70), (110, 120 + k), (50, 130)], fill=colour
            )
            save(image, folder / name / f"{k}.jpg")
    return 16


def small_objects(folder: Path) -> int:
    """One scene ten times, each with fresh noise and a sign of a thousandth of the area elsewhere."""
    for k in range(10):
        scene = photo(5, 320, 240)
        ImageDraw.Draw(scene).rectangle((20 + 28 * k, 100, 28 + 28 * k, 109), fill=(250, 240, 30), outline=(0, 0, 0))
        pixels = np.asarray(scene) + np.random.default_rng(k).normal(0, 2, (240, 320, 3))
        save(Image.fromarray(np.clip(pixels, 0, 255).astype(np.uint8)), folder / "ab"[k % 2] / f"{k}.jpg")
    return 10


def forms(folder: Path) -> int:
    for k in range(8):
        image = Image.new("L", (600, 840), 250)
        draw = ImageDraw.Draw(image)
        for line in range(20):
            draw.line((40, 60 + 36 * line, 560, 60 + 36 * line), fill=120)
            draw.text((50, 40 + 36 * line), f"Field {line}", fill=20)
        draw.text((400, 40 + 36 * 3), str(10_000 + 7919 * k), fill=20)
        save(image, folder / "ab"[k % 2] / f"{k}.png")
    return 8


DIFFERENT = {f.__name__: f for f in (icons, title_frames, deep, materials, colourways, small_objects, forms)}


@pytest.mark.parametrize("kind", DIFFERENT)
def test_different_pictures_are_no_copies(tmp_path, kind):
    """However alike they are in small, in luminance or at their beginning, each is its own unit and nobody's copy."""
    n = DIFFERENT[kind](tmp_path / "data")
    found, units = verdicts(tmp_path / "data", tmp_path / "home")
    assert units == n and found.is_empty(), found.select("uri", "kept", "tier", "similarity").rows()


COPIES: dict[str, tuple[Callable[[Image.Image], Image.Image], str]] = {
    "r90": (lambda image: image.transpose(T.ROTATE_90), "rotated"),
    "r180": (lambda image: image.transpose(T.ROTATE_180), "rotated"),
    "r270": (lambda image: image.transpose(T.ROTATE_270), "rotated"),
    "mirror": (lambda image: image.transpose(T.FLIP_LEFT_RIGHT), "mirrored"),
    "flip": (lambda image: image.transpose(T.FLIP_TOP_BOTTOM), "mirrored"),
    "half": (lambda image: image.resize((100, 75)), "perceptual"),
    "same": (lambda image: image, "perceptual"),
    "dark": (lambda image: image.point(lambda v: int(v * 0.7)), "altered"),
}


def test_copies_are_found_and_say_how(tmp_path):
    """Turned, mirrored, resized, re-encoded and relit copies stand with their original, under the tier that says so;
    the similarity is that of the pair itself."""
    for k in range(60):
        save(photo(k), tmp_path / "data" / f"p{k:02d}.jpg")
    for k, (name, (alter, _)) in enumerate(COPIES.items()):
        for of in (k, 20 + k):
            save(alter(photo(of)), tmp_path / "data" / f"p{of:02d}_{name}.jpg", quality=90)
    found, _ = verdicts(tmp_path / "data", tmp_path / "home")
    found = found.filter(pl.col("uri") != pl.col("kept"))
    pairs = {row["uri"].removesuffix(".jpg"): row for row in found.to_dicts()}
    wanted = {f"p{of:02d}_{name}": tier for k, (name, (_, tier)) in enumerate(COPIES.items()) for of in (k, 20 + k)}
    assert {uri: row["tier"] for uri, row in pairs.items()} == wanted
    assert all(row["kept"][:3] == uri[:3] and not row["keep"] for uri, row in pairs.items())
    assert found["similarity"].is_between(0.6, 1.0).all() and found["similarity"].n_unique() > 8


def test_a_similar_picture_with_another_label_is_kept(tmp_path):
    """It is in the group, so that labels conflict, and nobody has asked to drop it; equal pixels are superfluous."""
    for k in range(30):
        save(photo(k), tmp_path / "data" / "cat" / f"{k:02d}.png")
    save(photo(3), tmp_path / "data" / "dog" / "near.jpg", quality=85)
    save(photo(4), tmp_path / "data" / "dog" / "equal.bmp")
    save(photo(5), tmp_path / "data" / "cat" / "near.jpg", quality=85, subsampling=0)
    rows = {row["uri"]: row for row in verdicts(tmp_path / "data", tmp_path / "home")[0].to_dicts()}
    assert rows["dog/near.jpg"]["keep"] and rows["dog/near.jpg"]["kept"] == "cat/03.png"
    assert (rows["dog/equal.bmp"]["keep"], rows["dog/equal.bmp"]["tier"]) == (False, "pixels")
    assert (rows["cat/near.jpg"]["keep"], rows["cat/near.jpg"]["tier"]) == (False, "perceptual")


def picture(image: Image.Image) -> Picture:
    return Picture((image,), image.size)


def test_what_the_comparison_sees():
    """Equal pictures differ in nothing; a hue shows in colour, a small object as a spot, light in gain."""
    image = photo(1)
    same = compare(picture(image), picture(image))
    assert same.detail == pytest.approx(1) and same.colour == same.spot == 0 and same.gain == pytest.approx(1)
    other = compare(picture(image), picture(photo(2)))
    assert other.detail < 0.1
    hue = np.array(image.convert("HSV"))
    hue[..., 0] += 60
    assert compare(picture(image), picture(Image.fromarray(hue, "HSV").convert("RGB"))).colour > 40
    marked = image.copy()
    brighter = tuple(v + 60 if v < 190 else v - 60 for v in image.getpixel((63, 63)))
    ImageDraw.Draw(marked).ellipse((60, 60, 66, 66), fill=brighter)
    found = compare(picture(image), picture(marked))
    assert found.spot > 25 and found.noise <= 1 and found.detail > 0.8 and found.coherence > 0.9
    darker = compare(picture(image), picture(image.point(lambda v: int(v * 0.7))))
    assert darker.gain == pytest.approx(1 / 0.7, rel=0.02) and darker.spot < 5


def test_blank_pictures_of_one_colour_are_one():
    """Nothing is different where there is nothing; another shade is another light."""
    white, cream = (picture(Image.new("RGB", (50, 40), colour)) for colour in ((255,) * 3, (250, 240, 220)))
    assert compare(white, white).detail == 1 and compare(white, white).spot == 0
    assert compare(white, cream).colour > 5

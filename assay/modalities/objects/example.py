"""The example of boxes: scikit-learn's handwritten digits pasted into made pictures, with what goes wrong in boxes."""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import polars as pl
from PIL import Image

from assay.sources.fragments import Region, with_region

WIDTH, HEIGHT, CELL = 400, 240, 80  # pixels: a digit a cell
TEST_SHARE = 0.2
RATES = {"wrong_class": 0.04, "tiny": 0.006, "cut_off": 0.006, "stretched": 0.006, "blown_up": 0.006, "twice": 0.006,
         "two_classes": 0.006}  # fmt: skip
TRUTH = {"uri": pl.String, "kind": pl.String, "of": pl.String, "true_label": pl.String}


@dataclass(frozen=True)
class Box:
    """One digit in a picture; `kind` is what was planted in it, `true_label` what it is."""

    file: str
    region: Region
    label: str
    true_label: str
    kind: str = ""

    @property
    def uri(self) -> str:
        """Its id in the snapshot."""
        return with_region(self.file, self.region)


@dataclass
class Scenes:
    """Pictures and their boxes, as they are made."""

    pictures: dict[str, Image.Image] = field(default_factory=dict)
    boxes: list[Box] = field(default_factory=list)


def write_example(folder: Path, seed: int) -> pl.DataFrame:
    """Pictures below `folder/boxed-digits`, their boxes as COCO; the truth, as `assay.contracts.modality.Example`."""
    rng = np.random.default_rng(seed)
    scenes = make_scenes(rng)
    boxes = plant(scenes.boxes, rng)
    root = folder / "boxed-digits"
    for file, picture in scenes.pictures.items():
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        picture.save(root / file, quality=92)
    empty = "train/empty.jpg"
    background(rng).save(root / empty, quality=92)
    copied, twin = next(file for file in scenes.pictures if file.startswith("train/")), "test/again.jpg"
    (root / twin).write_bytes((root / copied).read_bytes())
    kept = [box for box in boxes if box.file == copied and not box.kind]
    leaks = [replace(box, file=twin, kind="leak") for box in kept]
    (root / "annotations.json").write_text(json.dumps(as_coco([*boxes, *leaks], [empty])), encoding="utf-8")
    truth: list[tuple[str, str, str | None, str | None]] = [
        (box.uri, box.kind, None, box.true_label if box.kind == "wrong_class" else None) for box in boxes if box.kind
    ]
    truth += [(leak.uri, "leak", box.uri, None) for leak, box in zip(leaks, kept, strict=True)]
    return pl.DataFrame(truth, schema=TRUTH, orient="row").unique("uri", maintain_order=True).sort("uri")


def make_scenes(rng: np.random.Generator, n: int | None = None) -> Scenes:
    """Each of `n` digits (by default all 1,797) in some picture, ten or so to each."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    scenes, order = Scenes(), list(rng.permutation(len(digits.images))[:n])
    while order:
        split = "test" if rng.random() < TEST_SHARE else "train"
        file, picture = f"{split}/{len(scenes.pictures):04d}.jpg", background(rng)
        cells = rng.permutation((WIDTH // CELL) * (HEIGHT // CELL))[: int(rng.integers(8, 13))]
        for cell in cells:
            if not order:
                break
            digit = order.pop()
            name = str(digits.target[digit])
            scenes.boxes.append(Box(file, paste(picture, digits.images[digit], int(cell), rng), name, name))
        scenes.pictures[file] = picture
    return scenes


def background(rng: np.random.Generator) -> Image.Image:
    """A light, soft pattern of a few waves of colour."""
    down, across = np.mgrid[0:HEIGHT, 0:WIDTH]
    picture = np.full((HEIGHT, WIDTH, 3), 200.0)
    for _ in range(3):
        wave = np.sin(across * rng.uniform(0.005, 0.05) + down * rng.uniform(0.005, 0.05) + rng.uniform(0, 6))
        picture += wave[..., None] * rng.uniform(-14, 14, 3)
    picture += rng.normal(0, 3, picture.shape)
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


def paste(picture: Image.Image, digit: np.ndarray, cell: int, rng: np.random.Generator) -> Region:
    """Draw a digit of 8 × 8 somewhere in a cell; the box around it."""
    side = int(rng.integers(36, 66))
    smooth = Image.fromarray(np.float32(np.pad(digit, 1))).resize((side, side), Image.Resampling.BICUBIC)
    opaque = 1 / (1 + np.exp(-(np.asarray(smooth) - 7.0) / 1.2))
    left = (cell % (WIDTH // CELL)) * CELL + int(rng.integers(4, CELL - side - 3))
    top = (cell // (WIDTH // CELL)) * CELL + int(rng.integers(4, CELL - side - 3))
    ink = Image.new("RGB", (side, side), tuple(int(v) for v in rng.integers(0, 90, 3)))
    picture.paste(ink, (left, top), Image.fromarray(np.uint8(255 * opaque)))
    inked = np.argwhere(opaque > 0.5)
    (y0, x0), (y1, x1) = inked.min(axis=0), inked.max(axis=0) + 1
    return Region(float(left + x0), float(top + y0), float(x1 - x0), float(y1 - y0))


def plant(boxes: list[Box], rng: np.random.Generator) -> list[Box]:
    """The boxes with defects of every kind of `RATES` in as many; a second box of a pair comes after its first."""
    order, start = rng.permutation(len(boxes)), 0
    planted = list(boxes)
    for kind, rate in RATES.items():
        count = max(2, round(rate * len(boxes)))
        for place in order[start : start + count]:
            spoilt = spoil(boxes[place], kind, rng)
            planted[place] = spoilt[0]
            planted += spoilt[1:]
        start += count
    return planted


def spoil(box: Box, kind: str, rng: np.random.Generator) -> list[Box]:
    """What becomes of one box: one in its place, or two."""
    x, y, width, height = box.region[:4]
    other = str(rng.choice([name for name in map(str, range(10)) if name != box.label]))
    spoilt = replace(box, kind=kind)
    if kind == "wrong_class":
        return [replace(spoilt, label=other)]
    if kind == "twice":
        return [spoilt, replace(spoilt, region=Region(x, y, width + 1, height))]
    if kind == "two_classes":
        return [spoilt, replace(spoilt, region=Region(x, y, width + 0.5, height), label=other)]
    regions = {
        "tiny": Region(x + width / 2, y + height / 2, 4.0, 4.0),
        "cut_off": Region(WIDTH - 0.6 * width, y, width, height),
        "stretched": Region(max(x - 4 * height, 0.0), y + 0.4 * height, 8 * height, 0.2 * height),
        "blown_up": Region(0.0, 0.0, float(WIDTH), float(HEIGHT)),
    }
    return [replace(spoilt, region=regions[kind])]


def as_coco(boxes: list[Box], empty: list[str]) -> dict[str, list[dict[str, object]]]:
    """COCO's JSON, with three rows at its end that are no boxes."""
    files = sorted({box.file for box in boxes} | set(empty))
    numbers = {file: number for number, file in enumerate(files, start=1)}
    names = sorted({box.label for box in boxes})
    rows: list[dict[str, object]] = [
        {"id": number, "image_id": numbers[box.file], "category_id": names.index(box.label) + 1, "iscrowd": 0,
         "bbox": [round(v, 2) for v in box.region[:4]], "area": box.region.width * box.region.height}
        for number, box in enumerate(boxes, start=1)
    ]  # fmt: skip
    broken: list[dict[str, object]] = [
        {"id": -1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 0, 20]},
        {"id": -2, "image_id": 10**6, "category_id": 1, "bbox": [10, 10, 20, 20]},
        {"id": -3, "image_id": 1, "category_id": 10**6, "bbox": [10, 10, 20, 20]},
    ]
    return {
        "images": [{"id": numbers[file], "file_name": file, "width": WIDTH, "height": HEIGHT} for file in files],
        "annotations": [*rows, *broken],
        "categories": [{"id": number, "name": name} for number, name in enumerate(names, start=1)],
    }

"""Pairs of pictures that are hard to tell apart and are not copies: eight kinds, for `near_duplicates.py`.

Each kind differs where people would say at once that it does: in colour, in fine detail, or in one small object.
Photographs come from Caltech-101; the rest is drawn. Sensor noise is drawn anew for each picture, as a camera would.
"""

import io
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Pair = tuple[bytes, bytes]
Rng = np.random.Generator


def jpeg(image: Image.Image, rng: Rng) -> bytes:
    """As JPEG at quality 80 to 94."""
    buffer = io.BytesIO()
    image.convert("RGB").save(buffer, "JPEG", quality=int(rng.integers(80, 95)))
    return buffer.getvalue()


def png(image: Image.Image) -> bytes:
    """As PNG, alpha and all."""
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def noisy(image: Image.Image, rng: Rng, sigma: float) -> Image.Image:
    """With Gaussian noise of `sigma` levels."""
    pixels = np.asarray(image.convert("RGB"), dtype=np.float32)
    return Image.fromarray(np.clip(pixels + rng.normal(0, sigma, pixels.shape) + 0.5, 0, 255).astype(np.uint8))


def clouds(rng: Rng, width: int, height: int, cells=((4, 60), (9, 40), (25, 20), (70, 10))) -> Image.Image:
    """Smooth random colours at several sizes."""
    out = np.zeros((height, width, 3), np.float32)
    for n, gain in cells:
        for channel in range(3):
            field = Image.fromarray(rng.normal(0, 1, (n, n)).astype(np.float32))
            out[..., channel] += gain * np.asarray(field.resize((width, height), Image.Resampling.BICUBIC))
    return Image.fromarray(np.clip(out + 128, 0, 255).astype(np.uint8))


def photograph(photographs: list[Path], rng: Rng) -> Image.Image:
    """One of them, as RGB."""
    with Image.open(photographs[int(rng.integers(len(photographs)))]) as image:
        return image.convert("RGB")


def colourways(photographs: list[Path], rng: Rng) -> Pair:
    """A product in two colours, of equal luminance or not; or a photograph whose coloured parts have another hue."""
    if rng.random() < 0.5:
        picture = photograph(photographs, rng)
        while np.asarray(picture.convert("HSV"))[..., 1].mean() < 70:
            picture = photograph(photographs, rng)
        hsv = np.array(picture.convert("HSV"))
        hsv[..., 0] += np.uint8(rng.integers(30, 226))
        return jpeg(picture, rng), jpeg(Image.fromarray(hsv, "HSV").convert("RGB"), rng)
    cut = [int(v) for v in (rng.integers(30, 50), rng.integers(110, 145), rng.integers(12, 30))]
    stripes = [(int(rng.integers(45, 110)), int(rng.integers(2, 6))) for _ in range(int(rng.integers(1, 5)))]
    one, other = _two_colours(rng)

    def shirt(colour: tuple[int, ...]) -> Image.Image:
        image = Image.new("RGB", (160, 160), (245, 245, 245))
        draw = ImageDraw.Draw(image)
        w, low, s = cut
        left = [(80 - w + 5, low), (80 - w, 80), (80 - w - s, 70)]
        draw.polygon(
            [(80 - w, 30), (80 + w, 30), (80 + w + s, 70), (80 + w, 80), (80 + w - 5, low), *left], fill=colour
        )
        for y, width in stripes:
            draw.line((80 - w + 8, y, 80 + w - 8, y), fill=(250, 250, 250), width=width)
        return image

    return jpeg(shirt(one), rng), jpeg(shirt(other), rng)


def _two_colours(rng: Rng) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Two colours that differ by at least 60 levels in a channel; half of the time of one luminance."""
    weights = np.array([0.299, 0.587, 0.114])
    same = rng.random() < 0.5
    while True:
        one, other = rng.integers(20, 236, (2, 3)).astype(float)
        if same:
            other = other * (one @ weights) / (other @ weights)
        if other.max() <= 255 and np.abs(one - other).max() >= 60:
            return tuple(one.astype(int).tolist()), tuple(other.astype(int).tolist())


def icons(_: list[Path], rng: Rng) -> Pair:
    """Two glyphs of one set: other strokes on the same badge, dark, light or coloured, on transparency or not."""
    colour = tuple(int(v) for v in ((0, 0, 0), (255, 255, 255), rng.integers(0, 256, 3))[int(rng.integers(3))])
    badge = rng.random() < 0.5
    opaque = rng.random() < 0.3
    back = (255, 255, 255, 255) if max(colour) < 200 else (20, 20, 30, 255)

    def glyph() -> Image.Image:
        image = Image.new("RGBA", (96, 96), back if opaque else (0, 0, 0, 0))
        draw = ImageDraw.Draw(image)
        if badge:
            draw.ellipse((4, 4, 92, 92), outline=(*colour, 255), width=5)
        n, turn, size = int(rng.integers(3, 8)), rng.uniform(0, 6), rng.integers(12, 30)
        around = [turn + 2 * math.pi * k / n for k in range(n)]
        points = [(48 + size * math.cos(a), 48 + size * math.sin(a)) for a in around]
        draw.line(points + points[:1], fill=(*colour, 255), width=int(rng.integers(3, 6)))
        return image

    return png(glyph()), png(glyph())


def textures(_: list[Path], rng: Rng) -> Pair:
    """Two pieces of one material: grit, weave or brushed metal, seen evenly lit."""
    side, kind = int(rng.choice([256, 600, 1200])), int(rng.integers(4))
    period, width = int(rng.integers(2, 6)), int(rng.integers(1, 4))

    def piece() -> Image.Image:
        noise = rng.normal(0, 18, (side, side))
        if kind == 1:
            noise = np.kron(rng.normal(0, 12, (side // 2, side // 2)), np.ones((2, 2)))
        elif kind == 2:
            noise = np.tile((np.arange(side) // width % period == 0) * 50 - 25.0, (side, 1)) + rng.normal(
                0, 8, (side, side)
            )
        elif kind == 3:
            noise = np.mean([np.roll(noise, k, axis=1) for k in range(9)], axis=0) * 2
        return Image.fromarray(np.clip(noise + 128, 0, 255).astype(np.uint8))

    return jpeg(piece(), rng), jpeg(piece(), rng)


def bursts(photographs: list[Path], rng: Rng) -> Pair:
    """Two frames of one scene, in one of which an object of 0.1 to 1% of the area has come, gone or moved."""
    scene = photograph(photographs, rng)
    size = max(round(math.sqrt(scene.width * scene.height * rng.uniform(0.001, 0.01))), 5)
    box = tuple(int(rng.integers(2, max(side - size - 2, 3))) for side in scene.size)
    behind = np.asarray(scene.crop((*box, box[0] + size, box[1] + size)), dtype=float).mean(axis=(0, 1))
    colour = np.where(behind < 128, rng.integers(180, 256, 3), rng.integers(0, 76, 3))
    changed = scene.copy()
    shape = ImageDraw.Draw(changed).ellipse if rng.random() < 0.5 else ImageDraw.Draw(changed).rectangle
    shape((*box, box[0] + size, box[1] + size), fill=tuple(colour.tolist()))
    sigma = rng.uniform(0, 3)
    return jpeg(noisy(scene, rng, sigma), rng), jpeg(noisy(changed, rng, sigma), rng)


def slices(_: list[Path], rng: Rng) -> Pair:
    """Two slices of one body, next to each other: outlines a little larger, organs a little elsewhere, other noise."""
    organs = [(*rng.uniform(-30, 30, 2), *rng.uniform(4, 14, 2), rng.uniform(30, 110)) for _ in range(9)]
    drift = rng.normal(0, 2.5, (9, 3))
    size, step = rng.uniform(45, 60, 2), rng.uniform(0.02, 0.06)

    def cut(depth: int) -> Image.Image:
        image = Image.new("L", (256, 256), 4)
        draw = ImageDraw.Draw(image)
        w, h = size * (1.6 + step * depth)
        draw.ellipse((128 - w, 128 - h, 128 + w, 128 + h), fill=120)
        draw.ellipse((132 - w, 132 - h, 124 + w, 124 + h), fill=60)
        for (x, y, a, b, shade), move in zip(organs, drift, strict=True):
            x, y, a, b = 1.6 * x + move[0] * depth, 1.6 * y + move[1] * depth, 1.6 * a + move[2] * depth, 1.6 * b
            draw.ellipse((128 + x - abs(a), 128 + y - b, 128 + x + abs(a), 128 + y + b), fill=int(shade))
        return noisy(image.filter(ImageFilter.GaussianBlur(1)), rng, 3).convert("L")

    return jpeg(cut(0), rng), jpeg(cut(1), rng)


def defects(_: list[Path], rng: Rng) -> Pair:
    """A part on a belt, and one of its kind with a scratch, a dent or a missing pin: 0.1 to 0.5% of the area."""
    side = 400
    base = np.asarray(clouds(rng, side, side, ((3, 14), (8, 6))).convert("L"), dtype=np.float32)
    part = Image.fromarray(np.clip(base, 0, 255).astype(np.uint8)).convert("RGB")
    draw = ImageDraw.Draw(part)
    draw.rounded_rectangle((60, 90, 340, 310), 30, fill=(150, 155, 160), outline=(90, 95, 100), width=4)
    pins = [(90 + 40 * k, y) for k in range(6) for y in (120, 270)]
    for x, y in pins:
        draw.ellipse((x - 8, y - 8, x + 8, y + 8), fill=(210, 200, 120), outline=(90, 90, 60))
    spoilt = part.copy()
    draw = ImageDraw.Draw(spoilt)
    kind = int(rng.integers(3))
    if kind == 0:
        x, y = rng.integers(90, 280, 2).tolist()
        draw.line((x, y, x + int(rng.integers(20, 50)), y + int(rng.integers(-20, 21))), fill=(105, 108, 110), width=3)
    elif kind == 1:
        x, y, r = *rng.integers(100, 290, 2).tolist(), int(rng.integers(7, 14))
        draw.ellipse((x - r, y - r, x + r, y + r), fill=(120, 124, 128))
    else:
        x, y = pins[int(rng.integers(len(pins)))]
        draw.ellipse((x - 9, y - 9, x + 9, y + 9), fill=(150, 155, 160))
    sigma = rng.uniform(1, 3)
    return jpeg(noisy(part, rng, sigma), rng), jpeg(noisy(spoilt, rng, sigma), rng)


def forms(_: list[Path], rng: Rng) -> Pair:
    """Two sheets of one form or letterhead that say different things."""
    title, lines, n_words = int(rng.integers(60, 180)), int(rng.integers(8, 20)), int(rng.integers(2, 7))
    differs = rng.random() < 0.5
    fixed = [" ".join(_word(rng) for _ in range(n_words)) for _ in range(lines)]

    def sheet() -> Image.Image:
        image = Image.new("L", (420, 594), 250)
        draw = ImageDraw.Draw(image)
        draw.rectangle((30, 30, 30 + title, 52), fill=60)
        for k, text in enumerate(fixed):
            y = 80 + k * 24
            draw.line((30, y + 14, 390, y + 14), fill=170)
            own = " ".join(_word(rng) for _ in range(n_words))
            draw.text((30, y), own if differs else text, fill=20)
            if not differs and k % 4 == 1:
                draw.text((320, y), str(int(rng.integers(1000, 99_999))), fill=20)
        return image

    return jpeg(sheet(), rng), jpeg(sheet(), rng)


def _word(rng: Rng) -> str:
    return "".join(chr(97 + int(k)) for k in rng.integers(0, 26, int(rng.integers(3, 10))))


def readings(_: list[Path], rng: Rng) -> Pair:
    """The same gauge, signal or chart with another reading."""
    kind, one = int(rng.integers(3)), rng.uniform(0, 1)
    other = (one + rng.uniform(0.08, 0.9)) % 1
    seed = int(rng.integers(2**31))

    def shown(value: float) -> Image.Image:
        scene = np.random.default_rng(seed)
        image = clouds(scene, 240, 200, ((3, 20), (10, 8)))
        draw = ImageDraw.Draw(image)
        if kind == 0:
            draw.ellipse((50, 30, 190, 170), fill=(240, 240, 235), outline=(30, 30, 30), width=4)
            angle = math.pi * (0.75 + 1.5 * value)
            draw.line((120, 100, 120 + 55 * math.cos(angle), 100 + 55 * math.sin(angle)), fill=(200, 20, 20), width=4)
        elif kind == 1:
            draw.rectangle((100, 30, 140, 150), fill=(25, 25, 25))
            lit = int(value * 3)
            for k, colour in enumerate(((220, 40, 30), (225, 150, 30), (40, 200, 70))):
                draw.ellipse((106, 36 + 38 * k, 134, 64 + 38 * k), fill=colour if k == lit else (60, 60, 60))
        else:
            heights = np.cumsum(scene.normal(0, 6, 20)) + 100
            heights[10:] += (value - 0.5) * 80
            draw.rectangle((10, 10, 230, 190), fill=(255, 255, 255), outline=(0, 0, 0))
            draw.line(
                [(20 + 10 * k, float(np.clip(y, 15, 185))) for k, y in enumerate(heights)], fill=(30, 60, 200), width=2
            )
        return image

    if kind == 1 and int(other * 3) == int(one * 3):
        other = (other + 0.34) % 1
    return jpeg(shown(one), rng), jpeg(shown(other), rng)


KINDS: dict[str, Callable[[list[Path], Rng], Pair]] = {
    "colourways": colourways,
    "icons": icons,
    "textures": textures,
    "bursts": bursts,
    "slices": slices,
    "defects": defects,
    "forms": forms,
    "readings": readings,
}


def write_hard_pairs(photographs: list[Path], folder: Path, per_kind: int, seed: int) -> dict[str, str]:
    """Write `folder/KIND/NUMBER_a` and `…_b` of each pair. Returns the pair's number of each uri."""
    of = {}
    for kind, make in KINDS.items():
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for number in range(per_kind):
            rng = np.random.default_rng([seed, list(KINDS).index(kind), number])
            for which, data in zip("ab", make(photographs, rng), strict=True):
                uri = f"{kind}/{number:04d}_{which}.{'png' if data[1:4] == b'PNG' else 'jpg'}"
                (folder / uri).write_bytes(data)
                of[uri] = f"{kind}/{number:04d}"
    return of

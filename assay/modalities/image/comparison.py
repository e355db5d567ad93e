"""Do two pictures, laid over each other, show the same in colour and in every detail? Looked at up to 1,024 pixels.

Correlation of small luminance, which finds candidates, does not see colour, fine texture, or an object of a
thousandth of the area. Here the two are brought to one size, that of the coarser, and compared pixel by pixel:

- `detail`: the correlation of their gradients. Two pieces of one material, or two moments of one scene, do not have it.
- `colour`: the largest difference of hue and saturation over a few pixels.
- `spot`: the largest difference over a few pixels that a shift by one pixel does not explain. A scratch, a sign or
  another digit has it, also where all the rest is equal.
- `change`: the same without that allowance, for pictures that are in place to the pixel.
- `coherence`: how well the phases of their waves agree, at each direction and width that both have, strong or weak. Two
  pieces of one striped cloth share the stripes and nothing else.

A change of brightness is taken out first, as one factor and one offset for all three channels; they are told.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from PIL import Image, ImageFilter

from assay.modalities.image.alignment import TURNS, refined

SIDE = 1024  # pixels: longer side at most of what is compared
STEPS = 3  # of refinement
FITTED = 30_011  # values at most that the light is fitted to; a prime, so that all channels and columns are among them
FFT = 512  # pixels: side of the square in the middle whose spectrum is compared
BLOCK = 8  # neighbouring entries of a spectrum that are one direction and width
FLOOR = 2.0  # levels squared, the power of what tells nothing
HOPELESS_DETAIL, HOPELESS_COLOUR = 0.4, 60.0
Box = tuple[float, float, float, float]  # left, top, right, bottom, in shares of the sides
WHOLE: Box = (0.0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Picture:
    """One picture as it is compared.

    Attributes:
        layers: RGB, longer side at most `SIDE`, on white; where it is transparent also on black.
        size: its own width and height.
        levels: the values that became black and white, of a deep picture.
    """

    layers: tuple[Image.Image, ...]
    size: tuple[int, int]
    levels: tuple[float, float] | None = None

    def turned(self, turn: int) -> "Picture":
        """By an entry of `TURNS`."""
        swap, down, across = TURNS[turn]
        layers, size = self.layers, self.size
        if swap:
            layers, size = tuple(layer.transpose(Image.Transpose.TRANSPOSE) for layer in layers), size[::-1]
        if down < 0:
            layers = tuple(layer.transpose(Image.Transpose.FLIP_TOP_BOTTOM) for layer in layers)
        if across < 0:
            layers = tuple(layer.transpose(Image.Transpose.FLIP_LEFT_RIGHT) for layer in layers)
        return Picture(layers, size, self.levels)

    @cached_property
    def gray(self) -> Image.Image:
        return self.layers[-1].convert("L")


@dataclass(frozen=True)
class Difference:
    """How two pictures differ where they overlap.

    Attributes:
        detail: correlation of the gradients, in [−1, 1]; 1 for two that show nothing at all.
        colour: largest difference of colour, in levels, over 9 pixels square.
        spot: largest unexplained difference, in levels, over 5 pixels square.
        noise: what nearly all places (95%) stay under of the latter.
        change: largest difference, in levels, over 5 pixels square, without allowance for a shift.
        coherence: median over the spectrum, in [0, 1]; 1 where there is too little to tell.
        gain, offset: of the brightness, of the brighter over the darker.
    """

    detail: float
    colour: float
    spot: float
    noise: float
    change: float
    coherence: float
    gain: float
    offset: float


def compare(one: Picture, other: Picture, box: Box = WHOLE, other_box: Box = WHOLE) -> Difference:
    """What lies in `box` of one against what lies in `other_box` of the other, on each ground they may lie on."""
    grounds = max(len(one.layers), len(other.layers))
    found = []
    for ground in range(grounds):
        a, b = (p.layers[min(ground, len(p.layers) - 1)] for p in (one, other))
        size = common_size(one.size, other.size, box, other_box)
        found.append(_differ(_cut(a, box, size), _cut(b, other_box, size)))
    if len(one.layers) != len(other.layers):  # what is transparent is not what is opaque
        return Difference(min(f.detail for f in found), 255.0, 255.0, 0.0, 255.0, 0.0, 1.0, 0.0)
    return max(found, key=lambda f: (f.spot, f.colour, -f.detail))


def common_size(size: tuple[int, int], other: tuple[int, int], box: Box, other_box: Box) -> tuple[int, int]:
    """The size in pixels at which the two cut-outs have no more pixels than either file has."""
    sides = []
    for axis in (0, 1):
        own, others = box[axis + 2] - box[axis], other_box[axis + 2] - other_box[axis]
        sides.append(min(size[axis] * own, other[axis] * others))
    factor = min(1.0, SIDE / max(sides))
    return max(round(sides[0] * factor), 1), max(round(sides[1] * factor), 1)


def refine_boxes(one: Picture, other: Picture, box: Box, other_box: Box) -> tuple[Box, Box]:
    """Both cut-outs, moved by parts of a pixel so that they match: the second is fitted to the first."""
    size = common_size(one.size, other.size, box, other_box)
    side = 128 if max(size) > 64 else 64
    a, b = (np.asarray(_cut(p.gray, part, (side, side)), np.float32) for p, part in ((one, box), (other, other_box)))
    scale_x, shift_x, scale_y, shift_y = refined(a[None], b[None], STEPS)[0].tolist()
    return _moved(box, other_box, (scale_x, scale_y), (shift_x, shift_y))


def boxes_of(warp: np.ndarray) -> tuple[Box, Box] | None:
    """The overlap in shares of the first and of the second picture, from a warp (4,) of `alignment`; None for none."""
    return _overlap((-1.0, -1.0, 1.0, 1.0), warp.tolist())


def _overlap(frame: Box, warp: list[float]) -> tuple[Box, Box] | None:
    ends: list[list[float]] = [[], [], [], []]
    for axis, (scale, shift) in enumerate(((warp[0], warp[1]), (warp[2], warp[3]))):
        low, high = max(frame[axis], (-1 - shift) / scale), min(frame[axis + 2], (1 - shift) / scale)
        if high - low < 0.1:
            return None
        ends[0].append((low + 1) / 2)
        ends[1].append((high + 1) / 2)
        ends[2].append((scale * low + shift + 1) / 2)
        ends[3].append((scale * high + shift + 1) / 2)
    return (*ends[0], *ends[1]), (*ends[2], *ends[3])  # type: ignore[return-value]


def _moved(box: Box, other_box: Box, scale: tuple[float, float], shift: tuple[float, float]) -> tuple[Box, Box]:
    """Both boxes after the second is fitted; what leaves the second picture is cut off both."""
    first, second = list(box), list(other_box)
    for axis in (0, 1):
        middle, half = (other_box[axis] + other_box[axis + 2]) / 2, (other_box[axis + 2] - other_box[axis]) / 2
        middle, half = middle + half * shift[axis], half * scale[axis]
        low, high = middle - half, middle + half
        own, lost_low, lost_high = box[axis + 2] - box[axis], max(-low, 0.0), max(high - 1, 0.0)
        first[axis] = box[axis] + own * lost_low / (2 * half)
        first[axis + 2] = box[axis + 2] - own * lost_high / (2 * half)
        second[axis], second[axis + 2] = max(low, 0.0), min(high, 1.0)
    return tuple(first), tuple(second)  # type: ignore[return-value]


def _cut(image: Image.Image, box: Box, size: tuple[int, int]) -> Image.Image:
    edges = (box[0] * image.width, box[1] * image.height, box[2] * image.width, box[3] * image.height)
    if size == image.size and box == WHOLE:
        return image
    return image.resize(size, Image.Resampling.BICUBIC, box=edges)


def _differ(a: Image.Image, b: Image.Image) -> Difference:
    """Of two pictures of one size: the brighter is predicted from the darker, so that what burnt out is explained."""
    one, other = _planes(a), _planes(b)
    if one.mean() < other.mean():
        one, other = other, one
    found = _predicted(one, other)
    if 8 < found.noise < 255:  # the means may mislead
        found = min(found, _predicted(other, one), key=lambda f: f.spot)
    return found


def _planes(image: Image.Image) -> np.ndarray:
    """(3, H, W) float32: channel by channel, for a reduction over a short last axis is ten times slower."""
    return np.ascontiguousarray(np.asarray(image).transpose(2, 0, 1)).astype(np.float32)


def _predicted(one: np.ndarray, other: np.ndarray) -> Difference:
    """How well `one` is what `other` gives in another light. What is hopeless is not looked at any closer."""
    gain, offset = _fit(one, other)
    if not 0.3 <= gain <= 3.5:
        gain, offset = 1.0, 0.0
    predicted = np.clip(other * gain + offset, 0, 255)
    detail = _detail(one.mean(axis=0), predicted.mean(axis=0))
    if detail < HOPELESS_DETAIL:
        return Difference(detail, 255.0, 255.0, 255.0, 255.0, 0.0, gain, offset)
    colour = float(_averaged(np.abs(_chroma(one) - _chroma(predicted)).max(axis=0), 9).max())
    if colour > HOPELESS_COLOUR:
        return Difference(detail, colour, 255.0, 255.0, 255.0, 0.0, gain, offset)
    spots = _averaged(_unexplained(one, predicted), 5)
    changes = _averaged(np.abs(one - predicted).max(axis=0), 5)
    return Difference(
        detail=detail,
        colour=colour,
        spot=float(spots.max()),
        noise=float(np.percentile(spots, 95)),
        change=float(changes.max()),
        coherence=_coherence(one.mean(axis=0), predicted.mean(axis=0)),
        gain=gain,
        offset=offset,
    )


def _fit(one: np.ndarray, other: np.ndarray) -> tuple[float, float]:
    """one ≈ gain × other + offset, over the pixels that neither clips, twice: the second time without the worst."""
    step = max(other.size // FITTED, 1)
    x, y = other.reshape(-1)[::step], one.reshape(-1)[::step]
    use = (x > 4) & (x < 251) & (y > 4) & (y < 251)
    gain, offset = 1.0, 0.0
    for _ in range(2):
        if use.sum() < 50:
            return 1.0, 0.0
        u, v = x[use], y[use]
        spread = float(u.var())
        if spread < 1.0:
            return 1.0, float(v.mean() - u.mean())
        gain = float(((u - u.mean()) * (v - v.mean())).mean()) / spread
        offset = float(v.mean()) - gain * float(u.mean())
        error = np.abs(gain * x + offset - y)
        use &= error <= np.percentile(error[use], 90)
    return gain, offset


def _unexplained(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(H, W) uint8: how far each pixel lies outside what the other picture shows within one pixel of it, in the worst
    channel, the greater of both ways."""
    a, b = ((planes + 0.5).astype(np.uint8) for planes in (one, other))
    excess = np.zeros_like(a)
    for p, q in ((a, b), (b, a)):
        high, low = _around(q, np.maximum), _around(q, np.minimum)
        np.maximum(excess, np.maximum(p, high) - high, out=excess)  # unsigned: never below 0
        np.maximum(excess, low - np.minimum(p, low), out=excess)
    return excess.max(axis=0)


def _around(planes: np.ndarray, most: np.ufunc) -> np.ndarray:
    """The greatest or least of each 3 × 3 pixels, fewer at the border."""
    rows = planes.copy()
    most(rows[:, 1:], planes[:, :-1], out=rows[:, 1:])
    most(rows[:, :-1], planes[:, 1:], out=rows[:, :-1])
    result = rows.copy()
    most(result[:, :, 1:], rows[:, :, :-1], out=result[:, :, 1:])
    most(result[:, :, :-1], rows[:, :, 1:], out=result[:, :, :-1])
    return result


def _chroma(planes: np.ndarray) -> np.ndarray:
    """(2, H, W): red and blue less the mean of the three."""
    mean = planes.mean(axis=0)
    return np.stack([planes[0] - mean, planes[2] - mean])


def _averaged(values: np.ndarray, side: int) -> np.ndarray:
    """Means over squares of `side` pixels."""
    radius = min(side, *values.shape) // 2
    image = Image.fromarray(values if values.dtype == np.uint8 else np.clip(np.rint(values), 0, 255).astype(np.uint8))
    return np.asarray(image.filter(ImageFilter.BoxBlur(radius)), np.float32)


def _detail(one: np.ndarray, other: np.ndarray) -> float:
    shared = own = others = 0.0
    for axis in (0, 1):
        p, q = np.diff(one, axis=axis).ravel(), np.diff(other, axis=axis).ravel()
        shared, own, others = shared + float(p @ q), own + float(p @ p), others + float(q @ q)
    if own < 1e-3 and others < 1e-3:
        return 1.0
    return shared / max((own * others) ** 0.5, 1e-9)


def _coherence(one: np.ndarray, other: np.ndarray) -> float:
    """The median over blocks of the spectrum, up to half the finest waves, of |Σ A B*| / √(Σ|A|² Σ|B|²); of those that
    rise above the noise of rounding and encoding in both pictures."""
    size = min(*one.shape, FFT)
    if size < 4 * BLOCK:
        return 1.0
    top, left = (one.shape[0] - size) // 2, (one.shape[1] - size) // 2
    window = np.hanning(size).astype(np.float32)
    window = window[:, None] * window
    parts = (picture[top : top + size, left : left + size] for picture in (one, other))
    a, b = (np.fft.rfft2((part - part.mean()) * window) for part in parts)
    half = size // 4 // BLOCK * BLOCK  # waves of four pixels and more, both ways up and down
    a, b = (np.concatenate([part[:half, :half], part[-half:, :half]]) for part in (a, b))
    shared, own, others = (_blocks(part) for part in (a * b.conj(), np.abs(a) ** 2, np.abs(b) ** 2))
    floor = BLOCK**2 * FLOOR * float((window**2).sum())
    use = np.minimum(own.real, others.real) > floor
    if use.sum() < 6:
        return 1.0
    return float(np.median(np.abs(shared[use]) / np.sqrt(own.real[use] * others.real[use])))


def _blocks(spectrum: np.ndarray) -> np.ndarray:
    """Sums over squares of `BLOCK` entries."""
    rows, columns = (side // BLOCK for side in spectrum.shape)
    return spectrum.reshape(rows, BLOCK, columns, BLOCK).sum(axis=(1, 3))

"""JPEGs that a GPU decodes: which ones, read by worker processes; and how, with what its decoder refuses.

A worker process reads a file, checks it against its hash, and hands on the bytes of a JPEG that nvJPEG decodes as
Pillow does, to within its rounding. All other pictures it decodes and resizes itself, at the same time. Pictures are
handed over in memory that both processes map, as pipes are too slow; it is gone when they end. nvJPEG's pixels
differ a little from libjpeg's, so this path has a fingerprint of its own, and each snapshot says by how much the
vectors differ.
"""

import functools
import io
import mmap
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import simplejpeg
from loky import ProcessPoolExecutor
from PIL import Image

from assay.contracts.errors import UnreadableSample
from assay.embedders.geometry import LONGEST_ASPECT, Geometry
from assay.modalities.contents import Content, Unmeasured, measure_each
from assay.modalities.image.decode import decode_rgb
from assay.modalities.image.jpeg import has_hole
from assay.modalities.measuring import crashed
from assay.sources.files import Source
from assay.store.executor import ahead_of, in_batches, processes_for, start_workers

if TYPE_CHECKING:
    import torch

COLOURS = ("YCbCr", "Gray")  # others are decoded by the CPU
MOST_PIXELS = 50_000_000  # of a picture that a GPU decodes
GROUP_BYTES = 2**29  # of pixels that are decoded at a time; resizing takes four times as much
COMPARED = 64  # files that the CPU decodes too
BATCH, WORTH = 64, 256  # files in a worker's task; and that a worker must get to be worth starting
_END = b"\xff\xd9"
_TAIL = 1024  # bytes at the end, in which a whole file has its end marker
_EXIF, _HEAD = b"Exif\x00\x00", 2**16
_ORIENTATION = 0x0112
warnings.filterwarnings("ignore", message="The given buffer is not writable")  # nobody writes to it


@dataclass(frozen=True)
class Jpeg:
    """A file for the GPU: its bytes, its height and width in pixels, and its EXIF orientation."""

    data: bytes | memoryview
    height: int
    width: int
    orientation: int


Picture = Jpeg | npt.NDArray[np.uint8]  # a file to be decoded, or uint8 (height, width, 3) that a worker has made


def jpeg_for_gpu(data: bytes, max_pixels: int) -> Jpeg | None:
    """The file, if it is a whole JPEG of usual colours and size."""
    if data[:3] != b"\xff\xd8\xff" or _END not in data[-_TAIL:] or has_hole(data):
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
    except ValueError:
        return None
    if colours not in COLOURS or height * width > min(max_pixels, MOST_PIXELS):
        return None
    if max(height, width) > LONGEST_ASPECT * min(height, width):
        return None
    return Jpeg(data, height, width, _orientation(data) if _EXIF in data[:_HEAD] else 1)


def _orientation(data: bytes) -> int:
    try:
        return int(Image.open(io.BytesIO(data), formats=("JPEG", "MPO")).getexif().get(_ORIENTATION, 1))
    except Exception:  # damaged EXIF is no reason to lose the pixels
        return 1


def picture_of(geometry: Geometry, max_pixels: int, data: bytes) -> Picture:
    """What a worker makes of a file. Raises `UnreadableSample`."""
    return jpeg_for_gpu(data, max_pixels) or geometry.in_pillow(decode_rgb(data, max_pixels).image)


@dataclass(frozen=True)
class _Task:
    """Files for a worker, and the path of the shared memory that their pictures go to."""

    place: str
    contents: Sequence[Content]


def read_pictures(
    source: Source,
    geometry: Geometry,
    max_pixels: int,
    contents: Sequence[Content],
    held: int,
    workers: ProcessPoolExecutor | None = None,
) -> Iterator[Picture | Unmeasured]:
    """Pictures in their order, read ahead by worker processes; `Unmeasured` where there is none.

    A picture lies in memory that is shared with the worker, and is good until `held` more have been taken.
    """
    blocks = [contents[start : start + BATCH] for start in range(0, len(contents), BATCH)]
    processes = processes_for(len(blocks), WORTH // BATCH)
    ring = [os.memfd_create("assay") for _ in range(ahead_of(processes) + held // BATCH + 3)]
    tasks = [_Task(f"/proc/{os.getpid()}/fd/{ring[at % len(ring)]}", block) for at, block in enumerate(blocks)]
    work = functools.partial(_do, functools.partial(picture_of, geometry, max_pixels), source)
    try:
        found = in_batches(work, tasks, 1, lambda task: [crashed()] * len(task.contents), WORTH // BATCH, workers)
        for at, (block, results) in enumerate(zip(blocks, found, strict=True)):
            if len(block) > 1 and all(isinstance(one, Unmeasured) and one == crashed() for one in results):
                yield from _one_by_one(work, ring[at % len(ring)], block)
            else:
                yield from _placed(results, ring[at % len(ring)])
    finally:
        for descriptor in ring:
            os.close(descriptor)


def _one_by_one(work: Any, descriptor: int, block: Sequence[Content]) -> Iterator[Picture | Unmeasured]:
    """The pictures of a block that killed a worker: only the file that does so is lost."""
    for content in block:
        task = _Task(f"/proc/{os.getpid()}/fd/{descriptor}", [content])
        (results,) = in_batches(work, [task], 1, lambda _: [crashed()])
        (picture,) = _placed(results, descriptor)
        yield replace(picture, data=bytes(picture.data)) if isinstance(picture, Jpeg) else picture


def _do(make: Callable[[bytes], Picture], source: Source, tasks: Sequence[_Task]) -> list[list[Any]]:
    """In a worker: pictures into shared memory. For each, where it starts and what it is, without its bytes."""
    return [_put(measure_each(make, source, task.contents), task.place) for task in tasks]


def _put(pictures: list[Picture | Unmeasured], place: str) -> list[Any]:
    put: list[Any] = []
    with open(place, "r+b") as shared:
        for picture in pictures:
            start = shared.tell()
            if isinstance(picture, Jpeg):
                shared.write(picture.data)
                put.append((start, len(picture.data), replace(picture, data=b"")))
            elif isinstance(picture, np.ndarray):
                shared.write(picture.tobytes())
                put.append((start, picture.nbytes, picture.shape))
            else:
                put.append(picture)
    return put


def _placed(results: list[Any], descriptor: int) -> Iterator[Picture | Unmeasured]:
    """Pictures from what `_put` says of them."""
    size = os.fstat(descriptor).st_size
    shared = memoryview(mmap.mmap(descriptor, size)) if size else memoryview(b"")
    for found in results:
        if isinstance(found, Unmeasured):
            yield found
            continue
        start, length, what = found
        data = shared[start : start + length]
        if isinstance(what, Jpeg):
            yield replace(what, data=data)
        else:
            yield np.frombuffer(data, dtype=np.uint8).reshape(what).copy()


def start_reading(n: int) -> ProcessPoolExecutor | None:
    """The workers of `read_pictures` for `n` files, where these are many: they start while a model is loaded."""
    return start_workers(__name__, processes_for(n, WORTH)) if n >= WORTH else None


class Decoder:
    """From pictures of any size to one batch on a device, uint8 (n, height, width, 3)."""

    def __init__(self, geometry: Geometry, device: "torch.device", max_pixels: int) -> None:
        self._geometry, self._device, self._max_pixels = geometry, device, max_pixels
        self.some: list[Jpeg] = []  # that it decoded, for a comparison

    def decode(self, pictures: Sequence[Picture | Unmeasured]) -> "tuple[torch.Tensor, list[int], dict[int, Any]]":
        """`(batch, rows, refused)`: the pictures, which of the given ones they are, and why the others are not there:
        row → (reason, detail)."""
        import torch

        refused = {row: (p.reason, p.detail) for row, p in enumerate(pictures) if isinstance(p, Unmeasured)}
        made = {row: p for row, p in enumerate(pictures) if isinstance(p, np.ndarray)}
        jpegs = {row: p for row, p in enumerate(pictures) if isinstance(p, Jpeg)}
        batch = torch.empty((len(pictures), 3, *self._geometry.size), dtype=torch.uint8, device=self._device)
        some = list(jpegs.values())[: max(COMPARED - len(self.some), 0)]
        self.some += [replace(jpeg, data=bytes(jpeg.data)) for jpeg in some]
        for rows in _groups(jpegs):
            made |= self._decode_group({row: jpegs[row] for row in rows}, batch, refused)
        if made:
            host = torch.from_numpy(np.stack(list(made.values()))).permute(0, 3, 1, 2)
            batch[list(made)] = host.to(self._device)
        kept = [row for row in range(len(pictures)) if row not in refused]
        return (batch if not refused else batch[kept]).permute(0, 2, 3, 1), kept, refused

    def _decode_group(
        self, jpegs: dict[int, Jpeg], batch: "torch.Tensor", refused: dict[int, Any]
    ) -> dict[int, npt.NDArray[np.uint8]]:
        """Decode and resize into rows of `batch`; returns those that the CPU had to decode."""
        import torch

        by_size: dict[tuple[int, ...], list[tuple[int, torch.Tensor]]] = {}
        made: dict[int, npt.NDArray[np.uint8]] = {}
        pixels, failed = _decoded(jpegs, self._device)
        for row in failed:
            try:
                made[row] = self._geometry.in_pillow(decode_rgb(bytes(jpegs[row].data), self._max_pixels).image)
            except UnreadableSample as error:
                refused[row] = (error.reason, error.detail)
        for row, picture in pixels.items():
            picture = turned(picture, jpegs[row].orientation)
            by_size.setdefault(tuple(picture.shape), []).append((row, picture))
        for same in by_size.values():
            rows = [row for row, _ in same]
            stacked = torch.stack([picture for _, picture in same])
            batch[rows] = self._geometry.in_torch(stacked)
        return made


def _groups(jpegs: dict[int, Jpeg]) -> Iterator[list[int]]:
    """Rows whose pixels take at most `GROUP_BYTES`, or one."""
    rows: list[int] = []
    held = 0
    for row, jpeg in jpegs.items():
        size = 3 * jpeg.height * jpeg.width
        if rows and held + size > GROUP_BYTES:
            yield rows
            rows, held = [], 0
        rows.append(row)
        held += size
    if rows:
        yield rows


def _decoded(jpegs: dict[int, Jpeg], device: "torch.device") -> "tuple[dict[int, torch.Tensor], list[int]]":
    """Pixels (3, H, W) by row, and the rows that the decoder refuses: its batch is done again by halves."""
    import torch
    from torchvision.io import ImageReadMode, decode_jpeg

    data = [torch.frombuffer(jpeg.data, dtype=torch.uint8) for jpeg in jpegs.values()]
    try:
        found = decode_jpeg(data, mode=ImageReadMode.RGB, device=device)
        wrong = [
            row for (row, jpeg), p in zip(jpegs.items(), found, strict=True) if p.shape[1:] != (jpeg.height, jpeg.width)
        ]
        return {row: p for row, p in zip(jpegs, found, strict=True) if row not in wrong}, wrong
    except torch.cuda.OutOfMemoryError:
        raise
    except RuntimeError:
        if len(jpegs) == 1:
            return {}, list(jpegs)
    rows = list(jpegs)
    pixels: dict[int, torch.Tensor] = {}
    failed: list[int] = []
    for half in (rows[: len(rows) // 2], rows[len(rows) // 2 :]):
        some, bad = _decoded({row: jpegs[row] for row in half}, device)
        pixels |= some
        failed += bad
    return pixels, failed


def turned(picture: "torch.Tensor", orientation: int) -> "torch.Tensor":
    """(3, H, W) pixels as their EXIF orientation says, as `decode.upright` turns a picture of Pillow."""
    if orientation in (5, 6, 7, 8):
        picture = picture.transpose(1, 2)
    flips = {2: (2,), 3: (1, 2), 4: (1,), 6: (2,), 7: (1, 2), 8: (1,)}.get(orientation, ())
    return picture.flip(flips) if flips else picture

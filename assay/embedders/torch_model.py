"""The forward pass of a torch model on CPU or GPU: fixed shapes, pinned copies, halving on out-of-memory.

A model of pictures whose preprocessing is a resize and a crop can have its JPEGs decoded by the GPU too (`jpegs.py`).
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

import numpy as np
import torch
from loky import ProcessPoolExecutor

from assay.contracts.errors import EmbedderError
from assay.contracts.spec import Spec
from assay.embedders.base import Check, Collect, Embedder, cpu_workers
from assay.embedders.geometry import Geometry
from assay.embedders.jpegs import COMPARED, Decoder, Picture, read_pictures, start_reading
from assay.embedders.weights import decodes_on_gpu
from assay.modalities.contents import Content, Unmeasured
from assay.sources.files import Source
from assay.store.machine import cores

WANTED_COSINE = 0.999  # mean, of vectors of the same files by two decoders
T = TypeVar("T")
_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


def is_out_of_memory(error: RuntimeError) -> bool:
    """Whether a forward pass failed for want of memory, on a GPU or on the CPU."""
    words = str(error).lower()
    return isinstance(error, torch.cuda.OutOfMemoryError) or "out of memory" in words or "allocate memory" in words


def out_of_memory(error: RuntimeError) -> EmbedderError:
    """The error for a model that cannot take even one item."""
    return EmbedderError(
        f"the model does not fit into memory even with one item at a time ({error}); "
        'take a smaller one, or embed.device = "cpu"'
    )


def in_halves(run: Callable[[list[T]], np.ndarray], items: list[T], size: int) -> tuple[np.ndarray, int]:
    """`run` of `size` items at a time, halved for good when memory runs out: all results, and the size that fits.

    Raises:
        EmbedderError: memory does not suffice for a single item.
    """
    rows: list[np.ndarray] = []
    done = 0
    while done < len(items):
        try:
            rows.append(run(items[done : done + size]))
            done += len(rows[-1])
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            if size == 1:
                raise out_of_memory(error) from error
            size //= 2
    return np.concatenate(rows), size


def autocast(device: str, precision: str) -> torch.autocast:
    """A context in which the forward pass runs in bf16 or fp16, or as it is in fp32."""
    wanted = _HALF.get(precision)
    return torch.autocast(device, dtype=wanted, enabled=wanted is not None)


class TorchEmbedder(Embedder):
    """An embedder whose `_forward` maps one tensor of raw values on the device to a tensor (n, d).

    `dtype` is that of the model's weights, cast once, and of what `_forward` gives it.
    """

    def __init__(self, device: str, precision: str) -> None:
        self.device = torch.device(device)
        self.dtype = _HALF.get(precision, torch.float32)
        self.one_driver = self.device.type != "cpu"
        self._halving = threading.Lock()
        self._threads_before = torch.get_num_threads()
        self._copies = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None
        self._decoding = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None
        self._decoder: Decoder | None = None

    def decode_on_device(self, steps: Sequence[object], spec: Spec) -> None:
        """From now on decode JPEGs on the device, where the spec wants it so and these steps of a preprocessing are a
        resize and a crop."""
        geometry = Geometry.of(steps)
        self.decodes = geometry is not None and decodes_on_gpu(spec, self.device.type)
        if geometry is not None and self.decodes:
            self._geometry, self._max_pixels = geometry, spec.clean.max_pixels
            self._decoder = Decoder(geometry, self.device, spec.clean.max_pixels)

    def start_reading(self, n: int) -> ProcessPoolExecutor | None:
        """Workers for `read_pictures` of `n` files, where these are many."""
        return start_reading(n)

    def read_pictures(
        self, source: Source, contents: Sequence[Content], workers: ProcessPoolExecutor | None = None
    ) -> Iterator[Picture | Unmeasured]:
        """Pictures in their order, read ahead by worker processes."""
        return read_pictures(source, self._geometry, self._max_pixels, contents, self.batch_size, workers)

    @torch.inference_mode()
    def decode(
        self, pictures: Sequence[Picture | Unmeasured]
    ) -> tuple[torch.Tensor, list[int], dict[int, tuple[str, str]]]:
        """`(batch, rows, refused)` as `Decoder.decode`, on a stream of its own; done when it returns."""
        assert self._decoder is not None
        if self._decoding is None:
            return self._decoder.decode(pictures)
        with torch.cuda.stream(self._decoding):
            found = self._decoder.decode(pictures)
            self._decoding.synchronize()
        return found

    def _forward(self, batch: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

    def checks(self) -> list[Check]:
        """How near the vectors of JPEGs that the device decoded are to those of Pillow's pixels."""
        files = self._decoder.some[:COMPARED] if self._decoder else []
        if not files:
            return []
        batch, rows, _ = self.decode(files)
        one = self.launch(batch, len(rows))()
        two = self.encode([files[row].data for row in rows])
        cosines = (one * two).sum(axis=1) / np.linalg.norm(one, axis=1) / np.linalg.norm(two, axis=1)
        mean, least = float(cosines.mean()), float(cosines.min())
        note = f"{len(rows)} JPEGs decoded by the GPU and by Pillow; the least cosine is {least:.4f}"
        return [("decoder_cosine", mean, f">= {WANTED_COSINE}", mean >= WANTED_COSINE, note)]

    def start_thread(self) -> None:
        """On a CPU every worker decodes and computes its own batches on its share of the cores."""
        if not self.one_driver:
            torch.set_num_threads(cores() // cpu_workers())

    def finish(self) -> None:
        """Give torch its threads back."""
        torch.set_num_threads(self._threads_before)

    def collate(self, prepared: Sequence[np.ndarray]) -> torch.Tensor:
        """A batch of the full shape, padded with zeros, in pinned memory where a GPU will fetch it."""
        batch = np.zeros((max(self.batch_size, len(prepared)), *prepared[0].shape), dtype=prepared[0].dtype)
        for row, item in enumerate(prepared):
            batch[row] = item
        tensor = torch.from_numpy(batch)
        return tensor.pin_memory() if self._copies is not None else tensor

    def launch(self, batch: torch.Tensor, n: int) -> Collect:
        """The forward pass in slices of `batch_size`, halved for good when memory runs out.

        Raises:
            EmbedderError: memory does not suffice for a single item.
        """
        results: list[Collect] = []
        start = 0
        while start < n:
            size = self.batch_size
            try:
                results.append(self._start(_padded(batch[start : start + size], size)))
                start += size
            except RuntimeError as error:
                if not is_out_of_memory(error):
                    raise
                self._halve(size, error)
        return lambda: np.concatenate([collect() for collect in results])[:n]

    def _halve(self, failed: int, error: RuntimeError) -> None:
        """Halve the batch, once for all threads that failed at the same size."""
        with self._halving:
            if failed == 1:
                raise out_of_memory(error) from error
            self.batch_size = min(self.batch_size, failed // 2)
        if self._copies is not None:
            torch.cuda.empty_cache()

    @torch.inference_mode()
    def _start(self, host: torch.Tensor) -> Collect:
        """One forward pass. On a GPU: copied on its own stream, and not waited for."""
        if self._copies is None:
            result = self._forward(host.to(self.device)).float().cpu().numpy()
            return lambda: result
        compute = torch.cuda.current_stream(self.device)
        batch = host
        if not host.is_cuda:
            with torch.cuda.stream(self._copies):
                batch = host.to(self.device, non_blocking=True)
            compute.wait_stream(self._copies)
        batch.record_stream(compute)
        vectors = self._forward(batch).float()
        back = torch.empty(vectors.shape, dtype=torch.float32, pin_memory=True)
        back.copy_(vectors, non_blocking=True)
        done = torch.cuda.Event()
        done.record(compute)

        def collect() -> np.ndarray:
            done.synchronize()
            return back.numpy().copy()

        return collect


def _padded(batch: torch.Tensor, size: int) -> torch.Tensor:
    """`batch` with rows of zeros up to `size`, so that every forward pass has one shape."""
    if len(batch) == size:
        return batch
    filler = torch.zeros((size - len(batch), *batch.shape[1:]), dtype=batch.dtype, device=batch.device)
    return torch.cat([batch, filler])


def sized_batch(device: str, wanted: int, pixels: int) -> int:
    """Items in a batch: as asked, else by the input's size and, on a GPU, by its free memory."""
    if wanted:
        return wanted
    if device == "cpu":
        return max(1, min(16, 16 * 224 * 224 // max(pixels, 1)))
    if device != "cuda":
        return 32
    free, _ = torch.cuda.mem_get_info()
    fits = int(free * 0.4 / max(pixels * 3 * 4 * 64, 1))
    return max(1, min(1024, 2 ** max(fits.bit_length() - 1, 0)))

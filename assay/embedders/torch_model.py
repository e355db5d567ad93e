"""The forward pass of a torch model on CPU or GPU: fixed shapes, pinned copies, halving on out-of-memory."""

import threading
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch

from assay.contracts.errors import EmbedderError
from assay.embedders.base import Collect, Embedder, cpu_workers
from assay.store.machine import cores

T = TypeVar("T")
_AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


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
    wanted = _AUTOCAST.get(precision)
    return torch.autocast(device, dtype=wanted, enabled=wanted is not None)


class TorchEmbedder(Embedder):
    """An embedder whose `_forward` maps one tensor of raw values on the device to a tensor (n, d)."""

    def __init__(self, device: str, precision: str) -> None:
        self.device = torch.device(device)
        self.precision = precision
        self.one_driver = self.device.type != "cpu"
        self._halving = threading.Lock()
        self._threads_before = torch.get_num_threads()
        self._copies = torch.cuda.Stream(self.device) if self.device.type == "cuda" else None

    def _forward(self, batch: torch.Tensor) -> torch.Tensor:
        raise NotImplementedError

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
            result = self._compute(host.to(self.device)).float().cpu().numpy()
            return lambda: result
        compute = torch.cuda.current_stream(self.device)
        with torch.cuda.stream(self._copies):
            batch = host.to(self.device, non_blocking=True)
        compute.wait_stream(self._copies)
        batch.record_stream(compute)
        vectors = self._compute(batch).float()
        back = torch.empty(vectors.shape, dtype=torch.float32, pin_memory=True)
        back.copy_(vectors, non_blocking=True)
        done = torch.cuda.Event()
        done.record(compute)

        def collect() -> np.ndarray:
            done.synchronize()
            return back.numpy().copy()

        return collect

    def _compute(self, batch: torch.Tensor) -> torch.Tensor:
        with autocast(self.device.type, self.precision):
            return self._forward(batch)


def _padded(batch: torch.Tensor, size: int) -> torch.Tensor:
    """`batch` with rows of zeros up to `size`, so that every forward pass has one shape."""
    if len(batch) == size:
        return batch
    filler = torch.zeros((size - len(batch), *batch.shape[1:]), dtype=batch.dtype)
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
    return max(1, min(256, 2 ** max(fits.bit_length() - 1, 0)))

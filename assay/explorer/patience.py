"""HTTP connections whose clients are let go when they keep the server waiting.

uvicorn waits without end for the head of a request, and for a client to take its answer. The body of a request is
bounded in `guard.py`.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

HEAD_SECONDS = 15.0  # from the connection, or the last answer, to the whole head of the next request
LOOK_SECONDS = 5.0
LEAST_BYTES = 50_000  # of an answer to be taken between two looks
PATIENCE = 4  # looks in a row at which less was taken


class Patient(H11Protocol):
    """uvicorn's protocol, which every `LOOK_SECONDS` looks whether its client is getting on."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to look."""
        super().connection_made(transport)
        self._since, self._left, self._idle = self.loop.time(), 0, 0
        self._moved = False
        self._look_again()

    def connection_lost(self, exc: Exception | None) -> None:
        """Look no more."""
        self._looking.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """From now on the next request is waited for."""
        self._since = self.loop.time()
        super().on_response_complete()

    def resume_writing(self) -> None:
        """The client took what was waiting."""
        self._moved = True
        super().resume_writing()

    def _look_again(self) -> None:
        self._looking: Any = self.loop.call_later(LOOK_SECONDS, self._look)

    def _look(self) -> None:
        left = self.transport.get_write_buffer_size()
        is_slow = left > 0 and self._left - left < min(LEAST_BYTES, self._left) and not self._moved
        self._idle = self._idle + 1 if is_slow else 0
        self._left, self._moved = left, False
        waits = self.cycle is None or self.cycle.response_complete
        if self._idle >= PATIENCE or (waits and not left and self.loop.time() - self._since > HEAD_SECONDS):
            self.transport.abort()
        else:
            self._look_again()

"""The HTTP side of an embedding service: requests that are tried again, answers that are not believed unseen.

The key is read from the environment when it is needed, sent to the spec's own address and nowhere else (redirects are
not followed), and blotted out of whatever the service says.
"""

import base64
import binascii
import json
import math
import os
import random
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx
import numpy as np
import numpy.typing as npt

from assay.contracts.errors import EmbedderError
from assay.contracts.section import is_this_machine
from assay.contracts.spec import Embed
from assay.embedders.service_batches import Refused

LONGEST_WAIT = 300.0  # seconds that a Retry-After is obeyed
MOST_BYTES = 256 * 2**20  # of an answer
AGAIN = (408, 409, 425, 429, 500, 502, 503, 504, 529)
UNFIT = (400, 413, 422)  # what was sent is not taken

sleep = time.sleep


class Lost(Exception):
    """The service may answer if it is asked again; `wait` is what it asked for, in seconds."""

    def __init__(self, said: str, wait: float | None = None) -> None:
        super().__init__(said)
        self.wait = wait


class Client:
    """Asks one service for vectors; used from several threads."""

    def __init__(self, embed: Embed) -> None:
        self._embed, self._service = embed, embed.service
        self._refuse_plain_http()
        self._key = self._read_key()
        local = is_this_machine(urlsplit(self._service.url).hostname or "")
        limits = httpx.Timeout(min(self._service.timeout_seconds, 30.0), read=self._service.timeout_seconds)
        self._http = httpx.Client(timeout=limits, follow_redirects=False, trust_env=not local)
        self._in_base64 = True
        self._lock = threading.Lock()
        self.dimensions = 0

    def texts(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """(n, d) float32 of texts. Raises `EmbedderError` where they cannot be had; `Refused` where another may be."""
        return self._vectors({"input": list(texts)}, len(texts))

    def pictures(self, uris: Sequence[str]) -> npt.NDArray[np.float32]:
        """The same of pictures as data URIs."""
        if self._service.images == "input":
            return self._vectors({"input": list(uris), "modality": "image"}, len(uris))
        return np.concatenate([self._vectors({"messages": _message(uri)}, 1) for uri in uris])

    def _vectors(self, body: dict[str, object], n: int) -> npt.NDArray[np.float32]:
        body = {"model": self._embed.model, **body}
        if self._embed.dimensions:
            body["dimensions"] = self._embed.dimensions
        for attempt in range(self._service.retries + 1):
            try:
                return self._checked(self._ask(body), n)
            except Lost as lost:
                if attempt == self._service.retries:
                    raise self._error(f"did not answer in {attempt + 1} attempts; the last time: {lost}") from None
                patience = min(2.0**attempt, 60.0) * random.uniform(0.75, 1.25)
                sleep(min(lost.wait, LONGEST_WAIT) if lost.wait is not None else patience)
        raise AssertionError("the loop ends by itself")

    def _ask(self, body: dict[str, object]) -> object:
        """The answer's JSON. Raises `Lost` where it is worth another try."""
        form = {"encoding_format": "base64"} if self._in_base64 else {}
        status, wait, content = self._post(json.dumps({**body, **form}).encode("utf-8"))
        if status in AGAIN:
            raise Lost(f"status {status}: {self._words(content)}", wait)
        if status != 200:
            said = self._words(content)
            if self._in_base64 and status in (400, 422) and "encoding_format" in said:
                self._in_base64 = False  # it knows numbers only
                return self._ask(body)
            kind = Refused if status in UNFIT else EmbedderError
            raise self._error(f"answered with status {status}: {said}{_advice(status, said)}", kind)
        try:
            return json.loads(content)
        except (ValueError, RecursionError):
            raise self._error(f"gave no JSON, but {self._words(content)!r}") from None

    def _post(self, content: bytes) -> tuple[int, float | None, bytes]:
        """Status, the seconds that the service asks to wait, and the answer, within the time and size allowed."""
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        address = f"{self._service.url}/embeddings"
        until = time.monotonic() + self._service.timeout_seconds
        try:
            with self._http.stream("POST", address, content=content, headers=headers) as answer:
                found = bytearray()
                for part in answer.iter_bytes():
                    found += part
                    if len(found) > MOST_BYTES:
                        raise self._error(f"answered with more than {MOST_BYTES:,} bytes")
                    if time.monotonic() > until:
                        raise Lost(f"no whole answer within {self._service.timeout_seconds:g} s")
                return answer.status_code, retry_after(answer.headers.get("Retry-After", "")), bytes(found)
        except httpx.TimeoutException:
            raise Lost(f"no answer within {self._service.timeout_seconds:g} s") from None
        except (httpx.InvalidURL, UnicodeError) as error:
            raise EmbedderError(
                f"embed.service.url is {self._service.url!r}, no address that can be asked ({error}); wanted one such "
                "as https://api.example.com/v1"
            ) from None
        except httpx.HTTPError as error:
            raise Lost(self._blotted(str(error) or type(error).__name__)) from None

    def _checked(self, answer: object, n: int) -> npt.NDArray[np.float32]:
        """The vectors of an answer, in the order of the inputs. Raises `EmbedderError` where it is none."""
        if not isinstance(answer, dict) or answer.get("error"):
            raise self._error(f"answered with an error inside status 200: {self._words(json.dumps(answer).encode())}")
        rows = answer.get("data")
        if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
            raise self._error(f"gave no list `data`, but {self._words(json.dumps(answer).encode())!r}")
        if len(rows) != n:
            raise self._error(f"gave {len(rows)} vectors for {n} inputs")
        order = [row.get("index", place) for place, row in enumerate(rows)]
        if sorted(map(str, order)) != sorted(map(str, range(n))):
            raise self._error(f"gave vectors with the indices {str(order)[:100]}; wanted 0 to {n - 1}, each once")
        vectors: list[npt.NDArray[np.float32]] = [np.zeros(0, dtype=np.float32)] * n
        for place, row in zip(order, rows, strict=True):
            vectors[int(place)] = self._vector(row.get("embedding"))
        return np.stack(vectors)

    def _vector(self, given: object) -> npt.NDArray[np.float32]:
        try:
            if isinstance(given, str):
                found = np.frombuffer(base64.b64decode(given, validate=True), dtype="<f4").astype(np.float32)
            elif isinstance(given, list):
                found = np.asarray(given, dtype=np.float32)
            else:
                raise ValueError(f"{type(given).__name__} where a vector should be")
            if found.ndim != 1 or not len(found):
                raise ValueError("no vector of numbers")
        except (ValueError, TypeError, binascii.Error, OverflowError) as error:
            raise self._error(f"gave something that is not a vector: {self._blotted(str(error))[:200]}") from None
        with self._lock:
            self.dimensions = self.dimensions or len(found)
        if len(found) != self.dimensions:
            raise self._error(f"gave a vector of {len(found)} numbers after ones of {self.dimensions}")
        return found

    def _refuse_plain_http(self) -> None:
        parts = urlsplit(self._service.url)
        if parts.scheme == "http" and not self._service.plain_http and not is_this_machine(parts.hostname or ""):
            raise EmbedderError(
                f"{self._service.url} is plain HTTP to another machine, where data and key can be read on the way; "
                "use https, or embed.service.plain_http = true where the network is trusted"
            )

    def _read_key(self) -> str:
        name = self._service.key_variable
        key = os.environ.get(name, "").strip() if name else ""
        if name and not key:
            raise EmbedderError(
                f"the environment variable {name}, which embed.service.key_variable names, is not set; "
                "set it where assay runs"
            )
        if not key.isascii() or not key.isprintable():
            raise EmbedderError(
                f"the environment variable {name} holds no key: it has characters that a header cannot carry"
            )
        return key

    def _words(self, content: bytes) -> str:
        """What a service said, short and without the key."""
        text = content[:4_000].decode("utf-8", "replace")
        try:
            found = json.loads(content)
            error = found.get("error", found) if isinstance(found, dict) else found
            text = str(error.get("message", error) if isinstance(error, dict) else error)
        except (ValueError, RecursionError):
            pass
        return self._blotted(" ".join(text.split())[:300] or "nothing")

    def _blotted(self, text: str) -> str:
        return text.replace(self._key, "[key]") if self._key else text

    def _error(self, said: str, kind: type[EmbedderError] = EmbedderError) -> EmbedderError:
        return kind(
            f"the embedding service at {self._service.url} {said}. What was embedded before is kept; "
            "check the service, embed.model and embed.service, and run again"
        )


def _message(uri: str) -> list[dict[str, object]]:
    return [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": uri}}]}]


def _advice(status: int, said: str) -> str:
    if status in (401, 403):
        return " (is the key in embed.service.key_variable right?)"
    if status == 413 or any(word in said.lower() for word in ("context length", "too long", "max_tokens", "tokens")):
        return " (a text is longer than the model takes: lower embed.service.max_characters)"
    return ""


def retry_after(value: str) -> float | None:
    """Seconds of a Retry-After header, a number or a date; None where it is neither."""
    try:
        return max(float(value), 0.0) if value and math.isfinite(float(value)) else None
    except ValueError:
        pass
    try:
        return max((parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds(), 0.0)
    except (ValueError, TypeError):
        return None

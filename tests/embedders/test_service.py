"""An embedding service against a small server of this machine: what is sent, what is believed, what is refused."""

import base64
import hashlib
import json
import threading
import time
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import polars as pl
import pytest

from assay.contracts.errors import EmbedderError, SpecError, UnreadableSample
from assay.contracts.section import is_this_machine
from assay.embedders import service_client
from assay.embedders.registry import make_embedder, plan_embedder
from assay.embedders.service_client import retry_after
from assay.embedders.stage import embed
from assay.store.files import hash_text
from assay.store.vectors import read_vectors
from tests.embedders.conftest import ImageSet, TextSet, encoded, photo

KEY = "sk-secret-123456"
TEXTS = [f"text number {row}" for row in range(10)]


def vector_of(text: str, model: str = "one") -> np.ndarray:
    """What the server's model says of an input."""
    seed = int.from_bytes(hashlib.sha256(f"{model}:{text}".encode()).digest()[:4])
    return np.random.default_rng(seed).normal(size=8).astype("<f4")


class Service:
    """A server whose answers can be spoiled: `spoil` is called with the handler, the request and the rows."""

    def __init__(self):
        self.asked, self.headers, self.spoil, self.model = [], [], None, "one"
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                outer.asked.append(body)
                outer.headers.append(dict(self.headers))
                inputs = body.get("input") or [body["messages"][0]["content"][0]["image_url"]["url"]]
                rows = [
                    {"index": place, "object": "embedding", "embedding": self.coded(body, text)}
                    for place, text in enumerate(inputs)
                ]
                if outer.spoil is None or not outer.spoil(self, body, rows):
                    self.answer(200, {"data": rows[::-1], "model": body["model"]})

            def coded(self, body, text):
                vector = vector_of(text, outer.model)
                if body.get("encoding_format") == "base64":
                    return base64.b64encode(vector.tobytes()).decode()
                return vector.tolist()

            def answer(self, status, found, **headers):
                content = found if isinstance(found, bytes) else json.dumps(found).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name.replace("_", "-"), value)
                self.end_headers()
                self.wfile.write(content)
                return True

            def log_message(self, *_):
                """Be quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture
def service():
    """A running server."""
    found = Service()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """The seconds that were waited, without waiting."""
    found: list[float] = []
    monkeypatch.setattr(service_client, "sleep", found.append)
    return found


def spec_of(tmp_path, server, service=None, **section):
    """A spec of texts through the server."""
    settings = {"url": server.url, "retries": 2, "timeout_seconds": 5.0, **(service or {})}
    return TextSet(tmp_path, []).spec(kind="service", model="m", service=settings, **section)


def spoiled_after_the_canary(service, spoil):
    """Spoil all but the first request."""
    seen = []

    def later(handler, body, rows):
        seen.append(1)
        return spoil(handler, body, rows) if len(seen) > 1 else False

    service.spoil = later


def test_vectors_are_matched_by_index(tmp_path, workspace, service):
    """The server answers backwards, in base64."""
    embedder = make_embedder(spec_of(tmp_path, service, batch_size=4), workspace)
    assert np.allclose(embedder.encode(TEXTS), [vector_of(text) for text in TEXTS])
    assert embedder.dimensions == 8
    assert all(body["encoding_format"] == "base64" and body["model"] == "m" for body in service.asked)
    assert [len(body["input"]) for body in service.asked] == [4, 4, 4, 2]


def test_a_service_that_knows_no_base64(tmp_path, workspace, service):
    """Refuses it by name, or gives numbers all the same."""

    def strict(handler, body, _):
        if "encoding_format" in body:
            return handler.answer(422, {"detail": "unknown field encoding_format"})
        return False

    service.spoil = strict
    embedder = make_embedder(spec_of(tmp_path, service), workspace)
    assert np.allclose(embedder.encode(TEXTS[:2]), [vector_of(text) for text in TEXTS[:2]], atol=1e-6)


def test_the_key_is_sent_and_written_nowhere(tmp_path, workspace, service, monkeypatch, capsys):
    """As a bearer token; not in facts, errors or output, even where the service repeats it."""
    monkeypatch.setenv("TEST_SERVICE_KEY", KEY)
    spec = spec_of(tmp_path, service, service={"key_variable": "TEST_SERVICE_KEY"})
    texts = TextSet(tmp_path, TEXTS)
    embed(spec, workspace, *texts.inputs(workspace))
    assert {headers["Authorization"] for headers in service.headers} == {f"Bearer {KEY}"}
    for file in workspace.home.rglob("*"):
        assert not file.is_file() or KEY.encode() not in file.read_bytes()
    service.spoil = lambda handler, *_: handler.answer(401, {"error": {"message": f"Incorrect key {KEY}"}})
    with pytest.raises(EmbedderError) as refused:
        plan_embedder(spec, workspace, None)
    assert KEY not in str(refused.value) and "[key]" in str(refused.value)
    assert KEY not in "".join(capsys.readouterr())
    monkeypatch.delenv("TEST_SERVICE_KEY")
    with pytest.raises(EmbedderError, match="TEST_SERVICE_KEY.*is not set"):
        plan_embedder(spec, workspace, None)
    monkeypatch.setenv("TEST_SERVICE_KEY", "a\nHost: b")
    with pytest.raises(EmbedderError, match="holds no key") as refused:
        plan_embedder(spec, workspace, None)
    assert "Host" not in str(refused.value)


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"key_variable": KEY}, "never written into a spec"),
        ({"key_variable": "sk_live_1"}, "never written into a spec"),
        ({"url": f"https://user:{KEY}@example.com/v1"}, "without a name, a password"),
        ({"url": f"https://example.com/v1?key={KEY}"}, "without a name, a password"),
        ({"url": "file:///etc/passwd"}, "wanted an address"),
        ({"url": "example.com"}, "wanted an address"),
    ],
)
def test_specs_hold_no_key(tmp_path, section, words):
    """Refused when they are read, without repeating it."""
    with pytest.raises(SpecError, match=words) as refused:
        TextSet(tmp_path, []).spec(kind="service", model="m", service=section)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    ("status", "headers", "wanted"),
    [
        (429, {"Retry_After": "7"}, [7.0]),
        (503, {"Retry_After": formatdate(time.time() + 100_000, usegmt=True)}, [300.0]),
        (500, {}, [pytest.approx(1.0, abs=0.3)]),
        (429, {"Retry_After": "soon"}, [pytest.approx(1.0, abs=0.3)]),
    ],
)
def test_it_waits_as_long_as_it_is_asked_to(tmp_path, workspace, service, waits, status, headers, wanted):
    """And tries again."""
    calls = []

    def busy(handler, *_):
        calls.append(1)
        return handler.answer(status, {"error": "busy"}, **headers) if len(calls) == 2 else False

    service.spoil = busy
    got = make_embedder(spec_of(tmp_path, service), workspace).encode(TEXTS[:1])
    assert np.allclose(got[0], vector_of(TEXTS[0])) and waits == wanted


def test_it_gives_up_after_some_attempts(tmp_path, workspace, service, waits):
    """With what the service said; each wait longer than the one before."""
    spoiled_after_the_canary(service, lambda handler, *_: handler.answer(503, {"error": {"message": "no room"}}))
    embedder = make_embedder(spec_of(tmp_path, service), workspace)
    with pytest.raises(EmbedderError, match="3 attempts.*no room"):
        embedder.encode(TEXTS[:1])
    assert len(waits) == 2 and waits[1] > waits[0]


def drip(handler, *_):
    """Never ends its answer."""
    handler.send_response(200)
    handler.end_headers()
    try:
        for _ in range(200):
            handler.wfile.write(b" ")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass
    return True


def hang_up(handler, *_):
    """Closes the connection without a word."""
    handler.close_connection = True
    return True


@pytest.mark.parametrize("spoil", [drip, hang_up, lambda *_: time.sleep(1.5) or True], ids=["drip", "hang up", "mute"])
def test_a_service_that_never_answers(tmp_path, workspace, service, waits, spoil):
    """Ends in an error within the time allowed."""
    service.spoil = spoil
    started = time.monotonic()
    with pytest.raises(EmbedderError, match="did not answer in 2 attempts"):
        plan_embedder(spec_of(tmp_path, service, service={"timeout_seconds": 0.4, "retries": 1}), workspace, None)
    assert time.monotonic() - started < 8


def change(rows, row, **values):
    rows[row].update(values)
    return False


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda handler, body, rows: rows.pop() and False, "gave 1 vectors for 2 inputs"),
        (lambda handler, body, rows: rows.append(rows[0]), "gave 3 vectors for 2 inputs"),
        (lambda handler, body, rows: change(rows, 0, index=1), "indices"),
        (lambda handler, body, rows: change(rows, 0, index=-1), "indices"),
        (lambda handler, body, rows: change(rows, 0, index="x"), "indices"),
        (lambda handler, body, rows: change(rows, 0, embedding=[1.0] * 5), "5 numbers after ones of 8"),
        (lambda handler, body, rows: change(rows, 0, embedding="AAAA"), "not a vector"),
        (lambda handler, body, rows: change(rows, 0, embedding="%%%"), "not a vector"),
        (lambda handler, body, rows: change(rows, 0, embedding=None), "not a vector"),
        (lambda handler, body, rows: change(rows, 0, embedding=[]), "not a vector"),
        (lambda handler, body, rows: change(rows, 0, embedding=[[1.0] * 8]), "not a vector"),
        (lambda handler, body, rows: change(rows, 0, embedding=["a"] * 8), "not a vector"),
        (lambda handler, *_: handler.answer(200, {"error": {"message": "model is gone"}}), "model is gone"),
        (lambda handler, *_: handler.answer(200, {"data": "x"}), "no list"),
        (lambda handler, *_: handler.answer(200, [1]), "error inside"),
        (lambda handler, *_: handler.answer(200, b"<html>sign in</html>"), "no JSON.*sign in"),
        (lambda handler, *_: handler.answer(200, b"[" * 100_000), "no JSON"),
        (lambda handler, *_: handler.answer(404, {"error": {"message": "no such model"}}), "no such model"),
        (lambda handler, *_: handler.answer(302, {}, Location="http://example.com/"), "status 302"),
    ],
)
def test_answers_that_are_none_are_refused(tmp_path, workspace, service, waits, spoil, words):
    """Each with what it was; none is tried again, none believed."""
    spoiled_after_the_canary(service, spoil)
    embedder = make_embedder(spec_of(tmp_path, service), workspace)
    with pytest.raises(EmbedderError, match=words):
        embedder.encode(TEXTS[:2])
    assert not waits


def answer_400_to(texts):
    """A spoiler that refuses a request with one of these texts in it."""

    def spoil(handler, body, _):
        is_bad = any(text in texts for text in body["input"])
        return is_bad and handler.answer(400, {"error": {"message": "maximum context length is 512 tokens"}})

    return spoil


@pytest.mark.parametrize("bad", [[3], [0, 9], [1, 2, 3]])
def test_an_input_that_is_refused_costs_itself_alone(tmp_path, workspace, service, waits, bad):
    """Status 400 for a batch: it is sent in halves; the reject says what the service said, and what to do."""
    service.spoil = answer_400_to([TEXTS[row] for row in bad])
    texts = TextSet(tmp_path, TEXTS)
    output = embed(spec_of(tmp_path, service), workspace, *texts.inputs(workspace))
    rejects = output.read("rejects").sort("sample_id")
    assert rejects["sample_id"].to_list() == [f"s{row:05d}" for row in bad]
    assert set(rejects["reason"]) == {"service_refused"} and "512 tokens" in rejects["detail"][0]
    assert "lower embed.service.max_characters" in rejects["detail"][0]
    matrix, found = read_vectors(output, pl.Series([hash_text(text) for text in TEXTS]))
    wanted = np.array([vector_of(text) for text in TEXTS])
    assert np.flatnonzero(~found).tolist() == bad and not waits
    assert np.allclose(matrix[found], (wanted / np.linalg.norm(wanted, axis=1, keepdims=True))[found], atol=1e-5)
    with pytest.raises(UnreadableSample, match="512 tokens"):
        make_embedder(spec_of(tmp_path, service), workspace).encode(TEXTS)


def test_batches_that_are_too_large_are_sent_smaller(tmp_path, workspace, service):
    """No input is lost, and no batch is refused twice."""
    service.spoil = lambda handler, body, _: len(body["input"]) > 4 and handler.answer(422, {"error": "batch > 4"})
    texts = TextSet(tmp_path, [f"{text} again {row}" for row in range(4) for text in TEXTS])
    output = embed(spec_of(tmp_path, service, batch_size=16), workspace, *texts.inputs(workspace))
    assert len(output.read("vectors")) == 40 and output.read("rejects").is_empty()
    embedder = make_embedder(spec_of(tmp_path, service, batch_size=16), workspace)
    embedder.encode(TEXTS)
    service.asked.clear()
    embedder.encode(TEXTS)
    assert [len(body["input"]) for body in service.asked] == [3, 3, 3, 1]


def test_where_most_inputs_are_refused_the_night_ends(tmp_path, workspace, service):
    """It is then the service or the spec that is wrong, not the texts; the canary's refusal ends it at once."""
    many = [f"{text} again {row}" for row in range(4) for text in TEXTS]
    service.spoil = answer_400_to(many)
    with pytest.raises(EmbedderError, match="20 of 20 inputs were refused.*lower embed.service.max_characters"):
        embed(spec_of(tmp_path, service), workspace, *TextSet(tmp_path, many).inputs(workspace))
    service.spoil = lambda handler, *_: handler.answer(400, {"error": {"message": "no such model"}})
    with pytest.raises(EmbedderError, match="no such model"):
        plan_embedder(spec_of(tmp_path, service), workspace, None)


def test_a_vector_with_nan_costs_its_text_alone(tmp_path, workspace, service):
    """It is a reject that says so; of the canary it is a refusal."""

    def spoil(handler, body, rows):
        for row, text in zip(rows, body["input"], strict=True):
            if text == TEXTS[3]:
                row["embedding"] = [float("nan")] * 8
        return False

    service.spoil = spoil
    texts = TextSet(tmp_path, TEXTS)
    output = embed(spec_of(tmp_path, service), workspace, *texts.inputs(workspace))
    assert output.read("rejects")["reason"].to_list() == ["vector_not_finite"]
    service.spoil = lambda handler, body, rows: [row.update(embedding=[float("nan")] * 8) for row in rows] and False
    with pytest.raises(EmbedderError, match="NaN"):
        plan_embedder(spec_of(tmp_path, service), workspace, None)


def test_long_texts_are_cut_and_it_is_said(tmp_path, workspace, service):
    """At the limit of the spec; or read whole in windows. Blank ones are not sent."""
    texts = TextSet(tmp_path, ["a b " * 100, "short", " \n"])
    output = embed(spec_of(tmp_path, service, service={"max_characters": 50}), workspace, *texts.inputs(workspace))
    assert max(len(text) for body in service.asked for text in body["input"]) == 50
    health = {row["check"]: row for row in output.read("embedding_health").to_dicts()}
    assert "1 of 3 texts are longer than the 50 characters" in health["texts_cut"]["note"]
    assert output.read("rejects")["reason"].to_list() == ["no_text"]
    windowed = spec_of(tmp_path, service, service={"max_characters": 50}, long_texts="windows")
    got = make_embedder(windowed, workspace).encode(texts.texts[:1])
    assert np.isfinite(got).all() and not np.allclose(got[0], vector_of(texts.texts[0][:50]))


def night(tmp_path, workspace, service, texts):
    """The stage's output of one night."""
    return embed(spec_of(tmp_path, service), workspace, *TextSet(tmp_path, texts).inputs(workspace))


def canary(output) -> dict:
    """Its row of `embedding_health`."""
    rows = output.read("embedding_health").filter(pl.col("check") == "service_canary")
    return rows.to_dicts()[0]


def test_a_model_that_was_changed_in_silence_is_noticed(tmp_path, workspace, service, capsys):
    """Everything is embedded anew, which the night says; unchanged, only what is new is sent."""
    first = night(tmp_path, workspace, service, TEXTS)
    assert canary(first)["ok"] and canary(first)["value"] == 1.0
    service.asked.clear()
    second = night(tmp_path, workspace, service, [*TEXTS, "a new one"])
    assert sorted(len(body["input"]) for body in service.asked) == [1, 4] and canary(second)["ok"]
    service.model = "two"
    plan_embedder(
        spec_of(tmp_path, service), workspace, None
    )  # an explorer, or a night that is killed, takes no notice
    third = night(tmp_path, workspace, service, TEXTS)
    assert not canary(third)["ok"] and "changed" in canary(third)["note"]
    assert "was changed" in capsys.readouterr().err
    matrix, found = read_vectors(third, pl.Series([hash_text(text) for text in TEXTS]))
    assert found.all()
    wanted = np.array([vector_of(text, "two") for text in TEXTS])
    assert np.allclose(matrix, wanted / np.linalg.norm(wanted, axis=1, keepdims=True), atol=1e-5)
    assert canary(night(tmp_path, workspace, service, TEXTS))["ok"]
    service.model = "one"
    service.asked.clear()
    back = night(tmp_path, workspace, service, TEXTS)
    assert not canary(back)["ok"] and len(service.asked) == 1  # its vectors are still known


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"noise", b"PK\x03\x04"])
def test_a_damaged_canary_is_named(tmp_path, workspace, service, content):
    """With what to do: without it nobody knows whether the model is the same."""
    plan_embedder(spec_of(tmp_path, service), workspace, None)
    (file,) = (workspace.facts / "embedders").glob("canary-*.npy")
    file.write_bytes(content)
    with pytest.raises(EmbedderError, match=f"{file.name} is damaged.*remove it, and run again"):
        plan_embedder(spec_of(tmp_path, service), workspace, None)


@pytest.mark.parametrize("form", ["messages", "input"])
def test_images_are_sent_as_data_uris(tmp_path, workspace, service, form):
    """Small JPEGs, in either form."""
    pictures = ImageSet(tmp_path / "p", {"a.png": encoded(photo(1, (900, 600))), "b.png": encoded(photo(2))})
    spec = pictures.spec(kind="service", model="m", service={"url": service.url, "images": form})
    output = embed(spec, workspace, *pictures.inputs(workspace))
    assert len(output.read("vectors")) == 2
    assert all(("messages" in body) is (form == "messages") for body in service.asked)
    assert "data:image/jpeg;base64," in json.dumps(service.asked)


def test_plain_http_is_for_this_machine(tmp_path, workspace, service):
    """Unless the spec allows it."""
    for url in ("http://example.com/v1", "http://127.0.0.1.example.com/v1", "http://10.0.0.1/v1"):
        with pytest.raises(EmbedderError, match="plain HTTP to another machine"):
            plan_embedder(spec_of(tmp_path, service, service={"url": url}), workspace, None)
    assert [is_this_machine(host) for host in ("localhost", "127.0.0.9", "::1", "0.0.0.0", "example.com", "")] == [
        True, True, True, False, False, False,
    ]  # fmt: skip
    with pytest.raises(EmbedderError, match="needs embed.service.url"):
        plan_embedder(TextSet(tmp_path, []).spec(kind="service"), workspace, None)


@pytest.mark.parametrize("url", ["https://host:abc/v1", "https://host/v1\n", f"https://{'a' * 300}/v1"])
def test_an_address_that_cannot_be_asked_is_told(tmp_path, workspace, service, waits, url):
    """At once, with what one looks like."""
    with pytest.raises(EmbedderError, match="no address that can be asked.*https://api.example.com/v1"):
        plan_embedder(spec_of(tmp_path, service, service={"url": url}), workspace, None)
    assert not waits


def test_retry_after_is_a_number_or_a_date():
    """Anything else is not believed."""
    assert retry_after("2.5") == 2.5 and retry_after("-3") == 0.0
    assert retry_after("") is None and retry_after("later") is None and retry_after("nan") is None
    assert retry_after(formatdate(time.time() + 60, usegmt=True)) == pytest.approx(60, abs=5)

"""The client: what it tries again, what it takes for its own, and what it says of what it is refused."""

import hashlib
import itertools

import pytest

from assay.contracts.errors import SpecError, StoreError
from assay.remote import connect, objects
from assay.remote.address import NOTE, address_of, local_home, parse
from assay.remote.home import store_of
from assay.remote.objects import Objects
from assay.remote.words import MissingError
from tests.remote.conftest import SECRET


@pytest.fixture
def store(url):
    return Objects(parse(url))


def only(method: str, answers: list[str], part: str = ""):
    """A rule: the first requests of a method get these answers, all others pass."""
    left = list(answers)
    return lambda asked, path: left.pop(0) if asked == method and part in path and left else ""


def test_what_is_put_is_there(store):
    """Bytes come back; a listing tells their sizes; what is deleted is gone."""
    store.put("toy/objects/a", b"one")
    store.put("toy/objects/b", b"three")
    assert store.get("toy/objects/a") == b"one"
    assert [(one.key, one.size) for one in store.below("toy/objects")] == [("toy/objects/a", 3), ("toy/objects/b", 5)]
    assert store.folders() == ["toy"]
    store.delete(["toy/objects/a"])
    with pytest.raises(MissingError, match="no such object"):
        store.get("toy/objects/a")


def test_the_first_to_create_is_the_only_one(store):
    """What another wrote stays."""
    assert store.create("key", b"mine")
    assert not store.create("key", b"yours")
    assert store.get("key") == b"mine"


@pytest.mark.parametrize("answers", [["500"], ["503 SlowDown"], ["lost"], ["500"] * 4, ["lost", "500", "lost"]])
def test_faults_and_lost_answers_of_a_create(store, proxy, answers):
    """A store's fault is tried again; our own object, written although the answer said otherwise, is not another's."""
    proxy.rule = only("PUT", answers)
    assert store.create("key", b"mine")
    assert store.get("key") == b"mine"


def test_a_lost_answer_does_not_win_a_race(store, proxy):
    """Another's object is another's, whatever faults came before."""
    store.create("key", b"yours")
    proxy.rule = only("PUT", ["500", "lost"])
    assert not store.create("key", b"mine")


def test_a_slow_answer_is_asked_for_again(url, proxy, monkeypatch):
    """A request that hangs ends by itself."""
    monkeypatch.setattr(connect, "TIMEOUT_SECONDS", 0.5)
    store = Objects(parse(url))
    proxy.rule = only("PUT", ["slow 3"])
    assert store.create("key", b"mine")
    proxy.rule = only("GET", ["slow 3"])
    assert store.get("key") == b"mine"


def test_a_large_object_comes_in_pieces_and_is_checked(store, tmp_path, monkeypatch):
    """Each piece is a request; bytes that differ from their digest are refused."""
    monkeypatch.setattr(objects, "PIECE_BYTES", 1000)
    data = bytes(range(256)) * 40
    store.put("key", data)
    store.fetch("key", len(data), hashlib.sha256(data).hexdigest(), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == data
    with pytest.raises(StoreError, match="is not what was written there"):
        store.fetch("key", len(data), hashlib.sha256(b"other").hexdigest(), tmp_path / "file")


def test_a_file_of_many_parts(store, tmp_path):
    """Above some megabytes it is sent in parts."""
    data = bytes(12_000_000)
    (tmp_path / "file").write_bytes(data)
    store.put("key", tmp_path / "file")
    store.fetch("key", len(data), hashlib.sha256(data).hexdigest(), tmp_path / "back")
    assert (tmp_path / "back").read_bytes() == data


def test_a_store_that_ignores_conditions_is_refused(store, proxy):
    """It is found out before anything is published on it."""
    store.probe()
    proxy.rule = lambda method, path: "unconditional"
    with pytest.raises(StoreError, match="ignores `If-None-Match: \\*`"):
        store.probe()


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("403 AccessDenied", "may not do that"),
        ("403 InvalidAccessKeyId", "does not know this access key"),
        ("403 SignatureDoesNotMatch", "secret key does not fit"),
        ("403 RequestTimeTooSkewed", "set the clock"),
        ("500 QuotaExceeded", "the store is full"),
        ("500", "also when asked again"),
    ],
)
def test_refusals_are_in_words(store, proxy, answer, words):
    """What was found and what to do, and no part of a credential."""
    proxy.rule = lambda method, path: answer if method == "PUT" else ""
    with pytest.raises(StoreError, match=words) as refused:
        store.probe()
    assert SECRET not in str(refused.value)
    assert "AKIATEST" not in str(refused.value)
    assert "\n" not in str(refused.value)


def test_refusals_are_not_asked_again(store, proxy):
    """A refusal stays one; asking again would only take time."""
    proxy.rule = lambda method, path: "403 AccessDenied"
    with pytest.raises(StoreError):
        store.get("key")
    assert len(proxy.seen) == 1


def test_there_is_no_bucket(proxy):
    """Not taken for an empty one."""
    for verb in (lambda store: store.below("toy"), lambda store: store.probe(), lambda store: store.get("key")):
        with pytest.raises(StoreError, match="there is no bucket 'nowhere'"):
            verb(Objects(parse("s3://nowhere/x")))


def test_nobody_answers(proxy, monkeypatch):
    """A wrong endpoint is named as such."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StoreError, match="see AWS_ENDPOINT_URL"):
        Objects(parse("s3://bucket/x")).get("key")


def test_there_are_no_credentials(proxy, monkeypatch, tmp_path):
    """Neither in the environment nor in a profile, nor a role."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(StoreError, match="no credentials for s3://bucket/x were found; set AWS_ACCESS_KEY_ID"):
        Objects(parse("s3://bucket/x"))


def test_a_profile_is_part_of_the_usual_chain(url, proxy, monkeypatch, tmp_path):
    """Its keys sign the requests."""
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "nightly")
    (tmp_path / "credentials").write_text("[nightly]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = x\n")
    signed = []
    handle = proxy.handle
    monkeypatch.setattr(proxy, "handle", lambda asked: (signed.append(asked.headers["authorization"]), handle(asked)))
    Objects(parse(url)).put("key", b"bytes")
    assert "Credential=AKIAPROFILE/" in signed[0]


def test_without_the_extra_it_says_how_to_get_it(monkeypatch):
    """One line, and the command."""
    import sys

    monkeypatch.setitem(sys.modules, "obstore.store", None)
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(StoreError, match="pip install 'assay\\[s3\\]'"):
        Objects(parse("s3://bucket/x"))


@pytest.mark.parametrize("wrong", ["s3://", "s3:///x", "s3://Bucket/x", "s3://key:secret@bucket/x", "s3://bucket/../x"])
def test_what_is_no_address_is_refused(wrong):
    """And a secret in it is not repeated."""
    with pytest.raises(SpecError, match="wanted s3://bucket/prefix") as refused:
        local_home(wrong)
    assert "secret" not in str(refused.value)


def test_other_stores_are_refused():
    """They would otherwise become folders of such names."""
    with pytest.raises(SpecError, match="gs:// was given"):
        local_home("gs://bucket/x")


def test_a_cache_belongs_to_one_endpoint(url, proxy, monkeypatch):
    """The same bucket's name elsewhere is another home, and gets another cache."""
    here = local_home(url)
    assert str(address_of(here)) == url
    assert local_home(url + "/") == here
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://elsewhere:9000")
    assert local_home(url) != here
    with pytest.raises(SpecError, match="at another endpoint"):
        address_of(here)
    assert "127.0.0.1" not in (here / NOTE).read_text()


def test_a_client_belongs_to_one_endpoint(url, proxy, monkeypatch):
    """A program that turns to another store under the same address never asks the first one."""
    first = store_of(local_home(url))
    assert store_of(local_home(url)) is first
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    assert store_of(local_home(url)) is not first


def test_counts_are_per_request(store, proxy):
    """The proxy sees what is sent: the tests of costs rest on it."""
    for number in itertools.islice(itertools.count(), 3):
        store.put(f"toy/objects/{number}", b"x")
    assert proxy.puts() == 3

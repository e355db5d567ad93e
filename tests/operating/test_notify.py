"""What an operator is told: by a real server on this machine; a message that does not arrive fails nothing."""

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import polars as pl
import pytest
from click.testing import CliRunner

from assay.cli import main
from assay.contracts.errors import BusyError, QueuedError, SpecError
from assay.contracts.operations import Notify
from assay.night import run_night
from assay.operating import notify as sending
from assay.operating.news import News, of_failure, of_snapshot
from assay.operating.notify import tell
from assay.operating.watch import watched
from assay.store.workspace import Workspace
from tests.snapshot_builder import publish_toy, toy_spec

NEWS = News("pets", (("failed", "nothing was published: the source shrank"),))


class Hook(BaseHTTPRequestHandler):
    """Keeps what it was sent; answers with the statuses it is to, one after the other, then with 200."""

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append((self.path, dict(self.headers), json.loads(body)))
        status = self.server.statuses.pop(0) if self.server.statuses else 200
        self.send_response(status)
        if status == 302:
            self.send_header("Location", "/elsewhere")
        answer = {403: b"the key s3cret is not known", 404: b"Cannot POST " + self.path.encode()}.get(status, b"")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Says nothing."""


@pytest.fixture
def hook(monkeypatch):
    """A webhook on this machine."""
    monkeypatch.setattr(sending, "PAUSE_SECONDS", 0.0)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.got, server.statuses = [], []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    server.url = f"http://127.0.0.1:{server.server_port}/hook"
    yield server
    server.shutdown()


class Post(socketserver.StreamRequestHandler):
    """As much of a mail server as one message needs."""

    def handle(self):
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line.split()[0].upper() if line.split() else b""
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = []
                while (line := self.rfile.readline()) not in (b".\r\n", b""):
                    lines.append(line)
                self.server.got.append(b"".join(lines).decode())
            elif word == b"RCPT" and b"nobody" in line:
                self.wfile.write(b"550 no such person\r\n")
                continue
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
            if word == b"QUIT":
                return


@pytest.fixture
def post():
    """A mail server on this machine."""
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Post)
    server.got = []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def mailing(server, to="ops@example.com", **more) -> Notify:
    """Mail to that server."""
    return Notify(
        mail_to=(to,), mail_from="assay@example.com", mail_server="127.0.0.1", mail_port=server.server_address[1],
        mail_security="none", **more,
    )  # fmt: skip


def test_a_webhook_gets_json_and_the_key(hook, monkeypatch):
    """All there is to say, or with `form = "text"` a text alone; the key comes from the environment."""
    monkeypatch.setenv("HOOK_KEY", "s3cret")
    assert tell(Notify(webhook=hook.url, key_variable="HOOK_KEY"), NEWS) == []
    path, headers, body = hook.got[0]
    assert path == "/hook" and headers["Authorization"] == "Bearer s3cret"
    assert body["events"] == ["failed"] and "the source shrank" in body["text"] and body["dataset"] == "pets"
    monkeypatch.setenv("HOOK_ADDRESS", hook.url)
    assert tell(Notify(webhook_variable="HOOK_ADDRESS", form="text"), NEWS) == []
    assert list(hook.got[1][2]) == ["text"]


def test_mail_arrives(post):
    """With what it is about in the subject, on one line whatever a dataset or an error says."""
    news = News("pets", (("failed", "first line\nBcc: eve@example.com"),))
    assert tell(mailing(post), news) == []
    assert "Subject: assay: pets: the night failed" in post.got[0] and "To: ops@example.com" in post.got[0]
    head, _, text = post.got[0].partition("\r\n\r\n")
    assert "Bcc" not in head and "first line" in text


def test_only_what_is_asked_for_is_told(hook):
    """Nothing is sent where nothing of it happened, or nobody is named."""
    assert tell(Notify(webhook=hook.url, on=("gate",)), NEWS) == [] and tell(Notify(), NEWS) == []
    assert hook.got == []


def test_what_is_not_taken_is_said_without_the_secret(hook, capsys, monkeypatch):
    """A refusal is not tried again, and names no key; nor is a redirect followed."""
    monkeypatch.setenv("HOOK_KEY", "s3cret")
    hook.statuses = [403, 302]
    failures = tell(Notify(webhook=hook.url, key_variable="HOOK_KEY"), NEWS)
    assert failures == ["webhook: status 403: the key [secret] is not known"] and len(hook.got) == 1
    assert "not told of `pets` by webhook: status 403" in capsys.readouterr().err
    assert tell(Notify(webhook=hook.url), NEWS) == ["webhook: status 302: nothing more"]
    assert [path for path, _, _ in hook.got] == ["/hook", "/hook"]


def test_an_address_that_is_a_secret_is_not_repeated(hook, capsys, monkeypatch):
    """Many hooks carry their key in the path, and many servers answer with the path that they do not know."""
    monkeypatch.setenv("HOOK_ADDRESS", hook.url + "/T0/s3cret?token=t0ken")
    hook.statuses = [404]
    (said,) = tell(Notify(webhook_variable="HOOK_ADDRESS"), NEWS)
    assert said == "webhook: status 404: Cannot POST [secret]" and "s3cret" not in capsys.readouterr().err
    hook.statuses = [404]
    (said,) = tell(Notify(webhook=hook.url), NEWS)
    assert said == "webhook: status 404: Cannot POST /hook"


def test_a_name_that_is_no_unicode_stops_no_message(hook, post):
    """A night that fails for a file of any name is told, by both ways."""
    news = of_failure(toy_spec(), OSError("no such file: caf\udce9.csv"))
    assert tell(Notify(webhook=hook.url), news) == [] and tell(mailing(post), news) == []
    assert r"caf\udce9.csv" in hook.got[0][2]["text"] and r"caf\udce9.csv" in post.got[0]
    assert of_failure(toy_spec(), MemoryError()).lines == (("failed", "nothing was published: MemoryError"),)


def test_a_server_that_is_down_for_a_moment_is_asked_again(hook):
    """Once more; where it stays down, that is said."""
    hook.statuses = [503]
    assert tell(Notify(webhook=hook.url), NEWS) == [] and len(hook.got) == 2
    hook.statuses = [503, 500]
    assert "in 2 attempts" in tell(Notify(webhook=hook.url), NEWS)[0]


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"webhook": "http://127.0.0.1:9/x"}, "ConnectError"),
        ({"webhook_variable": "NOT_SET_ANYWHERE"}, "NOT_SET_ANYWHERE is not set"),
        ({"mail_to": ("a@b.cd",), "mail_from": "a@b.cd", "mail_server": "127.0.0.1", "mail_port": 9}, "refused"),
    ],
)
def test_what_cannot_be_reached_is_said(section, words, monkeypatch):
    """No exception, whatever it is."""
    monkeypatch.setattr(sending, "PAUSE_SECONDS", 0.0)
    failures = tell(Notify(timeout_seconds=2, **section), NEWS)
    assert len(failures) == 1 and words in failures[0]


def test_a_webhook_from_the_environment_is_https_too(monkeypatch):
    """An address that nobody has checked before."""
    monkeypatch.setenv("HOOK_ADDRESS", "http://example.com/hook")
    assert "not an https address" in tell(Notify(webhook_variable="HOOK_ADDRESS"), NEWS)[0]


def test_a_refused_recipient_is_said(post):
    """The server's own words."""
    assert "no such person" in tell(mailing(post, "nobody@example.com"), NEWS)[0]


def test_both_ways_are_tried(hook, post):
    """One that fails does not keep the other from telling."""
    hook.statuses = [400]
    both = mailing(post, webhook=hook.url)
    assert len(tell(both, NEWS)) == 1 and len(post.got) == 1 and len(hook.got) == 1


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"webhook": "http://example.com/x"}, "plain http"),
        ({"webhook": "https://user:word@example.com/x"}, "without a name"),
        ({"webhook": "https://a.example/", "webhook_variable": "A"}, "not both"),
        ({"key_variable": "s3cret"}, "never written into a spec"),
        ({"mail_to": ["a@b.cd"]}, "needs mail_server"),
        ({"mail_to": ["a@b.cd, c@d.ef"], "mail_server": "m", "mail_from": "a@b.cd"}, "not a mail address"),
        (
            {"mail_to": ["a@b.cd"], "mail_from": "a@b.cd", "mail_server": "m.example", "mail_security": "none"},
            "this machine only",
        ),
        ({"on": ["sunrise"]}, "sunrise"),
    ],
)
def test_what_is_not_safe_is_refused_in_the_spec(section, words):
    """Before any night."""
    with pytest.raises(SpecError, match=words):
        toy_spec(notify=section)


def test_a_night_says_what_became_of_it(tmp_path):
    """A broken gate before a warning, fewer samples, drift, short space; and what was published."""
    workspace = Workspace(tmp_path, "toy")
    gates = {"n_samples": {"min": 5}, "n_outliers": {"min": 1, "level": "warn"}}
    snapshot = publish_toy(workspace, ["a"], gates=gates)
    news = of_snapshot(toy_spec(), snapshot, before=4, space="1 GB is free")
    assert [event for event, _ in news.lines] == ["gate", "shrink", "space", "warn", "published"]
    assert "n_samples is 1, wanted at least 5" in news.text and "1 samples, 4 before" in news.text
    assert str(snapshot.path) in news.text and len(news.described()["gates"]) == 2
    assert [event for event, _ in of_snapshot(toy_spec(notify={"shrink": 0.8}), snapshot, 4, "").lines] == [
        "gate", "warn", "published",
    ]  # fmt: skip


def test_drift_is_told(tmp_path):
    """A check of the vectors that does not hold, with its numbers."""
    from assay.publishing.stage import publish
    from tests.snapshot_builder import samples, stage_output

    row = {"check": "drift_domain_auc", "value": 0.93, "wanted": "<= 0.6", "ok": False, "note": "a note"}
    workspace = Workspace(tmp_path, "toy")
    outputs = [
        stage_output(workspace, "clean", {"samples": samples(["a"])}),
        stage_output(workspace, "drift", {"embedding_health": pl.DataFrame([row])}),
    ]
    news = of_snapshot(toy_spec(), publish(toy_spec(), workspace, *outputs), None, "")
    assert ("drift", "drift_domain_auc is 0.93, wanted <= 0.6: a note") in news.lines


def test_a_night_that_fails_is_told(tmp_path, hook):
    """With why; the error itself goes on as it was."""
    workspace = Workspace(tmp_path, "toy")
    spec = toy_spec(notify={"webhook": hook.url})
    with pytest.raises(Exception, match=r"toy\.csv"):
        run_night(spec, workspace)
    assert hook.got[0][2]["events"] == ["failed"] and "toy.csv" in hook.got[0][2]["text"]


def test_a_night_in_the_queue_is_nothing_to_tell(tmp_path, hook):
    """Another one does its work; one that could not start because somebody else had the dataset is told."""
    spec, workspace = toy_spec(notify={"webhook": hook.url}), Workspace(tmp_path, "toy")
    with pytest.raises(QueuedError), watched(spec, workspace):
        raise QueuedError("a night waits already")
    assert hook.got == []
    with pytest.raises(BusyError), watched(spec, workspace):
        raise BusyError("in use")
    assert len(hook.got) == 1


def test_it_can_be_tried(tmp_path, hook):
    """`assay notify SPEC`: sent, or why not."""
    toml = 'name = "toy"\nmodality = "text"\n[source]\nkind = "table"\npath = "toy.csv"\n'
    (tmp_path / "toy.toml").write_text(f'{toml}[notify]\nwebhook = "{hook.url}"\n')
    (tmp_path / "bare.toml").write_text(toml)
    sent = CliRunner().invoke(main, ["notify", str(tmp_path / "toy.toml")])
    assert sent.exit_code == 0 and "sent by webhook" in sent.stdout and "trial" in hook.got[0][2]["text"]
    hook.statuses = [404]
    refused = CliRunner().invoke(main, ["notify", str(tmp_path / "toy.toml")])
    assert refused.exit_code == 1 and "status 404" in refused.stderr
    assert "tells nobody" in CliRunner().invoke(main, ["notify", str(tmp_path / "bare.toml")]).stderr

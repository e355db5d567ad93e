"""The parts of a spec that are about nights as an operator sees them: what he is told, and what is kept."""

import re
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from assay.contracts.section import Section, is_this_machine, plain_url, variable_name

Event = Literal["failed", "gate", "warn", "drift", "shrink", "space", "published"]
HEAD = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}")
ADDRESS = re.compile(r"[^@\s,;<>\"]{1,64}@[^@\s,;<>\"]{1,255}")


class Notify(Section):
    """Whom a night tells what, by a webhook or by mail, or both, without Prefect.

    `on` says of what: the night `failed`; a `gate` is broken, or only warns (`warn`); the vectors `drift` from the last
    snapshot's; the samples `shrink` by more than that share; free `space` is short; a snapshot was `published`. One
    message a night says all of it. A message that cannot be sent fails no night, and is said on standard error.
    Secrets are named by environment variables and stand in no file. Other machines are reached by https and by mail
    with TLS alone.
    """

    on: tuple[Event, ...] = ("failed", "gate", "drift", "shrink", "space")
    webhook: str = ""  # an address that gets a POST with JSON
    webhook_variable: str = ""  # or the variable that holds it, where the address itself is the secret
    key_variable: str = ""  # the variable that holds a key, which the webhook gets as a bearer token
    form: Literal["full", "text"] = "full"  # text: `{"text": …}` alone, as chat services take it
    mail_to: tuple[str, ...] = ()
    mail_from: str = ""
    mail_server: str = ""
    mail_port: int = Field(default=587, ge=1, le=65535)
    mail_security: Literal["starttls", "tls", "none"] = "starttls"  # none: to this machine alone
    mail_user: str = ""
    mail_password_variable: str = ""
    timeout_seconds: float = Field(default=10.0, gt=0, le=300)  # of one attempt; there are two
    shrink: float = Field(default=0.1, ge=0.0, le=1.0)  # share of the samples

    @field_validator("webhook_variable", "key_variable", "mail_password_variable")
    @classmethod
    def variables_are_names(cls, name: str) -> str:
        return variable_name(name, "secret")

    @field_validator("webhook")
    @classmethod
    def webhook_is_safe(cls, url: str) -> str:
        parts = urlsplit(plain_url(url))
        if parts.scheme == "http" and not is_this_machine(parts.hostname or ""):
            raise ValueError("plain http is allowed to this machine only; use https")
        return url

    @field_validator("mail_to", "mail_from")
    @classmethod
    def addresses_are_addresses(cls, given: tuple[str, ...] | str) -> tuple[str, ...] | str:
        for address in (given,) if isinstance(given, str) else given:
            if address and not ADDRESS.fullmatch(address):
                raise ValueError(f"{address!r:.80} is not a mail address; wanted something like ops@example.com")
        return given

    @model_validator(mode="after")
    def mail_is_whole(self) -> Self:
        if self.mail_to and not (self.mail_server and self.mail_from):
            raise ValueError("mail_to needs mail_server and mail_from")
        if self.mail_to and self.mail_security == "none" and not is_this_machine(self.mail_server):
            raise ValueError('mail_security = "none" is allowed to this machine only; use starttls or tls')
        if self.webhook and self.webhook_variable:
            raise ValueError("name the webhook, or the variable that holds it, not both")
        return self

    @property
    def anybody(self) -> bool:
        """Whether there is somebody to tell."""
        return bool(self.webhook or self.webhook_variable or self.mail_to)


class Run(Section):
    """What the queries of a night may use of the machine, and where its partitions are worked on.

    What is not said of queries follows the machine: its cores and an eighth of its memory, or of what a container's
    limits leave. What does not fit is spilled to the home. With `engine = "ray"` contents are measured and embedded,
    neighbours searched and pairs of pictures compared on a Ray cluster (`pip install 'assay[ray]'`), see
    [scale](scale.md). No result depends on any of it.
    """

    threads: int = Field(default=0, ge=0, le=1024)  # of a query whose order does not count; 0: the cores there are
    memory_gb: float = Field(default=0.0, ge=0)  # of a query; 0: an eighth of the memory there is
    engine: Literal["local", "ray"] = "local"
    address: str = "auto"  # of the cluster: HOST:PORT of its head, or auto: the one that this machine is part of
    partition: int = Field(default=0, ge=0)  # contents sent at a time, in whole chunks; 0: what takes a minute
    cpus: int = Field(default=1, ge=1, le=1024)  # cores of a partition
    gpus: float = Field(default=0.0, ge=0, le=64)  # GPUs of a partition that is embedded, such as 1 or 0.5
    wait_seconds: float = Field(default=300.0, gt=0)  # for a cluster that has no machine for a partition

    @field_validator("address")
    @classmethod
    def address_is_of_a_head(cls, address: str) -> str:
        if address != "auto" and not HEAD.fullmatch(address):
            raise ValueError(
                f"{address!r:.80} is not an address of a Ray cluster; use auto or HOST:PORT of its head, such as "
                "10.0.0.1:6379, and start the night on a machine of the cluster (`ray job submit` does)"
            )
        return address


class Retention(Section):
    """Which snapshots stay: the newest `keep`, and all that are younger than `days`. Without either, all do.

    The others go after each publication, with the work and facts that only they needed; the newest stays always.
    """

    keep: int | None = Field(default=None, ge=1)
    days: float | None = Field(default=None, gt=0)
    grace_hours: float = Field(default=24.0, ge=0)  # unpublished work younger than this stays
    cron: str = ""  # when `assay serve` collects besides, as where nights fail; in the schedule's time zone

    @property
    def is_limited(self) -> bool:
        """Whether any snapshot ever goes."""
        return self.keep is not None or self.days is not None

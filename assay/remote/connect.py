"""A connection to a bucket: where it is, who we are, how long we wait. Credentials come from the usual chain.

That is `AWS_ACCESS_KEY_ID` and its fellows in the environment, else whatever botocore finds: a profile, a web identity,
the role of the machine. They are handed to the client and kept nowhere.
"""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from assay.contracts.errors import StoreError
from assay.remote.address import Address, endpoint

if TYPE_CHECKING:
    from obstore.store import S3Store

TIMEOUT_SECONDS = 60.0  # of one request with its answer, of at most `objects.PIECE_BYTES`
CONNECT_SECONDS = 5.0
RETRIES = 2  # by the client itself, at once; `objects.py` tries again after a while
CREDENTIAL_MINUTES = 15


def connect(address: Address) -> "S3Store":
    """A client for the keys of one home.

    Raises:
        StoreError: the extra is not installed, or there are no credentials.
    """
    try:
        from obstore.store import S3Store
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "obstore":
            raise
        raise StoreError(f"a home on S3 ({address}) needs obstore: pip install 'assay[s3]'") from None
    given: dict[str, Any] = {"region": os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")}
    if not os.environ.get("AWS_ACCESS_KEY_ID"):
        given["credential_provider"], region = _provider(address)
        given["region"] = given["region"] or region
    if place := endpoint():
        given["endpoint"] = place
    return S3Store(
        address.bucket,
        prefix=address.prefix or None,
        client_options={
            "allow_http": place.startswith("http://"),
            "timeout": timedelta(seconds=TIMEOUT_SECONDS),
            "connect_timeout": timedelta(seconds=CONNECT_SECONDS),
        },
        retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=30)},
        **{name: value for name, value in given.items() if value},
    )


def _provider(address: Address) -> tuple[Callable[[], dict[str, Any]], str | None]:
    """What gives fresh credentials whenever it is called, and the region of the profile."""
    advice = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or run where a role is given"
    try:
        from botocore.exceptions import BotoCoreError
        from botocore.session import Session
    except ModuleNotFoundError as error:
        raise StoreError(
            f"AWS_ACCESS_KEY_ID is not set, and profiles and roles need {error.name}: "
            f"pip install 'assay[s3]'; or {advice}"
        ) from None
    try:
        session = Session()
        found = session.get_credentials()
        region = session.get_config_variable("region")
    except BotoCoreError as error:
        raise StoreError(f"no credentials for {address}: {error}; {advice}") from None
    if found is None:
        raise StoreError(f"no credentials for {address} were found; {advice}")

    def fresh() -> dict[str, Any]:
        frozen = found.get_frozen_credentials()
        return {
            "access_key_id": frozen.access_key,
            "secret_access_key": frozen.secret_key,
            "token": frozen.token,
            "expires_at": datetime.now(UTC) + timedelta(minutes=CREDENTIAL_MINUTES),
        }

    return fresh, region

"""What a store refuses, or fails at, in our words."""

import re

from assay.contracts.errors import StoreError
from assay.remote.address import Address

WORDS = {
    "NoSuchBucket": "there is no bucket {bucket!r}; make it, or name another with --home",
    "InvalidBucketName": "{bucket!r} is no bucket's name; name another with --home",
    "AccessDenied": "these credentials may not do that (AccessDenied); a night needs s3:GetObject, PutObject and "
    "ListBucket, `assay gc` DeleteObject too",
    "InvalidAccessKeyId": "the store does not know this access key; see AWS_ACCESS_KEY_ID or AWS_PROFILE",
    "SignatureDoesNotMatch": "the secret key does not fit the access key; see AWS_SECRET_ACCESS_KEY or AWS_PROFILE",
    "ExpiredToken": "the credentials have expired; get new ones, and run again",
    "RequestTimeTooSkewed": "this machine's clock is wrong, so the store refuses its requests; set the clock",
    "PermanentRedirect": "the bucket is in another region; set AWS_REGION",
    "AuthorizationHeaderMalformed": "the bucket is in another region; set AWS_REGION",
    "QuotaExceeded": "the store is full; make room by `assay gc`, or raise its quota",
    "XMinioStorageFull": "the store is full; make room by `assay gc`",
}


class MissingError(StoreError):
    """There is no object of that key."""


def may_pass(error: Exception) -> bool:
    """Whether another try may help: the store had a fault, or the way to it; never what it refuses."""
    text = str(error)
    return "GenericError" in type(error).__name__ and not re.search(r"status code: 4(?!08|09|25|29)\d\d", text)


def in_words(address: Address, key: str, error: Exception) -> StoreError:
    """An error of the client in our words. A store's answer may repeat the access key, so only its code is shown."""
    text = str(error)
    code = found[1] if (found := re.search(r"<Code>(\w+)</Code>", text)) else ""
    status = found[1] if (found := re.search(r"status code: (\d{3})", text)) else ""
    where = f"{address}/{key}".rstrip("/")
    if code in WORDS:
        return StoreError(f"{where}: {WORDS[code].format(bucket=address.bucket)}")
    if isinstance(error, FileNotFoundError) or status == "404":
        return MissingError(f"{where}: there is no such object")
    if status in ("401", "403") or "Permission" in type(error).__name__ or "Unauth" in type(error).__name__:
        return StoreError(f"{where}: {WORDS['AccessDenied'].replace('AccessDenied', code or status or 'refused')}")
    if status.startswith("3"):
        return StoreError(f"{where}: {WORDS['PermanentRedirect']}")
    if status:
        return StoreError(
            f"{where}: the store answered {status} {code}".rstrip() + ", also when asked again; try later"
        )
    return StoreError(
        f"{where}: the store cannot be reached, or does not answer; see AWS_ENDPOINT_URL, AWS_REGION and the network"
    )

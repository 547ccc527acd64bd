"""Standard Webhooks signatures (`webhook-signature`), with several secrets while one is being replaced.

Source: Standard Webhooks specification 1.0, "Signature scheme": `v1,` and the base64 of an HMAC-SHA256 over
`{id}.{timestamp}.{body}`; a secret is `whsec_` and base64 of 24 to 64 bytes.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable

from longwire.core.errors import InvalidInput

_PREFIX = "whsec_"
_SHORTEST, _LONGEST = 24, 64
MAX_SECRETS = 5

SigningKey = bytes


def parse_signing_secret(text: str, field: str) -> tuple[SigningKey, ...]:
    """Return the keys of one or more secrets, separated by spaces; the newest should stand first."""
    secrets = text.split(" ")
    if not 1 <= len(secrets) <= MAX_SECRETS or not all(secrets):
        raise InvalidInput(field, f"expected 1 to {MAX_SECRETS} secrets, separated by one space")
    return tuple(_parse_one(secret, field) for secret in secrets)


def _parse_one(secret: str, field: str) -> SigningKey:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(field, "expected whsec_ and base64 text") from error
    if not _SHORTEST <= len(key) <= _LONGEST:
        raise InvalidInput(field, f"expected base64 of {_SHORTEST} to {_LONGEST} bytes, got {len(key)}")
    return key


def sign(keys: Iterable[SigningKey], webhook_id: str, timestamp: int, body: bytes) -> bytes:
    """Return the value of `webhook-signature`: one signature for each key."""
    signed = f"{webhook_id}.{timestamp}.".encode() + body
    digests = (hmac.digest(key, signed, hashlib.sha256) for key in keys)
    return b" ".join(b"v1," + base64.b64encode(digest) for digest in digests)

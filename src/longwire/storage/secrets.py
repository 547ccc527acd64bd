"""Secrets at rest: AES-256-GCM, each bound to the place it stands in, so that no sealed text can be moved."""

import base64
import hashlib
import os
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from longwire.core.errors import Misconfigured
from longwire.storage.data_folder import write_private_file

_NONCE_BYTES = 12


class Sealer:
    """Seals and opens texts with one key."""

    def __init__(self, secret_key: str) -> None:
        """Derive the key from the operator's text, which should hold at least 128 bits of chance."""
        self._cipher = AESGCM(hashlib.sha256(b"longwire secrets at rest\0" + secret_key.encode()).digest())

    def seal(self, text: str, place: str) -> str:
        """Return the text sealed for a place, such as `connection/7/configuration.headers.authorization`."""
        nonce = os.urandom(_NONCE_BYTES)
        return base64.b64encode(nonce + self._cipher.encrypt(nonce, text.encode(), place.encode())).decode()

    def open(self, sealed: str, place: str) -> str:
        """Return the text; raises Misconfigured when this is not the key, or the place, it was sealed with."""
        try:
            content = base64.b64decode(sealed, validate=True)
            text = self._cipher.decrypt(content[:_NONCE_BYTES], content[_NONCE_BYTES:], place.encode())
        except (InvalidTag, ValueError) as error:
            raise Misconfigured(
                "the stored secrets were sealed with another key; "
                "set LONGWIRE_SECRET_KEY, or put back the file secret.key of this data folder"
            ) from error
        return text.decode()


def load_secret_key(folder: Path, configured: str | None) -> str:
    """Return the configured key, else that of `secret.key` in the data folder, which is made when missing.

    Raises Misconfigured for an empty file: what is sealed with no key is not sealed.
    """
    if configured is not None:
        return configured
    path = folder / "secret.key"
    if not path.exists():
        write_private_file(path, base64.b64encode(os.urandom(32)).decode())
    key = path.read_text().strip()
    if not key:
        raise Misconfigured(f"{path} is empty; put back the key, or set LONGWIRE_SECRET_KEY")
    return key

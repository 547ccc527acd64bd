"""Reading a request's body: bounded in size and time, whatever the headers say."""

import asyncio
from collections.abc import Mapping
from typing import Any

from litestar.types import Receive

from longwire.core.errors import TooLarge, UnsupportedMediaType
from longwire.core.json_text import MAX_BODY_BYTES, read_document
from longwire.web.errors import RequestTimeout

BODY_TIMEOUT_S = 30.0


class ClientGone(Exception):
    """The client closed before its body was complete."""


async def read_body(headers: Mapping[bytes, bytes], receive: Receive) -> bytes:
    """Return the whole body.

    Raises TooLarge over 1 MiB (before reading it, where the length is given), UnsupportedMediaType for a compressed
    body, RequestTimeout when it takes longer than 30 s, ClientGone.
    """
    if headers.get(b"content-encoding", b"identity") != b"identity":
        raise UnsupportedMediaType("a compressed body is not accepted; send it without Content-Encoding")
    length = headers.get(b"content-length", b"0")
    if not length.isdigit() or int(length[:20]) > MAX_BODY_BYTES:
        raise TooLarge(f"the body is over the limit of {MAX_BODY_BYTES} bytes")
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            return await _read_chunks(receive)
    except TimeoutError as error:
        raise RequestTimeout(f"the body did not arrive within {BODY_TIMEOUT_S:.0f} s") from error


async def _read_chunks(receive: Receive) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise ClientGone
        chunks.append(event["body"])
        size += len(event["body"])
        if size > MAX_BODY_BYTES:
            raise TooLarge(f"the body is over the limit of {MAX_BODY_BYTES} bytes")
        if not event["more_body"]:
            return b"".join(chunks)


def parse_json_body(content_type: str, body: bytes, expected: str = "application/json") -> Any:
    """Return the document of an API request; raises UnsupportedMediaType, InvalidInput or TooLarge."""
    media_type, _, parameters = content_type.lower().partition(";")
    charset = parameters.replace(" ", "").replace('"', "")
    if media_type.strip() != expected or charset not in {"", "charset=utf-8"}:
        raise UnsupportedMediaType(f"expected Content-Type: {expected} (UTF-8), got {content_type[:100]!r}")
    return read_document(body)

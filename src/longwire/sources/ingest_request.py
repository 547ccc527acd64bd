"""What the ingest door hands to a source: the request, read and bounded, but not yet understood."""

from datetime import datetime

import msgspec


class IngestRequest(msgspec.Struct, frozen=True):
    """One POST of a network server; `query` is the raw query string, `received_at` aware UTC."""

    network_server_id: str
    query: str
    content_type: str
    body: bytes
    received_at: datetime

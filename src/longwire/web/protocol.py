"""The HTTP protocol of the listener: uvicorn's, with a bound on the head of a request, which it has not."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD_BYTES = 64 * 1024


class BoundedHttpProtocol(HttpToolsProtocol):
    """Closes a connection whose request line and headers do not end within 64 KiB."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Begin before the first request."""
        super().__init__(*arguments, **named)
        self._is_in_head = True
        self._head_bytes = 0

    def data_received(self, data: bytes) -> None:
        """Count what belongs to a head that has not ended, and feed the parser."""
        if self._is_in_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._is_in_head and self._head_bytes > MAX_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The request's head is over 64 KiB.")

    def on_message_begin(self) -> None:
        """Begin the head of a request; what came with the end of the one before is not counted."""
        self._is_in_head = True
        self._head_bytes = 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """End the head."""
        self._is_in_head = False
        super().on_headers_complete()

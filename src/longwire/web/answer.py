"""A response without a framework: what the front and the plain door send."""

from dataclasses import dataclass

from longwire.core.errors import LongwireError
from longwire.web.errors import JSON, error_body, error_headers, internal_error, status_of


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, body and headers; the length and the correlation id are added where it is sent."""

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ((b"content-type", JSON),)


ACCEPTED = Answer(200, b"{}")


def refusal(error: Exception, correlation_id: str) -> Answer:
    """Return what a caller is told of an error; a bug becomes a 500 whose details are in the log."""
    told = error if isinstance(error, LongwireError) else internal_error(correlation_id)
    return Answer(status_of(told), error_body(told, correlation_id), tuple(error_headers(told)))

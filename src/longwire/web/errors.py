"""The API's error shape, and which status each error has (specification, section 2)."""

import math
from collections.abc import Mapping

import msgspec

from longwire import log
from longwire.core import errors
from longwire.core.errors import LongwireError

JSON = b"application/json"
RETRY_AFTER_S = b"5"

_STATUSES: Mapping[type[LongwireError], int] = {
    errors.InvalidInput: 400,
    errors.NotAvailableYet: 400,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Stale: 412,
    errors.TooLarge: 413,
    errors.UnsupportedMediaType: 415,
    errors.TooManyRequests: 429,
    errors.RouteNotAvailableYet: 501,
    errors.StorageUnavailable: 503,
}


class MethodNotAllowed(LongwireError):
    """The path exists, but not with this method."""

    code = "api-4051"


class RequestTimeout(LongwireError):
    """The body did not arrive in time."""

    code = "api-4081"


_OWN_STATUSES: Mapping[type[LongwireError], int] = {MethodNotAllowed: 405, RequestTimeout: 408}


def status_of(error: LongwireError) -> int:
    """Return the HTTP status of an error; 500 for one that no caller can cause."""
    statuses = {**_STATUSES, **_OWN_STATUSES}
    return next((statuses[kind] for kind in type(error).__mro__ if kind in statuses), 500)


def error_body(error: LongwireError, correlation_id: str) -> bytes:
    """Return the error's body: `{"code","message","correlationId","data"}`."""
    return msgspec.json.encode(
        {
            "code": error.code,
            "message": str(error),
            "correlationId": correlation_id,
            "data": error.details,
        }
    )


def error_headers(error: LongwireError) -> list[tuple[bytes, bytes]]:
    """Return the headers that belong to the status."""
    headers = [(b"content-type", JSON)]
    if isinstance(error, errors.TooManyRequests):
        headers.append((b"retry-after", b"%d" % math.ceil(error.wait.total_seconds())))
    if isinstance(error, errors.Unauthorized):
        headers.append((b"www-authenticate", error.challenge.encode()))
    match status_of(error):
        case 503:
            headers.append((b"retry-after", RETRY_AFTER_S))
        case 408 | 413:
            headers.append((b"connection", b"close"))
    return headers


def internal_error(correlation_id: str) -> LongwireError:
    """Log the exception being handled, and return what its caller may know of it."""
    log.error(log.SERVER_REQUEST_FAILED, correlation_id=correlation_id)
    return LongwireError("internal error; the log has the details under this correlation id")

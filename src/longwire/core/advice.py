"""What to do about a message that was not delivered: one plain sentence (specification, section 14)."""

from collections.abc import Mapping

from longwire.core.delivery import Outcome, is_accepted
from longwire.core.event import ADVICE
from longwire.core.http import Cause

_BY_STATUS: Mapping[int, str] = {
    400: "The destination did not understand the message: compare body and headers with what it expects",
    401: "The destination wants credentials: correct the Authorization header of configuration.headers",
    403: "The destination refuses these credentials: correct them in configuration.headers, or its access rules",
    404: "The destination does not know this address: correct path and query of configuration.destinationURL",
    405: "The destination takes no POST at this address: correct the path of configuration.destinationURL",
    408: "The destination was too slow to read the message: check its load",
    410: "The destination has given this address up: correct configuration.destinationURL",
    413: "The message is too large for the destination: raise its limit",
    415: "The destination wants another media type: set Content-Type in configuration.headers",
    422: "The destination did not accept the content: compare the body with what it expects",
    429: "The destination is sent too much: set configuration.maxRequestsPerSecond",
    502: "The server before the destination cannot reach it: check that the destination is running",
    503: "The destination is overloaded or being maintained: wait for it, or set configuration.maxRequestsPerSecond",
    504: "The server before the destination got no answer from it: check the destination's load",
}
_BY_CLASS: Mapping[int, str] = {
    1: "The destination switched to another protocol: check that configuration.destinationURL is an HTTP endpoint",
    3: "Redirects are not followed: set configuration.destinationURL to the address in the answer's Location",
    4: "The destination refused the message: look into the body of its answer",
    5: "The destination has trouble of its own: look into its log",
}
_BY_CAUSE: Mapping[str, str] = {
    **ADVICE,
    Cause.BLOCKED_ADDRESS.value: "Choose a public address, or allow this one with LONGWIRE_ALLOW_DESTINATIONS",
    Cause.PROXY_407.value: "Correct configuration.proxy.username and password",
    Cause.STOPPED.value: "It may have arrived; it is sent again, and receivers tell repeats by their webhook-id",
    "unknown": "It may have arrived; it is sent again, and receivers tell repeats by their webhook-id",
}
_THEN: Mapping[Outcome, str] = {
    Outcome.LOST: "Then replay it; with strictMode true Longwire sends such a message again by itself",
    Outcome.REJECTED: "Then replay it",
}
_BY_OUTCOME: Mapping[Outcome, str] = {
    Outcome.EXPIRED: "If it is still of use, replay it: its age counts anew; or raise configuration.uplinkTimeValidity",
    Outcome.FAILED: "Correct what the reason names, then replay it",
    Outcome.DISCARDED: "Replay it to another connection, if it is still of use",
    Outcome.FILTERED: "Route the device to a connection by a flow, or change what is filtered; then replay it",
}


def of_attempt(status: int | None, cause: str | None) -> str | None:
    """Return what to do about an attempt's result; None when there is nothing to do."""
    if status is None:
        return None if cause is None else _BY_CAUSE.get(cause)
    if is_accepted(status):
        return None
    return _BY_STATUS.get(status) or _BY_CLASS.get(status // 100, _BY_CLASS[4])


def of_delivery(outcome: Outcome, status: int | None, cause: str | None) -> str | None:
    """Return what to do about a delivery, by its outcome and its last attempt; None when there is nothing to do."""
    if outcome is Outcome.DELIVERED:
        return None
    if outcome in _BY_OUTCOME:
        return _BY_OUTCOME[outcome]
    sentences = (of_attempt(status, cause), _THEN.get(outcome))
    return ". ".join(each for each in sentences if each) or None

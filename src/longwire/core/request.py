"""The request a destination receives for a message (specification, section 6)."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from longwire import __version__
from longwire.core import json_text, pattern
from longwire.core.configuration import Configuration
from longwire.core.delivery import Outcome
from longwire.core.destination import render_target
from longwire.core.headers import is_secret_header
from longwire.core.http import HttpRequest
from longwire.core.lrc_tunnel import UNNAMED, Tunnel, with_tunnel_query
from longwire.core.message import with_downlink_url
from longwire.core.pattern import MAX_RENDERED_BYTES
from longwire.core.reading import OverBudget, Reading, read_message
from longwire.core.signature import sign

USER_AGENT = f"Longwire/{__version__}".encode()

_REMOVED = {ord(character): None for character in "\r\n\0"}


class CannotRender(msgspec.Struct, frozen=True):
    """The message cannot be sent with this configuration: why, and the outcome, FAILED or FILTERED."""

    reason: str
    outcome: Outcome = Outcome.FAILED


class Prepared(msgspec.Struct, frozen=True):
    """A request as it is sent; `empty` names the placeholders that had no value (`headers.X-Site: {site}`)."""

    request: HttpRequest
    empty: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Target:
    """A connection as a request needs it: its configuration and its downlink address.

    `debug`: whole requests and answers are kept in the log.
    """

    configuration: Configuration
    downlink_url: str
    debug: bool = False


class Sending(msgspec.Struct, frozen=True):
    """One attempt to send a message: its stable id, the attempt's number, when, and whether it is a test."""

    webhook_id: str
    number: int
    at: datetime
    is_test: bool = False


def build_request(target: Target, body: bytes, sending: Sending) -> Prepared | CannotRender:
    """Return the request for a message's body as the queue keeps it."""
    configuration = target.configuration
    sent = sent_form(
        body,
        target.downlink_url if configuration.downlink_enabled else None,
        send_metadata=configuration.send_metadata,
        send_raw_decoded_format=configuration.send_raw_decoded_format,
    )
    if isinstance(sent, CannotRender):
        return sent
    reading = _reading(configuration, body)
    empty: list[str] = []
    target_text = _target(configuration, reading, empty)
    configured = _configured_headers(configuration, reading, empty)
    if isinstance(target_text, CannotRender):
        return target_text
    if isinstance(configured, CannotRender):
        return configured
    request = HttpRequest(
        endpoint=configuration.destination.endpoint,
        method="POST",
        target=_for_tunnel(configuration, target_text, body, sending),
        headers=_own_headers(sending, configured)
        + _signature(configuration, sending, sent)
        + tuple(configured),
        body=sent,
    )
    return Prepared(request, tuple(empty))


def sent_form(
    body: bytes, downlink_url: str | None, *, send_metadata: bool, send_raw_decoded_format: bool
) -> bytes | CannotRender:
    """Return a message in the form a connection asks for; `sendMetadata` wins over `sendRawDecodedFormat`."""
    whole = body if downlink_url is None else with_downlink_url(body, downlink_url)
    if send_metadata:
        root, _ = json_text.read_kept_root(body)
        if root != "DevEUI_uplink":
            return CannotRender(f"sendMetadata: only DevEUI_uplink is sent, not {root}", Outcome.FILTERED)
        return json_text.root_content(whole)
    if send_raw_decoded_format:
        _, members = json_text.read_kept_root(body)
        payload = bytes(members.get("payload", b"null"))
        return whole if payload == b"null" else payload
    return whole


def _for_tunnel(configuration: Configuration, target: str, body: bytes, sending: Sending) -> str:
    """Return path and query as an LRC would write them, where the connection asks for that."""
    if not configuration.lrc.is_on:
        return target
    tunnel = Tunnel(configuration.downlink_as.as_id or UNNAMED, configuration.lrc.key)
    return with_tunnel_query(target, body, tunnel, sending.webhook_id, sending.at)


def _own_headers(sending: Sending, configured: list[tuple[str, bytes]]) -> tuple[tuple[str, bytes], ...]:
    """Return the headers Longwire writes; `Content-Type` and `User-Agent` only where none is configured."""
    defaults = (("Content-Type", b"application/json"), ("User-Agent", USER_AGENT))
    taken = {name.lower() for name, _ in configured}
    return (
        *((name, value) for name, value in defaults if name.lower() not in taken),
        ("webhook-id", sending.webhook_id.encode()),
        ("webhook-timestamp", b"%d" % sending.at.timestamp()),
        ("Longwire-Attempt", b"%d" % sending.number),
        *((("Longwire-Test", b"true"),) if sending.is_test else ()),
    )


def _signature(configuration: Configuration, sending: Sending, body: bytes) -> tuple[tuple[str, bytes], ...]:
    if configuration.signing is None:
        return ()
    timestamp = int(sending.at.timestamp())
    return (("webhook-signature", sign(configuration.signing.keys, sending.webhook_id, timestamp, body)),)


def _reading(configuration: Configuration, body: bytes) -> Reading:
    """Return the message where a pattern asks for it."""
    if configuration.destination.target.is_literal and all(
        each.is_literal for _, each in configuration.headers
    ):
        return Reading("", {}, b"")
    return read_message(body)


def _target(configuration: Configuration, reading: Reading, empty: list[str]) -> str | CannotRender:
    """Return path and query; add to `empty` the placeholders without a value."""
    try:
        rendered = render_target(configuration.destination, reading)
    except OverBudget as problem:
        return CannotRender(f"destinationURL: {problem}")
    if rendered is None:
        return CannotRender("destinationURL: a value would change the depth of the path ('.' or '..')")
    empty += [f"destinationURL: {{{each}}}" for each in rendered.missing]
    return rendered.text


def _configured_headers(
    configuration: Configuration, reading: Reading, empty: list[str]
) -> list[tuple[str, bytes]] | CannotRender:
    """Return the headers with their values; add to `empty` the placeholders without a value."""
    headers: list[tuple[str, bytes]] = []
    for name, value in configuration.headers:
        try:
            rendered = pattern.render(value, reading, _without_breaks)
        except OverBudget as problem:
            return CannotRender(f"headers.{name}: {problem}")
        text = rendered.text.encode()
        if len(text) > MAX_RENDERED_BYTES:
            return CannotRender(f"headers.{name}: longer than {MAX_RENDERED_BYTES} bytes once rendered")
        empty += [_named(name, each) for each in rendered.missing]
        headers.append((name, text))
    return headers


def _named(header: str, placeholder: str) -> str:
    """Return which placeholder of which header; a pattern may quote part of a secret."""
    return f"headers.{header}" + ("" if is_secret_header(header) else f": {{{placeholder}}}")


def _without_breaks(value: str) -> str:
    return value.translate(_REMOVED)

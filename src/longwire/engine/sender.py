"""One visit of a message to its destination: the attempts made, and what follows from them."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, cast

import msgspec
from msgspec.structs import replace

from longwire.clock import Clock
from longwire.core.configuration import Configuration
from longwire.core.delivery import (
    STOPPED_DETAIL,
    Attempt,
    Mode,
    Outcome,
    Settlement,
    Trigger,
    Waiting,
    is_accepted,
    is_expired,
    next_trigger,
    verdict,
)
from longwire.core.fields import MASK
from longwire.core.headers import is_secret_header
from longwire.core.http import Cause, HttpRequest, HttpResponse, TransportFailure
from longwire.core.request import CannotRender, Sending, Target, build_request
from longwire.net.client import Client

_SHORTEST_SECRET = 4
_SECRET_BEGINNING = 8


class Visit(msgspec.Struct, frozen=True):
    """What a visit did: what to record, how the delivery waits if it stays, and what the destination showed.

    `closing` is why the connection must close, `cause` the failure behind it, where there was no answer;
    `has_answered` says that the destination is there. None of these when nothing was sent. `empty` names the
    placeholders of patterns that had no value.
    """

    settlement: Settlement
    staying: Waiting
    closing: str | None = None
    cause: Cause | None = None
    has_answered: bool = False
    empty: tuple[str, ...] = ()


class Sender:
    """Sends messages of one revision of one connection."""

    def __init__(
        self, target: Target, revision: int, client: Client, clock: Clock, webhook_id: Callable[[int], str]
    ) -> None:
        """Keep what every request needs."""
        self._target = target
        self._revision = revision
        self._client = client
        self._clock = clock
        self._webhook_id = webhook_id
        self._asking: set[asyncio.Task[Any]] = set()

    def stop(self) -> None:
        """End every request under way; each visit tells what it had sent."""
        for task in self._asking:
            task.cancel()

    async def visit(self, waiting: Waiting, body: bytes) -> Visit:
        """Send a message once; and once more, on a fresh socket, when an idle one was closed under it."""
        if (reason := self._too_old(waiting)) is not None:
            return self._unsent(waiting, Outcome.EXPIRED, reason)
        trigger = next_trigger(waiting)
        attempts: list[Attempt] = []
        while True:
            now = self._clock.now()
            number = waiting.attempt_count + len(attempts) + 1
            sending = Sending(self._webhook_id(waiting.delivery_id), number, now, waiting.is_test)
            prepared = build_request(self._target, body, sending)
            if isinstance(prepared, CannotRender):
                return self._unsent(waiting, prepared.outcome, prepared.reason)
            request = prepared.request
            is_repeat = bool(attempts)
            result = await self._send(request, fresh=is_repeat)
            attempts.append(
                self._attempt(number, Trigger.FRESH_SOCKET if is_repeat else trigger, now, request, result)
            )
            if is_repeat or isinstance(result, HttpResponse) or not result.on_reused_socket:
                visit = self._judged(waiting, attempts, result)
                return replace(visit, empty=prepared.empty) if prepared.empty else visit

    def is_expired(self, waiting: Waiting) -> bool:
        """Return whether a message is too old to be sent."""
        return self._too_old(waiting) is not None

    def _too_old(self, waiting: Waiting) -> str | None:
        validity, now = self._target.configuration.uplink_time_validity, self._clock.now()
        if validity is not None and is_expired(waiting.aged_from, validity.age, now):
            return f"older than uplinkTimeValidity ({validity.text})"
        if waiting.expires_at is not None and waiting.expires_at < now:
            return "older than uplinkTimeValidity of its flow"
        return None

    def failed_by_bug(self, waiting: Waiting, error: Exception) -> Visit:
        """Return the visit of a message that Longwire itself could not handle: it is kept as a dead letter."""
        return self._failed(waiting, f"internal error: {type(error).__name__}")

    async def _send(self, request: HttpRequest, *, fresh: bool) -> HttpResponse | TransportFailure:
        """Return the result; who cancels a visit while it waits for the answer is told what was sent."""
        task = cast("asyncio.Task[Any]", asyncio.current_task())
        self._asking.add(task)
        timeout = self._target.configuration.request_timeout
        try:
            result = await self._client.send(request, timeout, fresh=fresh)
        except asyncio.CancelledError:
            task.uncancel()
            return TransportFailure(Cause.STOPPED, STOPPED_DETAIL)
        finally:
            self._asking.discard(task)
        # What is no HTTP is shown: it may be the request, sent back.
        return _failure_without_secrets(result, request) if isinstance(result, TransportFailure) else result

    def _attempt(
        self,
        number: int,
        trigger: Trigger,
        at: datetime,
        request: HttpRequest,
        result: HttpResponse | TransportFailure,
    ) -> Attempt:
        response = result if isinstance(result, HttpResponse) else None
        failure = result if isinstance(result, TransportFailure) else None
        return Attempt(
            number=number,
            at=at,
            trigger=trigger,
            duration=self._clock.now() - at,
            revision=self._revision,
            status=response.status if response else None,
            cause=failure.cause.value if failure else None,
            detail=failure.detail if failure else "",
            remote_address=result.remote_address,
            response=self._kept(response, request) if response else None,
            request_body=request.body if self._target.debug else None,
        )

    def _kept(self, response: HttpResponse, request: HttpRequest) -> HttpResponse | None:
        """Return what the log keeps of a response: nothing of one that accepted the message, but with debug."""
        if is_accepted(response.status) and not self._target.debug:
            return None
        return without_secrets(response, request)

    def _judged(
        self, waiting: Waiting, attempts: list[Attempt], result: HttpResponse | TransportFailure
    ) -> Visit:
        configuration = self._target.configuration
        resends = waiting.resends + (attempts[0].trigger is Trigger.RESEND)
        found = verdict(result, mode=_mode(configuration), resends=resends)
        now = self._clock.now()
        not_before = now + found.resend_after if found.resend_after else None
        settlement = Settlement(
            waiting.delivery_id, tuple(attempts), found.outcome, found.reason, now, resends, not_before
        )
        staying = replace(
            waiting,
            attempt_count=waiting.attempt_count + len(attempts),
            resends=resends,
            not_before=not_before,
        )
        if not found.closes:
            return Visit(settlement, staying, has_answered=True)
        cause = result.cause if isinstance(result, TransportFailure) else None
        return Visit(settlement, staying, found.reason, cause)

    def _failed(self, waiting: Waiting, reason: str) -> Visit:
        return self._unsent(waiting, Outcome.FAILED, reason)

    def _unsent(self, waiting: Waiting, outcome: Outcome, reason: str) -> Visit:
        settlement = Settlement(waiting.delivery_id, (), outcome, reason, self._clock.now(), waiting.resends)
        return Visit(settlement, waiting)


def _mode(configuration: Configuration) -> Mode:
    return Mode[configuration.strict_mode_action.name] if configuration.strict_mode else Mode.LOSE


def without_secrets(response: HttpResponse, request: HttpRequest) -> HttpResponse:
    """Return the response with every secret of the request masked: many test endpoints echo what they get."""
    body, headers = response.body, response.headers
    for secret in _secrets(request):
        body = body.replace(secret, MASK.encode())
        text = secret.decode("latin-1")
        headers = tuple((name.replace(text, MASK), value.replace(text, MASK)) for name, value in headers)
    return replace(response, body=body, headers=headers)


def _failure_without_secrets(failure: TransportFailure, request: HttpRequest) -> TransportFailure:
    """Return the failure with every secret of the request masked, also one that was cut off in its middle."""
    detail = failure.detail
    for secret in _secrets(request):
        text = secret.decode("latin-1")
        detail = detail.replace(text, MASK)
        beginning = text[:_SECRET_BEGINNING]
        if len(text) > len(beginning) and beginning in detail:
            detail = detail[: detail.index(beginning)] + MASK
    return replace(failure, detail=detail)


def _secrets(request: HttpRequest) -> list[bytes]:
    """Return the values of headers that are secret, and their words, the longest first."""
    found = {
        secret
        for name, value in request.headers
        if is_secret_header(name)
        for secret in (value, *value.split())
        if len(secret) >= _SHORTEST_SECRET
    }
    return sorted(found, key=len, reverse=True)

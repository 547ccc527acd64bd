"""The simulated LRC takes, refuses and reports downlinks as a real one, over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from urllib.parse import unquote, urlsplit

import msgspec
import pytest
from tests.demo.ingest_server import Act, IngestServer
from tests.demo.raw_client import Reply, ask, post

from longwire.demo.downlink_desk import PATH, Desk, Refused, Taken
from longwire.demo.fleet import AS_ID, CUSTOMER_ID
from longwire.demo.lrc import Lrc, LrcOptions

KEY = "c6f5e3b263092120b8766b9aed9c41b4"
DEVICE = "A81758FFFE06F23E"
T0 = datetime(2026, 3, 14, 10, 26, 54, 100_000, tzinfo=UTC)


def query(*, key: str = KEY, **members: str) -> str:
    given = (
        {"DevEUI": DEVICE, "FPort": "1", "Payload": "00"}
        | members
        | {"AS_ID": AS_ID, "Time": "2026-03-14T10:26:54.100%2B01:00"}
    )
    wire = "&".join(f"{name}={value}" for name, value in given.items())
    return f"{wire}&Token={sha256((unquote(wire) + key).encode()).hexdigest()}"


def test_it_takes_the_recorded_downlink() -> None:
    recorded = (
        "DevEUI=A81758FFFE06F23E&FPort=1&Payload=00&Confirmed=1&FlushDownlinkQueue=1&CorrelationID=4434704901C7450B"
        "&AS_ID=TWA_100002164.1105.AS&Time=2026-03-14T10:26:54.100%2B01:00"
        "&Token=b2d8000bfc1981d06ca165c2c4d5bab351c859f93234d4a8da739d04279341ff"
    )
    desk = Desk([DEVICE], "46ab678cd45df4a4a7e4b375eacd096a")
    assert desk.take(recorded) == Taken(DEVICE, 1, "00", 0, "4434704901C7450B")


@pytest.mark.parametrize(
    ("wrong", "cause"),
    [
        (query(key="0" * 32), "Security check failed: wrong Token"),
        (query().partition("&Token=")[0], "Security check failed: wrong Token"),
        (query(DevEUI="0000000000000000"), "Unknown DevEUI"),
        (query(FPort="0"), "Invalid FPort"),
        (query(FPort="225"), "Invalid FPort"),
        (query(FCntDn="4"), "Downlink counter value already used. Expected=5"),
    ],
)
def test_it_refuses_with_the_public_causes(wrong: str, cause: str) -> None:
    desk = Desk([DEVICE], KEY)
    assert isinstance(desk.take(query(FCntDn="4")), Taken)
    assert desk.take(wrong) == Refused(cause)


def test_a_counter_is_used_once_and_without_one_the_next_is_taken() -> None:
    desk = Desk([DEVICE], KEY)
    taken = [desk.take(query()), desk.take(query(FCntDn="7")), desk.take(query())]
    assert [each.f_cnt_dn for each in taken if isinstance(each, Taken)] == [0, 7, 8]
    assert desk.take(query(FCntDn="8")) == Refused("Downlink counter value already used. Expected=9")


@dataclass
class Served:
    """A running LRC and the ingest door that its reports go to."""

    url: str
    ingest: IngestServer
    told: list[Taken | Refused] = field(default_factory=list)

    async def ask(self, query_text: str, path: str = PATH) -> Reply:
        parts = urlsplit(self.url)
        return await ask(f"http://{parts.netloc}", post(f"{path}?{query_text}", b""))

    async def reports(self, count: int) -> list[dict[str, object]]:
        async with asyncio.timeout(10):
            while len(self.ingest.arrivals) < count:  # noqa: ASYNC110 - the door tells nobody
                await asyncio.sleep(0.01)
        return [msgspec.json.decode(each.body)["DevEUI_downlink_Sent"] for each in self.ingest.arrivals]


@asynccontextmanager
async def served(ingest: IngestServer) -> AsyncIterator[Served]:
    started: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    async with ingest.listen():
        told: list[Taken | Refused] = []
        options = LrcOptions(ingest.url, KEY, air_time=timedelta())
        lrc = Lrc(options, Desk([DEVICE], KEY), lambda: T0, told.append)
        serving = asyncio.create_task(lrc.serve(started.set_result))
        try:
            yield Served(await started, ingest, told)
        finally:
            serving.cancel()
            await asyncio.wait([serving])


async def test_what_is_taken_is_reported_as_sent_with_a_token_that_longwire_accepts() -> None:
    async with served(IngestServer(lambda _: Act.TAKE)) as lrc:
        answer = await lrc.ask(query(CorrelationID="4434704901C7450B"))
        assert (answer.status, answer.body) == (200, b"<html><body>Request queued by LRC</body></html>")

        (report,) = await lrc.reports(1)

        assert {
            name: report[name] for name in ("DevEUI", "FPort", "FCntDn", "DeliveryStatus", "CorrelationID")
        } == {
            "DevEUI": DEVICE,
            "FPort": 1,
            "FCntDn": 0,
            "DeliveryStatus": 1,
            "CorrelationID": "4434704901C7450B",
        }
        before, _, token = lrc.ingest.arrivals[0].query.partition("&Token=")
        assert token == sha256(f"{CUSTOMER_ID}{DEVICE}10{unquote(before)}{KEY}".encode()).hexdigest()
        assert lrc.told == [Taken(DEVICE, 1, "00", 0, "4434704901C7450B")]


async def test_a_refusal_has_the_status_350_and_is_not_reported() -> None:
    async with served(IngestServer(lambda _: Act.TAKE)) as lrc:
        refused = await lrc.ask(query(DevEUI="0000000000000000"))
        assert (refused.status, refused.body) == (350, b"<html><body>Unknown DevEUI</body></html>")
        await lrc.ask(query())
        assert len(await lrc.reports(1)) == 1


async def test_a_report_is_repeated_until_it_is_acknowledged_and_the_next_one_waits() -> None:
    plan = [Act.BUSY, Act.DROP, Act.TAKE, Act.TAKE]
    async with served(IngestServer(lambda number: plan[number])) as lrc:
        for _ in range(2):
            await lrc.ask(query())
        assert [each["FCntDn"] for each in await lrc.reports(4)] == [0, 0, 0, 1]


async def test_elsewhere_there_is_nothing() -> None:
    async with served(IngestServer(lambda _: Act.TAKE)) as lrc:
        assert (await lrc.ask(query(), "/other")).status == 404
        assert lrc.told == []

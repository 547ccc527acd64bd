"""How a connection delivers, as its configuration says: strict closing, age, rate, signature, restart, proxy, TLS."""

import base64
import json
import socket
import ssl
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from standardwebhooks import Webhook
from tests.e2e.api_client import Api, Road, build_road, connection_document
from tests.e2e.lrc import uplink
from tests.e2e.ports import free_port
from tests.e2e.sink import OK, Reply, Sink
from tests.e2e.waiting import holds_for, wait_until

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLDER_SECRET = "whsec_" + base64.b64encode(bytes(range(1, 33))).decode()
TINYPROXY = "/usr/bin/tinyproxy"


def test_strict_mode_may_close_the_connection_and_keep_the_message_first(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    sink.answer = lambda _: Reply(503)
    road = build_road(
        api, connection_document(sink.url(), strictMode=True, strictModeAction="CLOSE"), [dev_eui]
    )
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    closed = road.wait_for_state("CLOSED")
    assert "503" in closed["stateReason"]
    sink.answer = lambda _: OK
    first, second = road.wait_for_outcomes("DELIVERED", "DELIVERED")
    assert first["attemptCount"] >= 2
    assert [json.loads(each.body)["DevEUI_uplink"]["FCntUp"] for each in sink.requests][-2:] == [1, 2]
    triggers = {each["trigger"] for each in road.details(first)["attempts"]}
    assert triggers == {"first", "reconnect"}
    assert second["attemptCount"] == 1


def test_a_restart_reconnects_at_once(api: Api, dev_eui: str) -> None:
    with Sink() as sink:
        url = sink.url()
    road = build_road(api, connection_document(url, blamePeriod=0), [dev_eui])
    road.wait_for_state("CLOSED")
    before = road.connection["stateSince"]
    answer = api.call("POST", f"/connections/{road.connection_id}/restart")
    assert answer.status == 202
    wait_until(
        "it has tried again", lambda: road.connection["stateSince"] > before and road.state == "CLOSED"
    )
    assert api.call("POST", "/connections/999999/restart").status == 404


def test_a_message_that_is_too_old_on_arrival_is_expired(api: Api, sink: Sink, dev_eui: str) -> None:
    road = build_road(api, connection_document(sink.url(), uplinkTimeValidity="1h"), [dev_eui])
    old = datetime.now(UTC) - timedelta(hours=2)
    road.send(
        uplink(dev_eui, 1, Time=old.isoformat()), uplink(dev_eui, 2, Time=datetime.now(UTC).isoformat())
    )
    expired, fresh = road.wait_for_outcomes("EXPIRED", "DELIVERED")
    assert (expired["fCnt"], expired["attemptCount"], fresh["fCnt"]) == (1, 0, 2)
    assert len(sink.requests) == 1


def test_a_message_expires_while_it_waits(api: Api, sink: Sink, dev_eui: str) -> None:
    document = connection_document(sink.url(), active=False, uplinkTimeValidity="1s")
    road = build_road(api, document, [dev_eui])
    road.send(uplink(dev_eui, 1, Time=datetime.now(UTC).isoformat()))
    (waiting,) = road.wait_for_outcomes("QUEUED")
    due = datetime.fromisoformat(waiting["receivedAt"]) + timedelta(seconds=1.2)
    wait_until("it is too old", lambda: datetime.now(UTC) > due)
    road.put(document | {"active": True})
    road.wait_for_outcomes("EXPIRED")
    assert sink.requests == []


def test_no_more_requests_are_sent_than_allowed(api: Api, sink: Sink, dev_euis: list[str]) -> None:
    road = build_road(api, connection_document(sink.url(), maxRequestsPerSecond=5), dev_euis)
    road.wait_for_state("OPENED")
    road.send(*(uplink(dev_eui, number) for number in range(1, 5) for dev_eui in dev_euis))
    times = [each.at for each in sink.wait_for(4 * len(dev_euis), timeout_s=15)]
    pairs = zip(times, times[5:], strict=False)
    assert all(later - earlier > 0.7 for earlier, later in pairs), times


def test_the_signature_is_that_of_standard_webhooks_with_each_secret(
    api: Api, sink: Sink, dev_eui: str
) -> None:
    document = connection_document(sink.url(), signingSecret=f"{SECRET} {OLDER_SECRET}")
    road = build_road(api, document, [dev_eui])
    assert road.connection["configuration"]["signingSecret"] == "*****"
    road.put(road.connection)
    road.send(uplink(dev_eui, 1))
    (got,) = sink.wait_for(1)
    names = ("webhook-id", "webhook-timestamp", "webhook-signature")
    headers = {name: got.header(name) for name in names}
    for secret in (SECRET, OLDER_SECRET):
        assert Webhook(secret).verify(got.body, headers)


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[int]:
    """A real tinyproxy that asks for a login; its port."""
    if not Path(TINYPROXY).exists():
        pytest.skip(f"{TINYPROXY} is missing; on Debian: apt install tinyproxy")
    port = free_port()
    config = tmp_path / "tinyproxy.conf"
    config.write_text(f"Port {port}\nListen 127.0.0.1\nTimeout 60\nBasicAuth ann s3cret-of-ann\n")
    process = subprocess.Popen([TINYPROXY, "-d", "-c", str(config)], stdout=subprocess.DEVNULL)
    try:
        wait_until("the proxy listens", lambda: is_open(port), timeout_s=10)
        yield port
    finally:
        process.terminate()
        process.wait(10)


def is_open(port: int) -> bool:
    with socket.socket() as line:
        return line.connect_ex(("127.0.0.1", port)) == 0


def through(road: Road, port: int, **login: str) -> None:
    """Change the road's proxy after its creation, as the original's page shows."""
    document = road.connection
    document["configuration"]["proxy"] = {"hostname": f"http://127.0.0.1:{port}/", **login}
    assert road.put(document).status == 200


def test_a_proxy_is_added_after_creation_and_its_refusal_is_told(
    api: Api, sink: Sink, dev_eui: str, proxy: int
) -> None:
    road = build_road(api, connection_document(sink.url()), [dev_eui])
    through(
        road, proxy
    )  # tinyproxy answers 407 to no login (to a wrong one 401, which nobody can tell apart)
    road.send(uplink(dev_eui, 1))
    road.wait_for_state("AUTHENTICATION_FAILED")
    holds_for("nothing arrives", lambda: sink.requests == [], seconds=0.3)
    through(road, proxy, username="ann", password="s3cret-of-ann")
    road.wait_for_outcomes("DELIVERED")
    assert road.connection["configuration"]["proxy"]["password"] == "*****"
    assert sink.requests[0].header("Via")


def test_a_proxy_that_is_not_there_is_named_as_the_cause(api: Api, sink: Sink, dev_eui: str) -> None:
    document = connection_document(sink.url(), proxy={"hostname": f"127.0.0.1:{free_port()}"})
    road = build_road(api, document, [dev_eui])
    assert road.wait_for_state("CLOSED")["stateReason"].startswith("proxy: ")


def test_a_custom_authority_is_trusted_by_its_connection_alone(api: Api, dev_euis: list[str]) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with Sink(tls=context) as sink:
        pem = authority.cert_pem.bytes().decode()
        url = sink.url().replace("127.0.0.1", "localhost")
        trusting = build_road(api, connection_document(url, tls={"caCertificate": pem}), [dev_euis[0]])
        other = build_road(api, connection_document(url), [dev_euis[1]])
        trusting.send(uplink(dev_euis[0], 1))
        other.send(uplink(dev_euis[1], 1))
        trusting.wait_for_outcomes("DELIVERED")
        assert other.wait_for_state("CLOSED")["stateReason"].startswith("tls: ")
        assert len(sink.requests) == 1


def test_a_certificate_that_is_none_is_refused_when_it_is_saved(api: Api) -> None:
    answer = api.call(
        "POST", "/connections", connection_document("https://a.example", tls={"caCertificate": "x"})
    )
    assert answer.status == 400
    assert answer.json()["data"]["field"].startswith("configuration.tls")

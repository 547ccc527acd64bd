"""The program as an operator runs it: the first start, settings, signals, and starting again on the same data."""

import re
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.e2e.api_client import Api, Road, build_road, connection_document
from tests.e2e.longwire_process import PROGRAM, Longwire
from tests.e2e.lrc import uplink
from tests.e2e.ports import wait_until_unused
from tests.e2e.sink import HANG, OK, Sink
from tests.e2e.waiting import wait_until

Maker = Callable[..., Longwire]


def test_the_first_start_prints_the_owner_key_once_and_keeps_it_in_a_private_file(longwire: Maker) -> None:
    fresh = longwire({"LONGWIRE_OWNER_KEY": None}).start()
    path = fresh.data / "owner.key"
    key = path.read_text().strip()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert fresh.said.count(key) == 1
    assert Api(fresh.port, key).call("GET", "/connections").status == 200

    assert fresh.terminate()[0] == 0
    fresh.start()

    assert fresh.said.count(key) == 1
    assert Api(fresh.port, key).call("GET", "/connections").status == 200
    assert path.read_text().strip() == key


def test_an_owner_key_that_was_set_is_neither_printed_nor_written(longwire: Maker) -> None:
    fresh = longwire().start()
    key = fresh.settings["LONGWIRE_OWNER_KEY"]
    assert key
    assert key not in fresh.said
    files = [path for path in fresh.data.rglob("*") if path.is_file()]
    assert [path for path in files if key.encode() in path.read_bytes()] == []
    assert not (fresh.data / "owner.key").exists()


@pytest.mark.parametrize("name", ["healthz", "readyz"])
def test_health_needs_no_key(shared: Longwire, name: str) -> None:
    assert shared.api.raw("GET", f"/{name}").status == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("LONGWIRE_FOO", "1"),
        ("LONGWIRE_PROT", "8080"),
        ("LONGWIRE_PORT", "eighty"),
        ("LONGWIRE_PORT", "70000"),
        ("LONGWIRE_OWNER_KEY", "short"),
        ("LONGWIRE_ALLOW_DESTINATIONS", "10.0.0.0/33"),
        ("LONGWIRE_ALLOW_DESTINATIONS", "everything"),
        ("LONGWIRE_PUBLIC_URL", "ftp://example.org"),
        ("LONGWIRE_RESOLVER", "127.0.0.1:dns"),
    ],
)
def test_a_setting_that_is_unknown_or_makes_no_sense_is_an_error_at_start(
    longwire: Maker, name: str, value: str
) -> None:
    broken = longwire({name: value})
    broken.spawn()
    assert broken.wait_for_end() != 0
    assert name in broken.said
    assert "Traceback" not in broken.said


def test_a_second_process_on_the_same_data_refuses_to_start(
    longwire: Maker, sink: Sink, dev_eui: str
) -> None:
    first = longwire().start()
    second = longwire({"LONGWIRE_DATA": str(first.data)})
    second.spawn()
    assert second.wait_for_end() != 0
    assert str(first.data) in second.said
    assert "Traceback" not in second.said
    road = build_road(first.api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1))
    road.wait_for_outcomes("DELIVERED")


def test_a_port_that_is_taken_is_named(longwire: Maker) -> None:
    first = longwire().start()
    second = longwire({"LONGWIRE_PORT": str(first.port)})
    second.spawn()
    assert second.wait_for_end() != 0
    assert str(first.port) in second.said


def test_the_public_url_stands_in_every_url_and_the_host_header_in_none(longwire: Maker, sink: Sink) -> None:
    settings = {"LONGWIRE_PUBLIC_URL": "https://lw.example.org/base"}
    api = longwire(settings).start().api
    road = build_road(api, connection_document(sink.url(), active=False), None)
    shown = api.send("GET", f"/networkServers/{road.network_server_id}", headers={"Host": "evil.example"})
    assert shown.json()["uplinkUrl"] == f"https://lw.example.org/base/ingest/{road.network_server_id}"
    assert road.connection["downlinkUrl"].startswith("https://lw.example.org/base/iot-flow/downlinkMessages/")


def test_without_a_public_url_a_warning_says_so(longwire: Maker) -> None:
    started = longwire({"LONGWIRE_PUBLIC_URL": None}).start()
    assert "LONGWIRE_PUBLIC_URL" in started.said
    created = started.api.create("/networkServers", {"name": "x", "type": "thingpark", "configuration": {}})
    assert created["uplinkUrl"] == f"http://localhost:{started.port}/ingest/{created['id']}"


def wait_for_in_flight(road: Road, sink: Sink, dev_euis: list[str]) -> None:
    """Bring one message of each device in flight at a destination that says nothing, and one behind it."""
    road.send(uplink(dev_euis[0], 1))
    road.wait_for_outcomes("DELIVERED")
    sink.answer = lambda _: HANG
    for number in (2, 3):
        road.send(*(uplink(dev_eui, number) for dev_eui in dev_euis))
    sink.wait_for(1 + len(dev_euis))


def test_sigterm_ends_with_0_within_10_seconds_and_the_next_start_goes_on(
    longwire: Maker, sink: Sink, dev_euis: list[str]
) -> None:
    server = longwire().start()
    road = build_road(server.api, connection_document(sink.url(), requestTimeout="60s"), dev_euis)
    wait_for_in_flight(road, sink, dev_euis)

    code, seconds = server.terminate()

    assert code == 0, server.said
    assert seconds < 20  # the grace is 8 s; a busy machine takes its time for the rest
    sink.answer = lambda _: OK
    server.start()
    road.wait_for_outcomes(*["DELIVERED"] * 7, timeout_s=25)
    assert "Traceback" not in server.said


def test_a_bug_beside_the_lanes_ends_no_delivery(longwire: Maker, sink: Sink, dev_eui: str) -> None:
    server = longwire().start()
    road = build_road(server.api, connection_document(sink.url()), [dev_eui])
    assert server.terminate()[0] == 0
    with sqlite3.connect(server.data / "longwire.db") as store:  # a replay that nobody can read
        store.execute(
            "INSERT INTO replay (filter, state, count, done, failed, created_at, after_time, after_id, is_placed)"
            " VALUES ('{', 'running', 1, 0, 0, 1, 0, 0, 0)"
        )
    store.close()

    server.start()
    wait_until("the bug is told", lambda: "housekeeping.work.crashed" in server.said)
    road.send(uplink(dev_eui, 1))

    road.wait_for_outcomes("DELIVERED")
    assert server.terminate()[0] == 0


def test_an_idle_server_ends_at_once(longwire: Maker) -> None:
    code, seconds = longwire().start().terminate()
    assert code == 0
    assert seconds < 8  # it waits for nobody: not for the grace of what is in flight


def test_after_kill_9_everything_goes_on_and_what_was_in_flight_is_told_apart(
    longwire: Maker, sink: Sink, dev_euis: list[str]
) -> None:
    server = longwire().start()
    road = build_road(server.api, connection_document(sink.url(), requestTimeout="60s"), dev_euis)
    wait_for_in_flight(road, sink, dev_euis)
    in_flight = {each.message_id for each in sink.requests[1:]}
    server.kill()
    wait_until_unused(sink.address[1])

    sink.answer = lambda _: OK
    server.start()

    deliveries = road.wait_for_outcomes(*["DELIVERED"] * 7, timeout_s=25)
    again = [each for each in sink.requests[4:] if each.message_id in in_flight]
    assert len(again) == 3
    assert {each.attempt for each in again} == {2}
    details = next(road.details(each) for each in deliveries if each["messageId"] in in_flight)
    assert details["attempts"][0]["trigger"] == "unknown"
    assert "stopped before the result was recorded" in str(details["attempts"][0])


def test_after_kill_9_amid_several_updates_what_the_first_one_let_end_is_told_apart(
    longwire: Maker, sink: Sink, dev_euis: list[str]
) -> None:
    server = longwire().start()
    document = connection_document(sink.url(), requestTimeout="60s", maxInFlight=3)
    road = build_road(server.api, document, dev_euis)
    wait_for_in_flight(road, sink, dev_euis)
    in_flight = {each.message_id for each in sink.requests[1:]}
    for _ in range(3):
        assert (
            road.put(document | {"configuration": document["configuration"] | {"maxInFlight": 1}}).status
            == 200
        )
    server.kill()
    wait_until_unused(sink.address[1])

    sink.answer = lambda _: OK
    server.start()

    deliveries = road.wait_for_outcomes(*["DELIVERED"] * 7, timeout_s=25)
    unknown = {
        each["messageId"] for each in deliveries if road.details(each)["attempts"][0]["trigger"] == "unknown"
    }
    assert unknown == in_flight
    assert {each.attempt for each in sink.requests[4:] if each.message_id in in_flight} == {2}


def test_configuration_and_keys_are_there_after_a_restart(longwire: Maker, sink: Sink, dev_eui: str) -> None:
    server = longwire().start()
    document = connection_document(sink.url(), headers={"Authorization": "Bearer eg89a53sx!="})
    road = build_road(server.api, document, [dev_eui])
    road.wait_for_state("OPENED")
    before = road.connection
    assert server.terminate()[0] == 0
    server.start()
    assert road.connection["configuration"] == before["configuration"]
    assert road.connection["downlinkUrl"] == before["downlinkUrl"]
    road.send(uplink(dev_eui, 1))
    assert sink.wait_for(1)[0].header("Authorization") == "Bearer eg89a53sx!="


def test_the_schedule_of_a_closed_connection_survives_a_restart(longwire: Maker, dev_eui: str) -> None:
    server = longwire().start()
    away = Sink(opened=False)
    road = build_road(server.api, connection_document(away.url(), blamePeriod=0), [dev_eui])
    road.send(uplink(dev_eui, 1))
    closed = road.wait_for_state("CLOSED")
    assert server.terminate()[0] == 0
    server.start()
    again = road.wait_for_state("CLOSED")
    assert again["stateSince"] == closed["stateSince"]
    assert again["nextReconnectTime"] == closed["nextReconnectTime"]


def test_the_same_message_is_known_after_a_restart(longwire: Maker, sink: Sink, dev_eui: str) -> None:
    server = longwire().start()
    road = build_road(server.api, connection_document(sink.url()), [dev_eui])
    road.send(uplink(dev_eui, 1))
    road.wait_for_outcomes("DELIVERED")
    server.kill()
    server.start()
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    road.wait_for_outcomes("DELIVERED", "DELIVERED")
    assert len(sink.requests) == 2


def test_no_ingest_is_acknowledged_before_it_is_on_disk(longwire: Maker, sink: Sink, dev_eui: str) -> None:
    server = longwire().start()
    road = build_road(server.api, connection_document(sink.url(), active=False), [dev_eui])
    road.send(uplink(dev_eui, 1))
    server.kill()  # at once after the 200
    server.start()
    road.wait_for_outcomes("QUEUED")


def test_the_generated_key_of_the_secrets_is_private(longwire: Maker) -> None:
    server = longwire().start()
    private = [path for path in server.data.iterdir() if path.is_file() and path.suffix == ".key"]
    assert private, "a generated key for the secrets at rest"
    assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}


def test_help_names_the_commands() -> None:
    shown = subprocess.run([PROGRAM, "--help"], capture_output=True, text=True, check=True, timeout=20).stdout
    for command in ("serve", "demo", "simulate", "receiver"):
        assert re.search(rf"\b{command}\b", shown)


def test_a_data_folder_that_cannot_be_written_is_named(longwire: Maker, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    broken = longwire({"LONGWIRE_DATA": str(tmp_path / "file" / "data")})
    broken.spawn()
    assert broken.wait_for_end() != 0
    assert str(tmp_path / "file") in broken.said
    assert "Traceback" not in broken.said


def test_readyz_answers_while_messages_wait(longwire: Maker, dev_eui: str) -> None:
    server = longwire().start()
    away = Sink(opened=False)
    road = build_road(server.api, connection_document(away.url()), [dev_eui])
    road.send(*(uplink(dev_eui, number) for number in range(1, 50)))
    road.wait_for_state("CLOSED")
    wait_until("ready", lambda: server.api.raw("GET", "/readyz").status == 200, timeout_s=2)

"""What `make run` starts: the main job, seen with no hardware and no settings."""

import re
import signal
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from tests.e2e.api_client import Api, connection_document, create_network_server, key_matchers
from tests.e2e.longwire_process import PROGRAM, Longwire, environment
from tests.e2e.lrc import compact
from tests.e2e.ports import free_port
from tests.e2e.sink import Sink
from tests.e2e.waiting import wait_until

LINE = re.compile(r"\d\d:\d\d:\d\d ([0-9A-F]{16})  .*FCnt (\d+) .*X-Thing=\1.*attempt 1")
ENOUGH = 5
AS_JSON = {"Content-Type": "application/json"}


class Demo:
    """One `longwire demo` in a folder; `lines` are the deliveries it has shown."""

    def __init__(self, folder: Path, port: int) -> None:
        self.output = folder / f"demo-{port}-{len(list(folder.iterdir()))}.txt"
        settings = {"LONGWIRE_PORT": str(port), "LONGWIRE_DATA": str(folder / "var")}
        with self.output.open("wb") as output:
            command = [PROGRAM, "demo"]
            self.process = subprocess.Popen(
                command, env=environment(settings), stdout=output, stderr=subprocess.STDOUT, cwd=folder
            )

    @property
    def lines(self) -> list[tuple[str, int]]:
        return [(found[1], int(found[2])) for found in LINE.finditer(self.output.read_text())]

    def see_and_end(self) -> list[tuple[str, int]]:
        """Wait for some deliveries, press Ctrl-C, and return what was shown."""
        wait_until("uplinks are delivered", lambda: len(self.lines) >= ENOUGH, timeout_s=30)
        self.process.send_signal(signal.SIGINT)
        assert self.process.wait(15) == 0, self.output.read_text()
        return self.lines


@pytest.fixture
def port() -> int:
    return free_port()


def test_the_demo_shows_deliveries_ends_with_ctrl_c_and_goes_on(tmp_path: Path, port: int) -> None:
    first = Demo(tmp_path, port)
    seen = dict(first.see_and_end())
    assert f"http://localhost:{port}" in first.output.read_text()
    assert "Owner key (shown once" in first.output.read_text()
    second = Demo(tmp_path, port)
    again = dict(second.see_and_end())
    assert "Owner key (from" in second.output.read_text()
    assert all(counter > seen[device] for device, counter in again.items() if device in seen)


def test_in_the_demo_a_downlink_goes_the_whole_round(tmp_path: Path, port: int) -> None:
    demo = Demo(tmp_path, port)
    wait_until("uplinks are delivered", lambda: len(demo.lines) >= 1, timeout_s=30)
    api = Api(port, (tmp_path / "var" / "owner.key").read_text().strip())
    (connection,) = api.get("/connections")
    content = {"DevEUI": demo.lines[0][0], "FPort": 1, "payload_hex": "0102"}

    answer = api.raw(
        "POST", urlsplit(connection["downlinkUrl"]).path, compact({"DevEUI_downlink": content}), AS_JSON
    )
    assert answer.status == 200, answer

    wait_until("it is sent", lambda: [each["status"] for each in api.get("/downlinks")] == ["SENT"])
    received = Api(port + 1, None)
    wait_until(
        "the report is at the receiver",
        lambda: b"DevEUI_downlink_Sent" in received.raw("GET", "/_requests?after=0").body,
    )
    demo.see_and_end()
    assert f"LRC: downlink for {content['DevEUI']}  FCntDn 0  port 1  0102" in demo.output.read_text()


def simulate(url: str) -> int:
    command = [PROGRAM, "simulate", url, "--count", "40", "--rate", "400"]
    return subprocess.run(
        command, env=environment({}), capture_output=True, timeout=30, check=False
    ).returncode


def test_uplinks_can_be_simulated_from_the_command_line(shared: Longwire) -> None:
    url = create_network_server(shared.api)["uplinkUrl"]
    assert simulate(url) == 0
    assert simulate(f"http://127.0.0.1:{shared.port}/ingest/none") == 1


def test_simulated_sensors_take_downlinks(shared: Longwire, sink: Sink, tmp_path: Path) -> None:
    api, key = shared.api, "46ab678cd45df4a4a7e4b375eacd096a"
    server = create_network_server(api, key)
    output = tmp_path / "simulate.txt"
    with output.open("wb") as file:
        command = [PROGRAM, "simulate", server["uplinkUrl"], "--key", key, "--downlinks", "0"]
        command += ["--seed", "77", "--devices", "1", "--count", "1"]
        process = subprocess.Popen(command, env=environment({}), stdout=file, stderr=subprocess.STDOUT)
    devices = f"/devices?networkServerId={server['id']}"
    (device,) = wait_until("the device is known", lambda: api.get(devices))
    told = wait_until(
        "the lrcUrl is told", lambda: re.search(r"http://127\.0\.0\.1:\d+/\S+", output.read_text())
    )
    configuration = {"configuration": {"lrcUrl": told[0], "asId": "TWA_100002164.1105.AS"}}
    assert api.patch(f"/networkServers/{server['id']}", configuration).status == 200
    connection = api.create("/connections", connection_document(sink.url()))
    flow = {"matchers": key_matchers([device["devEUI"]]), "connectors": [{"connectionId": connection["id"]}]}
    api.create("/flows", flow)
    body = compact({"DevEUI_downlink": {"DevEUI": device["devEUI"], "FPort": 1, "payload_hex": "00"}})

    assert api.raw("POST", urlsplit(connection["downlinkUrl"]).path, body, AS_JSON).status == 200

    sent = f"/downlinks?devEUI={device['devEUI']}"
    wait_until("it is sent", lambda: [each["status"] for each in api.get(sent)] == ["SENT"])
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0, output.read_text()


def test_the_receiver_shows_what_it_gets_and_fails_when_told(tmp_path: Path, port: int) -> None:
    output = tmp_path / "receiver.txt"
    with output.open("wb") as file:
        command = [PROGRAM, "receiver", "--port", str(port), "--mode", "fail", "--status", "503"]
        process = subprocess.Popen(command, env=environment({}), stdout=file, stderr=subprocess.STDOUT)
    wait_until("the receiver listens", lambda: b"The receiver is at" in output.read_bytes())
    assert Api(port, "").raw("POST", "/anything", b"{}").status == 503
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 0
    assert "POST /anything" in output.read_text()

"""The bound that Longwire is measured against is a fair one: the prototype too loses nothing and keeps the order."""

import sqlite3
import sys
from collections import defaultdict
from pathlib import Path
from urllib.parse import urlsplit

from bench.load import SEED, send, write_uplinks
from bench.processes import Measured, free_port, wait_for_port
from tests.e2e.sink import Sink
from tests.e2e.waiting import wait_until

from longwire.demo.fleet import Fleet

COUNT = 500


def start(folder: Path, sink: Sink) -> tuple[Measured, str]:
    port = free_port()
    command = (
        sys.executable,
        "-m",
        "bench.prototype",
        str(port),
        str(folder / "prototype.db"),
        str(urlsplit(sink.url()).port),
    )
    running = Measured.start(*command, log=folder / "prototype.log")
    wait_for_port(port)
    return running, f"http://127.0.0.1:{port}/"


def test_a_killed_prototype_delivers_all_it_has_acknowledged_in_the_order_of_each_device(
    tmp_path: Path,
) -> None:
    uplinks = write_uplinks(tmp_path / "uplinks", COUNT, devices=Fleet(SEED, 20).devices)
    with Sink() as sink:
        killed, url = start(tmp_path, sink)
        accepted, _ = send(url, uplinks, own=True)
        killed.process.kill()
        killed.process.wait()
        again, _ = start(tmp_path, sink)
        wait_until("all have arrived", lambda: len({each.body for each in sink.requests}) == COUNT)
        again.stop()
        arrived = list(dict.fromkeys(each.body for each in sink.requests))
    assert accepted == COUNT
    stored = sqlite3.connect(tmp_path / "prototype.db")
    in_order = defaultdict(list)
    for dev_eui, body in stored.execute("SELECT dev_eui, body FROM message ORDER BY id"):
        in_order[dev_eui].append(body)
    stored.close()
    for bodies in in_order.values():
        assert [body for body in arrived if body in set(bodies)] == bodies

"""Others that do similar work, with the pieces they are usually made of."""

import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

from bench.processes import Measured, free_port, wait_for_port
from bench.sink import Address
from bench.systems import ONE, WORKLOADS, Contender, System, Workload

HERE = Path(__file__).parent
INSTALLED = HERE.parent / "var" / "bench"
"""Where what they need is kept between runs."""
RELAY_FOLDER = INSTALLED / "relay"
TASKIQ = INSTALLED / "taskiq" / "bin"
PROGRAMS = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
SYSLOG_NG, REDIS = (shutil.which(name, path=PROGRAMS) for name in ("syslog-ng", "redis-server"))
SYSLOG_NG_CONFIGURATION = """@version: 3.38
options {{ stats-freq(0); }};
source uplinks {{
  network(transport("tcp") ip("127.0.0.1") port({port}) flags(no-parse) log-iw-size(10000));
}};
destination sink {{
  http(url("{url}") method("POST") headers("Content-Type: application/json") body("${{MESSAGE}}") workers(16)
    disk-buffer(reliable(yes) disk-buf-size(2147483648) mem-buf-size(67108864) dir("{folder}")));
}};
log {{ source(uplinks); destination(sink); flags(flow-control); }};
"""


@cache
def relay_lacks() -> str:
    """Return what the relay misses here, once its one dependency was tried to be installed."""
    if not shutil.which("npm"):
        return "Node.js with npm"
    RELAY_FOLDER.mkdir(parents=True, exist_ok=True)
    shutil.copy(HERE / "relay.mjs", RELAY_FOLDER)
    is_there = (RELAY_FOLDER / "node_modules" / "undici").exists()
    is_there = is_there or _works("npm", "install", "--silent", "undici@7", cwd=RELAY_FOLDER)
    return "" if is_there else "npm's undici"


def _works(*command: str, cwd: Path = HERE) -> bool:
    return subprocess.run(command, cwd=cwd, check=False).returncode == 0


def start_relay(folder: Path, sink: Address, workload: Workload) -> System:
    """Return the bare relay in Node.js: it stores nothing, and answers when the destination has answered."""
    port = free_port()
    script = str(RELAY_FOLDER / "relay.mjs")
    environment = {"NODE_EXTRA_CA_CERTS": str(sink.ca_file)}
    command = ("node", script, str(port), sink.url(tls=workload.tls))
    running = Measured.start(*command, log=folder / "relay.log", environment=environment)
    wait_for_port(port)
    return System(f"http://127.0.0.1:{port}/", (running,))


RELAY = Contender("Node.js relay", start_relay, (ONE, WORKLOADS[-1]), relay_lacks)


def syslog_ng_lacks() -> str:
    """Return what syslog-ng misses here."""
    return "" if SYSLOG_NG else "syslog-ng with its http() destination"


def start_syslog_ng(folder: Path, sink: Address, workload: Workload) -> System:  # noqa: ARG001 (one workload)
    """Return syslog-ng with a reliable disk buffer: it takes lines over TCP and answers nothing."""
    port = free_port()
    configuration = folder / "syslog-ng.conf"
    configuration.write_text(SYSLOG_NG_CONFIGURATION.format(folder=folder, port=port, url=sink.url()))
    files = (
        "-f",
        str(configuration),
        "-R",
        f"{folder}/persist",
        "-p",
        f"{folder}/pid",
        "-c",
        f"{folder}/ctl",
    )
    running = Measured.start(str(SYSLOG_NG), "-F", "--no-caps", *files, log=folder / "syslog-ng.log")
    wait_for_port(port)
    return System(f"tcp://127.0.0.1:{port}", (running,))


@cache
def taskiq_lacks() -> str:
    """Return what taskiq misses here, once its packages were tried to be installed."""
    if not REDIS:
        return "redis-server"
    lock = str(HERE.parent / "requirements-bench.lock")
    pip = (str(TASKIQ / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "install")
    is_there = _works(sys.executable, "-m", "venv", str(TASKIQ.parent)) and _works(
        *pip, "--require-hashes", "-r", lock
    )
    return "" if is_there else "what requirements-bench.lock names"


def start_taskiq(folder: Path, sink: Address, workload: Workload) -> System:  # noqa: ARG001 (one workload)
    """Return taskiq as it is usually used: a web door, Redis that syncs every second, one worker."""
    port, redis_port = free_port(), free_port()
    environment = {"TASKIQ_REDIS": f"redis://127.0.0.1:{redis_port}", "TASKIQ_SINK": sink.url()}
    redis = (str(REDIS), "--port", str(redis_port), "--dir", str(folder), "--appendonly", "yes")
    worker = ("worker", "bench.taskiq_road:broker", "--workers", "1", "--max-async-tasks", "64")
    door = ("-m", "bench.taskiq_road", str(port))
    python, taskiq = str(TASKIQ / "python"), str(TASKIQ / "taskiq")

    def start(*command: str) -> Measured:
        return Measured.start(*command, log=folder / "taskiq.log", environment=environment)

    running = [start(*redis)]
    wait_for_port(redis_port)
    running += [start(taskiq, *worker), start(python, *door)]
    wait_for_port(port)
    return System(f"http://127.0.0.1:{port}/", tuple(reversed(running)))


SYSLOG_NG_HTTP = Contender("syslog-ng", start_syslog_ng, lacks=syslog_ng_lacks)
TASKIQ_REDIS = Contender("taskiq with Redis", start_taskiq, lacks=taskiq_lacks)
PEERS = (RELAY, SYSLOG_NG_HTTP, TASKIQ_REDIS)

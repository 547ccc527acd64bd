"""Destinations whose TLS cannot be trusted get no byte of a message (security cases TL).

Not here: a revoked certificate. Longwire asks neither lists nor responders (docs/security.md).
"""

import contextlib
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from socket import socket
from typing import Any

import pytest
import trustme
from tests.e2e.api_client import Api, Road, build_road, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import uplink
from tests.e2e.ports import free_port
from tests.e2e.sink import Sink
from tests.e2e.test_hostile_bystander import (
    MIB,
    RawDestination,
    Script,
    attempts_of,
    check_product_is_up,
    memory_of,
)
from tests.e2e.waiting import holds_for, wait_until
from tests.net.certificates import CA, chain_of, key_of, pem_of, self_signed, serving, speaking_only_tls_1_1
from tests.net.dns_server import DnsServer

NAME = "hostile.com"
NOW = datetime.now(UTC)
DAY = timedelta(days=1)
OPENSSL = shutil.which("openssl")

TRUSTED = {"caCertificate": pem_of(CA)}


def issued(*names: str, **more: Any) -> Callable[[Path], ssl.SSLContext]:
    return lambda _: serving(CA.issue_cert(*names, **more))


def signed_by_openssl(
    bits: int, digest: str, extension: str = f"subjectAltName=DNS:{NAME}"
) -> Callable[[Path], ssl.SSLContext]:
    """Return a maker of a server with a certificate that trustme does not make, of the authority that is trusted."""

    def make(folder: Path) -> ssl.SSLContext:
        if OPENSSL is None:
            pytest.skip("openssl is missing; on Debian: apt install openssl")
        CA.cert_pem.write_to_path(folder / "ca.pem")
        CA.private_key_pem.write_to_path(folder / "ca.key")
        (folder / "extension").write_text(f"{extension}\n")
        run = [OPENSSL, "req", "-new", "-newkey", f"rsa:{bits}", "-nodes", "-keyout", "key", "-out", "csr"]
        subprocess.run([*run, "-subj", f"/CN={NAME}"], cwd=folder, check=True, capture_output=True)
        run = [OPENSSL, "x509", "-req", "-in", "csr", f"-{digest}", "-CA", "ca.pem", "-CAkey", "ca.key"]
        run += ["-CAcreateserial", "-days", "2", "-extfile", "extension", "-out", "leaf"]
        subprocess.run(run, cwd=folder, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.load_cert_chain(folder / "leaf", folder / "key")
        return context

    return make


CASES: dict[str, tuple[Callable[[Path], ssl.SSLContext], str, str]] = {
    "expired": (issued(NAME, not_before=NOW - 2 * DAY, not_after=NOW - DAY), NAME, "has expired"),
    "not yet valid": (issued(NAME, not_before=NOW + DAY, not_after=NOW + 2 * DAY), NAME, "is not valid yet"),
    "wrong host": (issued("other.com"), NAME, "is for another host"),
    "self-signed": (lambda _: self_signed(), NAME, "self-signed"),
    "unknown CA": (lambda _: serving(trustme.CA().issue_cert(NAME)), NAME, "unknown authority"),
    "wildcard of a top level": (issued("*.com"), NAME, "is for another host"),
    "common name only": (
        signed_by_openssl(2048, "sha256", "basicConstraints=CA:FALSE"),
        NAME,
        "is for another host",
    ),
    "common name beside others": (issued("other.com", common_name=NAME), NAME, "is for another host"),
    "no IP in the names": (issued(NAME, "localhost"), "127.0.0.1", "is for another host"),
    "RSA-1024": (signed_by_openssl(1024, "sha256"), NAME, "key of the certificate is too short"),
    "SHA-1": (signed_by_openssl(2048, "sha1"), NAME, "digest that is too weak"),
}


@pytest.mark.parametrize("case", CASES)
def test_tl_01_a_bad_certificate_is_refused_by_its_fault_and_gets_nothing(
    api: Api, name_server: DnsServer, dev_euis: list[str], tmp_path: Path, case: str
) -> None:
    make, host, fault = CASES[case]
    name_server.names[NAME] = ["127.0.0.1"]
    with Sink(tls=make(tmp_path)) as sink:
        url = sink.url().replace("127.0.0.1", host)
        road = build_road(api, connection_document(url, tls=TRUSTED), dev_euis[:1])
        road.send(uplink(dev_euis[0], 1))
        reason = road.wait_for_state("CLOSED")["stateReason"]
        assert reason.startswith("tls: ")
        assert fault in reason
        wait_until("it was dialled", lambda: sink.handshake_failures)
        assert (sink.requests, attempts_of(road)) == ([], [])
        road.wait_for_outcomes("QUEUED")
    check_product_is_up(api, dev_euis[1])


def test_tl_01_the_same_host_with_a_good_certificate_is_trusted(
    api: Api, name_server: DnsServer, dev_eui: str
) -> None:
    name_server.names[NAME] = ["127.0.0.1"]
    with Sink(tls=serving(CA.issue_cert(NAME))) as sink:
        url = sink.url().replace("127.0.0.1", NAME)
        road = build_road(api, connection_document(url, tls=TRUSTED), [dev_eui])
        road.send(uplink(dev_eui, 1))
        road.wait_for_outcomes("DELIVERED")


def test_tl_01_an_old_protocol_is_refused(api: Api, dev_eui: str) -> None:
    with Sink(tls=speaking_only_tls_1_1()) as sink:
        road = build_road(api, connection_document(sink.url(), tls=TRUSTED), [dev_eui])
        road.send(uplink(dev_eui, 1))
        reason = road.wait_for_state("CLOSED")["stateReason"]
        assert reason.startswith("tls: ")
        assert "protocol version" in reason
        assert sink.requests == []


def test_tl_03_verification_is_skipped_only_where_it_is_said(api: Api, dev_euis: list[str]) -> None:
    careless_device, careful_device, _ = dev_euis
    with Sink(tls=self_signed()) as sink:
        careful = build_road(api, connection_document(sink.url()), [careful_device])
        careful.send(uplink(careful_device, 1))
        careless = build_road(api, connection_document(sink.url(), tls={"verify": False}), [careless_device])
        careless.send(uplink(careless_device, 1))
        careless.wait_for_outcomes("DELIVERED")
        assert careful.wait_for_state("CLOSED")["stateReason"].startswith("tls: ")
        assert len(sink.requests) == 1
    assert careless.connection["configuration"]["tls"]["verify"] is False
    assert careful.connection["configuration"].get("tls", {}).get("verify", True) is True


def test_tl_03_who_switched_verification_off_is_told(api: Api, sink: Sink) -> None:
    document = connection_document(sink.url(), active=False)
    created = api.create("/connections", document)
    careless = connection_document(sink.url(), active=False, tls={"verify": False})
    assert api.call("PUT", f"/connections/{created['id']}", careless).status == 200
    newest = api.get("/audit?perPage=1")[0]
    assert (newest["resourceId"], newest["role"]) == (created["id"], "Owner")
    assert newest["changes"]["configuration.tls.verify"]["to"] is False


def say_nothing(peer: socket) -> None:
    while peer.recv(65536):
        pass


def one_byte_at_a_time(peer: socket) -> None:
    peer.recv(65536)
    peer.settimeout(0.1)
    while True:
        peer.sendall(b"\x16")
        with contextlib.suppress(TimeoutError):
            if not peer.recv(1):
                return


@pytest.mark.parametrize(
    "script", [pytest.param(say_nothing, id="stalls"), pytest.param(one_byte_at_a_time, id="slow")]
)
def test_tl_05_the_deadline_covers_the_handshake(api: Api, dev_euis: list[str], script: Script) -> None:
    with RawDestination(script) as there:
        began = time.monotonic()
        document = connection_document(there.url("https"), requestTimeout="1s")
        road = build_road(api, document, dev_euis[:1])
        road.send(uplink(dev_euis[0], 1))
        reason = road.wait_for_state("CLOSED")["stateReason"]
        assert reason.startswith(("timeout: ", "tls: "))
        assert time.monotonic() - began < 15  # without the deadline it would never end
        check_product_is_up(api, dev_euis[1])


def test_tl_05_an_enormous_chain_is_not_read(
    shared: Longwire, api: Api, dev_eui: str, tmp_path: Path
) -> None:
    leaf = CA.issue_cert("127.0.0.1")
    (tmp_path / "chain").write_text(chain_of(leaf) + pem_of(*[trustme.CA()] * 3_000))
    (tmp_path / "key").write_text(key_of(leaf))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "chain", tmp_path / "key")
    with Sink(tls=context) as sink:
        before = memory_of(shared)
        road = build_road(api, connection_document(sink.url(), tls=TRUSTED), [dev_eui])
        assert road.wait_for_state("CLOSED")["stateReason"].startswith("tls: ")
        assert memory_of(shared) - before < 20 * MIB
        assert sink.requests == []


@pytest.fixture
def renegotiating(tmp_path: Path) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """An `openssl s_server` of TLS 1.2: it asks for a new handshake for each line `R` of its input."""
    if OPENSSL is None:
        pytest.skip("openssl is missing; on Debian: apt install openssl")
    leaf = CA.issue_cert("127.0.0.1")
    (tmp_path / "leaf").write_text(chain_of(leaf))
    (tmp_path / "key").write_text(key_of(leaf))
    port = free_port()
    run = [OPENSSL, "s_server", "-accept", str(port), "-cert", "leaf", "-key", "key", "-tls1_2"]
    pipe = subprocess.PIPE
    with (
        (tmp_path / "output").open("wb") as output,
        subprocess.Popen(run, cwd=tmp_path, stdin=pipe, stdout=output, stderr=output) as server,
    ):
        yield port, server
        server.kill()


def test_tl_05_a_destination_cannot_begin_the_handshake_again(
    api: Api, dev_euis: list[str], tmp_path: Path, renegotiating: tuple[int, "subprocess.Popen[bytes]"]
) -> None:
    port, server = renegotiating
    url = f"https://127.0.0.1:{port}/"
    document = connection_document(url, tls=TRUSTED, requestTimeout="2s")
    wait_until("it listens", lambda: b"ACCEPT" in (tmp_path / "output").read_bytes())
    road = build_road(api, document, dev_euis[:1])
    road.send(uplink(dev_euis[0], 1))
    wait_until("the request is there", lambda: b"webhook-id" in (tmp_path / "output").read_bytes())
    assert server.stdin is not None
    with contextlib.suppress(BrokenPipeError):
        server.stdin.write(b"R\n" * 50)
        server.stdin.flush()
    attempt = wait_until("an attempt row", lambda: attempts_of(road)[:1])[0]
    assert attempt["cause"] in {"timeout", "tls", "reset"}
    assert attempt["durationMs"] < 3000
    assert b"NO_RENEGOTIATION" in (tmp_path / "output").read_bytes().upper().replace(b" ", b"_")
    check_product_is_up(api, dev_euis[1])


@pytest.mark.parametrize("to", ["another host", "another authority"])
def test_tl_07_a_certificate_that_turns_bad_is_refused_at_the_next_connection(
    api: Api, dev_eui: str, to: str
) -> None:
    context = serving(CA.issue_cert("127.0.0.1"))
    with Sink(tls=context) as sink:
        road = build_road(api, connection_document(sink.url(), tls=TRUSTED), [dev_eui])
        road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
        road.wait_for_outcomes("DELIVERED", "DELIVERED")
        bad = CA.issue_cert("other.com") if to == "another host" else trustme.CA().issue_cert("127.0.0.1")
        bad.configure_cert(context)
        sink.close()
        sink.epoch = 1
        sink.open()
        road.send(uplink(dev_eui, 3))
        assert closed_for_tls(road)
        holds_for("nothing arrives", lambda: len(sink.requests) == 2, seconds=0.5)
        road.wait_for_outcomes("DELIVERED", "DELIVERED", "QUEUED")


def test_tl_07_an_authority_that_is_trusted_no_more_counts_no_more(api: Api, dev_eui: str) -> None:
    with Sink(tls=serving(CA.issue_cert("127.0.0.1"))) as sink:
        road = build_road(api, connection_document(sink.url(), tls=TRUSTED), [dev_eui])
        road.send(uplink(dev_eui, 1))
        road.wait_for_outcomes("DELIVERED")
        other = {"caCertificate": pem_of(trustme.CA())}
        assert road.put(connection_document(sink.url(), tls=other)).status == 200
        assert closed_for_tls(road)
        road.send(uplink(dev_eui, 2))
        holds_for("nothing arrives", lambda: len(sink.requests) == 1, seconds=0.5)


def closed_for_tls(road: Road) -> bool:
    def is_so() -> bool:
        shown = road.connection
        return bool(shown["state"] == "CLOSED" and shown.get("stateReason", "").startswith("tls: "))

    return wait_until("closed for its certificate", is_so)

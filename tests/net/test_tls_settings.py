"""TLS settings of a connection: own authority, client certificate, no verification; and texts that are no use."""

import asyncio
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from tests.net.certificates import (
    CA,
    GOOD,
    asking_for_a_certificate,
    chain_of,
    key_of,
    pem_of,
    refusing,
    self_signed,
    serving,
    speaking_only_tls_1_1,
    trusting_only,
)
from tests.net.conftest import CONTEXT
from tests.net.destination import Destination, Peer, echo

from longwire.core.http import Cause, HttpRequest, HttpResponse, TlsSettings, TransportFailure
from longwire.net.client import Client
from longwire.net.tls import _CONTEXTS_KEPT, Contexts, check_tls

LATER = timedelta(seconds=20)
DAY = timedelta(days=1)
NOW = datetime.now(UTC)
OTHER = trustme.CA()
CLIENT = OTHER.issue_cert("gateway@company.test")
STRANGER = trustme.CA().issue_cert("stranger@company.test")


def with_tls(request: HttpRequest, tls: TlsSettings) -> HttpRequest:
    return msgspec.structs.replace(request, endpoint=replace(request.endpoint, tls=tls))


def presenting(leaf: trustme.LeafCert, authority: trustme.CA = CA) -> TlsSettings:
    return replace(trusting_only(authority), client_certificate=chain_of(leaf), client_key=key_of(leaf))


async def test_an_own_authority_is_trusted_by_its_connection_only(client: Client) -> None:
    async with Destination(echo, tls=serving(GOOD)) as there:
        response = await client.send(with_tls(there.request(b"mine"), trusting_only(CA)), LATER)
        failure = await client.send(there.request(b"payload"), LATER)

        assert isinstance(response, HttpResponse)
        assert response.body == b"mine"
        assert isinstance(failure, TransportFailure)
        assert "issued by an unknown authority" in failure.detail
        assert len(there.requests) == 1


async def test_several_authorities_may_stand_in_one_text(client: Client) -> None:
    async with Destination(echo, tls=serving(GOOD)) as there:
        response = await client.send(with_tls(there.request(), trusting_only(OTHER, CA)), LATER)

    assert isinstance(response, HttpResponse)


async def test_an_authority_below_the_root_is_enough(client: Client) -> None:
    below = CA.create_child_ca()
    async with Destination(echo, tls=serving(below.issue_cert("127.0.0.1"))) as there:
        response = await client.send(with_tls(there.request(), trusting_only(below)), LATER)

    assert isinstance(response, HttpResponse)


def test_an_own_authority_replaces_those_of_the_system() -> None:
    context = Contexts(CONTEXT).for_destination(trusting_only(CA))

    assert context.get_ca_certs(binary_form=True) == [ssl.PEM_cert_to_DER_cert(pem_of(CA))]


def test_for_an_https_proxy_it_is_trusted_beside_them() -> None:
    contexts = Contexts(CONTEXT)

    assert contexts.for_proxy(TlsSettings()) is CONTEXT
    assert contexts.for_proxy(TlsSettings(verify=False)) is CONTEXT  # settings are for the destination
    assert len(contexts.for_proxy(trusting_only(CA)).get_ca_certs()) == len(CONTEXT.get_ca_certs()) + 1


REFUSED = {
    "expired": (
        serving(CA.issue_cert("127.0.0.1", not_before=NOW - 2 * DAY, not_after=NOW - DAY)),
        "the certificate has expired",
    ),
    "not yet valid": (
        serving(CA.issue_cert("127.0.0.1", not_before=NOW + DAY, not_after=NOW + 2 * DAY)),
        "the certificate is not valid yet",
    ),
    "wrong host": (serving(CA.issue_cert("other.test")), "the certificate is for another host"),
    "self-signed": (self_signed(), "the certificate is self-signed"),
    "unknown authority": (
        serving(OTHER.issue_cert("127.0.0.1")),
        "the certificate was issued by an unknown authority",
    ),
}


@pytest.mark.parametrize(("context", "detail"), REFUSED.values(), ids=REFUSED)
async def test_with_an_own_authority_a_bad_certificate_gets_no_byte(  # TL-01
    client: Client, context: ssl.SSLContext, detail: str
) -> None:
    seen: list[bytes] = []

    async def log(peer: Peer) -> None:
        while piece := await peer.read_some():
            seen.append(piece)

    async with Destination(log, tls=context) as there:
        request = with_tls(there.request(b"payload"), trusting_only(CA))
        failure = await client.send(request, LATER)

        assert isinstance(failure, TransportFailure)
        assert failure.cause is Cause.TLS
        assert failure.detail.startswith(detail)
        assert await client.probe(request.endpoint, LATER) == failure
    assert seen == []


@pytest.mark.parametrize("tls", [trusting_only(CA), TlsSettings(verify=False)], ids=["own CA", "unverified"])
async def test_an_old_protocol_is_refused_whatever_is_trusted(client: Client, tls: TlsSettings) -> None:
    with refusing(speaking_only_tls_1_1()) as port:
        there = Destination(echo, port=port, tls=serving(GOOD))
        failure = await client.send(with_tls(there.request(), tls), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.TLS
    assert "protocol version" in failure.detail


@pytest.mark.parametrize("name", REFUSED)
async def test_without_verification_every_certificate_is_taken(client: Client, name: str) -> None:  # TL-03
    async with Destination(echo, tls=REFUSED[name][0]) as there:
        response = await client.send(with_tls(there.request(b"body"), TlsSettings(verify=False)), LATER)
        failure = await client.send(there.request(b"payload"), LATER)

        assert isinstance(response, HttpResponse)
        assert isinstance(failure, TransportFailure)
        assert len(there.requests) == 1


async def test_a_client_certificate_is_presented(client: Client) -> None:
    async with Destination(echo, tls=asking_for_a_certificate(GOOD, OTHER)) as there:
        response = await client.send(with_tls(there.request(b"body"), presenting(CLIENT)), LATER)

        assert isinstance(response, HttpResponse)
        assert response.body == b"body"
        assert ("email", "gateway@company.test") in there.peers[0].certificate()["subjectAltName"]


async def test_a_client_certificate_goes_with_every_kind_of_trust(client: Client) -> None:
    tls = replace(presenting(CLIENT), ca_certificate=None, verify=False)
    async with Destination(echo, tls=asking_for_a_certificate(GOOD, OTHER)) as there:
        response = await client.send(with_tls(there.request(), tls), LATER)

    assert isinstance(response, HttpResponse)


@pytest.mark.parametrize(
    ("tls", "detail"),
    [
        (trusting_only(CA), "the destination asks for a client certificate"),
        (presenting(STRANGER), "the destination does not know the authority of our client certificate"),
    ],
    ids=["none", "of a stranger"],
)
async def test_a_destination_that_refuses_our_certificate_says_why(
    client: Client, tls: TlsSettings, detail: str
) -> None:
    with refusing(asking_for_a_certificate(GOOD, OTHER)) as port:
        there = Destination(echo, port=port, tls=serving(GOOD))
        failure = await client.send(with_tls(there.request(), tls), LATER)

    assert isinstance(failure, TransportFailure)
    assert failure.cause is Cause.TLS
    assert failure.detail.startswith(detail)


async def test_settings_of_no_use_are_a_tls_failure_not_a_crash(client: Client) -> None:
    for tls in (TlsSettings("é"), TlsSettings(""), TlsSettings("no"), TlsSettings(None, "no", "key")):
        async with Destination(echo, tls=serving(GOOD)) as there:
            failure = await client.send(with_tls(there.request(), tls), LATER)

            assert isinstance(failure, TransportFailure)
            assert failure.cause is Cause.TLS
            assert there.requests == []


def encrypted(leaf: trustme.LeafCert, form: PrivateFormat) -> str:
    key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
    return key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"x")).decode()


MINE, KEY = chain_of(CLIENT), key_of(CLIENT)
OLD = CA.issue_cert("x", not_before=NOW - 2 * DAY, not_after=NOW - DAY)
FUTURE = CA.issue_cert("x", not_before=NOW + DAY, not_after=NOW + 2 * DAY)
UNUSABLE = {
    "no PEM": (TlsSettings("hello"), "caCertificate is not PEM"),
    "empty": (TlsSettings(""), "caCertificate is not PEM"),
    "beyond ASCII": (TlsSettings("# Société\n" + pem_of(CA)), "caCertificate is not PEM"),
    "a key for an authority": (TlsSettings(KEY), "caCertificate is not PEM"),
    "a damaged block": (TlsSettings(pem_of(CA).replace("MII", "M!I", 1)), "caCertificate cannot be read"),
    "a cut block": (TlsSettings(pem_of(CA)[:300]), "caCertificate cannot be read"),
    "no key": (TlsSettings(None, MINE), "clientKey is missing"),
    "no certificate": (TlsSettings(None, None, KEY), "clientCertificate is missing"),
    "another's key": (TlsSettings(None, MINE, key_of(STRANGER)), "clientKey does not match"),
    "the chain upside down": (TlsSettings(None, pem_of(OTHER) + MINE, KEY), "clientKey does not match"),
    "a certificate for a key": (TlsSettings(None, MINE, MINE), "clientKey is not PEM"),
    "a key for a certificate": (TlsSettings(None, KEY, KEY), "clientCertificate is not PEM"),
    "a key beyond ASCII": (TlsSettings(None, MINE, "\ud800" + KEY), "clientKey is not PEM"),
    "a damaged key": (TlsSettings(None, MINE, KEY[:100] + KEY[140:]), "clientKey cannot be read"),
    "encrypted": (TlsSettings(None, MINE, encrypted(CLIENT, PrivateFormat.PKCS8)), "clientKey is encrypted"),
    "encrypted of old": (
        TlsSettings(None, MINE, encrypted(CLIENT, PrivateFormat.TraditionalOpenSSL)),
        "clientKey is encrypted",
    ),
    "expired": (TlsSettings(None, chain_of(OLD), key_of(OLD)), "clientCertificate has expired on "),
    "not yet valid": (
        TlsSettings(None, chain_of(FUTURE), key_of(FUTURE)),
        "clientCertificate is not valid before ",
    ),
}


@pytest.mark.parametrize(("settings", "reason"), UNUSABLE.values(), ids=UNUSABLE)
def test_settings_of_no_use_are_found_before_they_are_saved(settings: TlsSettings, reason: str) -> None:
    found = check_tls(settings, NOW)

    assert found is not None
    assert found.startswith(reason)
    assert "MII" not in found


@pytest.mark.parametrize(
    "settings",
    [
        TlsSettings(),
        TlsSettings(verify=False),
        trusting_only(CA, OTHER),
        TlsSettings("a comment\r\n" + pem_of(CA).replace("\n", "\r\n")),
        presenting(CLIENT),
        TlsSettings(None, MINE + pem_of(OTHER), KEY),
    ],
)
def test_settings_of_use_are_taken(settings: TlsSettings) -> None:
    assert check_tls(settings, NOW) is None


def rsa(first: int, second: int) -> TlsSettings:
    """Return a key of two Mersenne primes, with its certificate: no search for primes, so quickly made."""
    p, q, e = 2**first - 1, 2**second - 1, 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    numbers = RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), RSAPublicNumbers(e, p * q))
    key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "client")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), 1, NOW - DAY, NOW + DAY)
        .sign(key, hashes.SHA256())
        .public_bytes(Encoding.PEM)
    )
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return TlsSettings(None, certificate.decode(), text.decode())


async def test_a_large_key_does_not_stop_everybody_while_it_is_checked() -> None:
    settings = rsa(4423, 3217)
    loop = asyncio.get_running_loop()
    started = loop.time()

    assert check_tls(settings, NOW) is None
    assert loop.time() - started < 1


def test_a_key_too_short_for_openssl_is_told_in_words() -> None:
    assert check_tls(rsa(607, 521), NOW) == "clientCertificate cannot be used: ee key too small"


async def test_a_failure_over_settings_names_the_member(client: Client) -> None:
    async with Destination(echo, tls=serving(GOOD)) as there:
        for settings, words in (
            (rsa(607, 521), "clientCertificate cannot be used: ee key too small"),
            (TlsSettings("hello"), "caCertificate cannot be used: "),
        ):
            failure = await client.send(with_tls(there.request(), settings), LATER)

            assert isinstance(failure, TransportFailure)
            assert failure.cause is Cause.TLS
            assert failure.detail.startswith(f"TLS failed: {words}")


def test_a_key_that_takes_long_at_each_handshake_is_refused() -> None:
    assert (
        check_tls(rsa(9689, 2281), NOW)
        == "clientKey is too large: an RSA key has at most 8192 bits, got 11970"
    )


def test_without_the_time_the_age_of_a_certificate_does_not_count() -> None:
    assert check_tls(UNUSABLE["expired"][0]) is None


def test_equal_settings_share_a_context_and_the_least_used_is_forgotten() -> None:
    contexts = Contexts(CONTEXT)
    first = contexts.for_destination(trusting_only(CA))
    authority = pem_of(CA)
    for number in range(_CONTEXTS_KEPT - 1):
        contexts.for_destination(TlsSettings(f"{number}\n{authority}"))
    assert contexts.for_destination(trusting_only(CA)) is first  # and now it is the one used last
    contexts.for_destination(TlsSettings(f"one more\n{authority}"))
    assert contexts.for_destination(trusting_only(CA)) is first
    for number in range(_CONTEXTS_KEPT):
        contexts.for_destination(TlsSettings(f"again {number}\n{authority}"))

    assert contexts.for_destination(trusting_only(CA)) is not first
    assert contexts.for_destination(TlsSettings()) is CONTEXT


def test_a_key_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert check_tls(presenting(CLIENT)) is None
    monkeypatch.delattr("os.memfd_create", raising=False)
    assert check_tls(presenting(CLIENT)) is None

    assert list(tmp_path.iterdir()) == []

"""TLS: a context for each kind of settings, whether settings can be used, and why a handshake failed, in words."""

import os
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from longwire.core.http import TlsSettings

# A context with the system's authorities takes 0.8 MB and 50 ms, one with an authority of its own 20 KB and 1 ms.
_CONTEXTS_KEPT = 128
# A handshake with an RSA key of 8192 bits takes 40 ms, one of 16384 bits 300 ms, in which the loop stands still.
_LARGEST_RSA_BITS = 8192

# The numbers are those of OpenSSL's x509_vfy.h (X509_V_ERR_...), which `ssl` passes on but does not name.
_CERTIFICATE = {
    9: "the certificate is not valid yet",
    10: "the certificate has expired",
    18: "the certificate is self-signed",
    19: "the certificate chain ends in a self-signed certificate that is not trusted",
    20: "the certificate was issued by an unknown authority",
    21: "the certificate was issued by an unknown authority (the server sends no chain to a trusted one)",
    23: "the certificate has been revoked",
    66: "the key of the certificate is too short",
    67: "the key of the authority that issued the certificate is too short",
    68: "the certificate is signed with a digest that is too weak",
}
_HOSTNAME_MISMATCH = frozenset({62, 64})

_REASONS = {
    "WRONG_VERSION_NUMBER": "{peer} does not speak TLS on this port",
    "HTTP_REQUEST": "{peer} does not speak TLS on this port",
    "UNSUPPORTED_PROTOCOL": "{peer} offers only a protocol version older than TLS 1.2",
    "TLSV1_ALERT_PROTOCOL_VERSION": "{peer} offers no common protocol version (TLS 1.2 or 1.3)",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "{peer} refused the handshake (handshake_failure)",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "{peer} asks for a client certificate",
    "TLSV1_UNRECOGNIZED_NAME": "{peer} does not know this host name (unrecognized_name)",
    "TLSV1_ALERT_UNKNOWN_CA": "{peer} does not know the authority of our client certificate (unknown_ca)",
    "SSLV3_ALERT_BAD_CERTIFICATE": "{peer} refused our client certificate (bad_certificate)",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "{peer} says that our client certificate has expired",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "{peer} refused our client certificate (certificate_unknown)",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "{peer} refused our client certificate (unsupported_certificate)",
}

_HANDSHAKE_CLOSED = "{peer} closed the connection during the TLS handshake"


class Contexts:
    """Gives a context for settings; equal settings share one, and the least used are forgotten.

    Used from the thread of the event loop only. `default` serves whoever has no settings of his own.
    """

    def __init__(self, default: ssl.SSLContext) -> None:
        self._default = default
        self._kept: dict[tuple[str, TlsSettings], ssl.SSLContext] = {}

    def for_destination(self, settings: TlsSettings) -> ssl.SSLContext:
        """Return the context for a destination. Errors: ssl.SSLError when the settings cannot be used."""
        if settings == TlsSettings():
            return self._default
        return self._keep("destination", settings)

    def for_proxy(self, settings: TlsSettings) -> ssl.SSLContext:
        """Return the context for an https proxy: the destination's settings do not apply to it.

        But its `ca_certificate` is trusted beside the system's authorities, so that a company needs to name its
        own authority only once. Errors: ssl.SSLError.
        """
        if settings.ca_certificate is None:
            return self._default
        return self._keep("proxy", TlsSettings(ca_certificate=settings.ca_certificate))

    def _keep(self, use: str, settings: TlsSettings) -> ssl.SSLContext:
        key = (use, settings)
        context = self._kept.pop(key, None) or _build(settings, adds_to_system=use == "proxy")
        self._kept[key] = context  # the end of the dictionary is what was used last
        if len(self._kept) > _CONTEXTS_KEPT:
            del self._kept[next(iter(self._kept))]
        return context


def default_context() -> ssl.SSLContext:
    """Return the context for destinations without settings of their own.

    It trusts what the system trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` count), checks the host against the
    certificate's alternative names only, and speaks TLS 1.2 and up.
    """
    return _with_our_rules(ssl.create_default_context())


def check_tls(settings: TlsSettings, now: datetime | None = None) -> str | None:
    """Return why the settings cannot be used, beginning with the member at fault, or None.

    With `now` a client certificate that is not valid then is refused too.
    """
    if settings == TlsSettings():
        return None
    try:
        _check_authorities(settings.ca_certificate)
        _check_client(settings, now)
    except _Unusable as problem:
        return str(problem)
    try:
        _build(settings, adds_to_system=False)
    except ssl.SSLError as error:
        return str(error)
    return None


def why(error: OSError, peer: str = "the destination") -> str:
    """Return in a sentence why TLS failed; `peer` is whom we spoke with."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _HOSTNAME_MISMATCH:
            return f"the certificate is for another host: {error.verify_message.rstrip('.')}"
        return _CERTIFICATE.get(error.verify_code, f"the certificate was refused: {error.verify_message}")
    if not isinstance(error, ssl.SSLError) or isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return _HANDSHAKE_CLOSED.format(peer=peer)
    reason = getattr(error, "reason", None)
    if not reason:  # our own, or one that OpenSSL has no name for
        return f"TLS failed: {error}"
    known = _REASONS.get(reason, f"TLS failed: {reason.replace('_', ' ').lower()}")
    return known.replace("{peer}", peer)


def _build(settings: TlsSettings, *, adds_to_system: bool) -> ssl.SSLContext:
    """Return a new context.

    An own authority replaces those of the system, as in curl, requests and Kubernetes: who names the authority
    of his own server does not want a hundred others to be able to speak for it, and when the server changes to
    a public certificate he is told so rather than left to trust both. An authority below the root is enough.
    """
    with _blaming("caCertificate"):
        context = _trusting(settings, adds_to_system=adds_to_system)
    if settings.client_certificate is not None:
        certificate, key = settings.client_certificate, settings.client_key or ""
        with (
            _blaming("clientCertificate"),
            _as_file(certificate) as certificate_path,
            _as_file(key) as key_path,
        ):
            # With a password given OpenSSL does not ask for one on the terminal.
            context.load_cert_chain(certificate_path, key_path, password=lambda: b"")
    return context


@contextmanager
def _blaming(member: str) -> Iterator[None]:
    """Run the block; what it cannot use becomes an ssl.SSLError whose text begins with the member."""
    try:
        yield
    except (ValueError, TypeError, OSError) as error:
        reason = getattr(error, "reason", None)
        words = reason.replace("_", " ").lower() if isinstance(error, ssl.SSLError) and reason else str(error)
        # With a number before it `str` gives the text, without one a tuple.
        raise ssl.SSLError(ssl.SSL_ERROR_SSL, f"{member} cannot be used: {words}") from None


def _trusting(settings: TlsSettings, *, adds_to_system: bool) -> ssl.SSLContext:
    if settings.verify and settings.ca_certificate is None:
        return default_context()
    # The same as a default context but for the authorities, and for the strictness of Python 3.13 in the form of
    # certificates, which authorities that companies made themselves often fail.
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if settings.verify:
        context.load_verify_locations(cadata=settings.ca_certificate)
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        if adds_to_system:
            context.load_default_certs()
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return _with_our_rules(context)


def _with_our_rules(context: ssl.SSLContext) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    return context


@contextmanager
def _as_file(text: str) -> Iterator[str]:
    """Give a path under which only this process reads the text, for `ssl` takes keys from files only.

    Where the system can (Linux) it is memory that never reaches a disk, else a file of mode 0600, gone afterwards.
    """
    if hasattr(os, "memfd_create"):
        with os.fdopen(os.memfd_create("pem"), "w", encoding="utf-8") as memory:
            memory.write(text)
            memory.flush()
            yield f"/proc/self/fd/{memory.fileno()}"
    else:
        with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            yield file.name


class _Unusable(Exception):
    """The settings cannot be used; the text begins with the name of the member."""


def _check_authorities(text: str | None) -> None:
    if text is not None:
        _certificates(text, "caCertificate")


def _check_client(settings: TlsSettings, now: datetime | None) -> None:
    if settings.client_certificate is None and settings.client_key is None:
        return
    if settings.client_certificate is None:
        raise _Unusable("clientCertificate is missing: clientKey is of no use without it")
    first = _certificates(settings.client_certificate, "clientCertificate")[0]
    if settings.client_key is None:
        raise _Unusable("clientKey is missing: clientCertificate is of no use without it")
    if _public_part(_key(settings.client_key)) != _public_part(first):
        raise _Unusable(
            "clientKey does not match clientCertificate (the first certificate of it must be the client's own)"
        )
    if now is not None and now > first.not_valid_after_utc:
        raise _Unusable(f"clientCertificate has expired on {first.not_valid_after_utc:%Y-%m-%d}")
    if now is not None and now < first.not_valid_before_utc:
        raise _Unusable(f"clientCertificate is not valid before {first.not_valid_before_utc:%Y-%m-%d}")


def _certificates(text: str, member: str) -> list[x509.Certificate]:
    if not text.isascii():
        raise _Unusable(f"{member} is not PEM: it holds characters beyond ASCII")
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise _Unusable(f"{member} is not PEM: no '-----BEGIN CERTIFICATE-----' in it")
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except ValueError:
        raise _Unusable(f"{member} cannot be read as PEM certificates: a block of it is damaged") from None


def _key(text: str) -> PrivateKeyTypes:
    """Return the private key; no message shows any of it.

    Whether the parts of an RSA key fit each other is left to the first handshake, as OpenSSL does: to find it out
    takes half a second at 4096 bits and a minute at 16384, in which the loop stands still.
    """
    if not text.isascii():
        raise _Unusable("clientKey is not PEM: it holds characters beyond ASCII")
    if "PRIVATE KEY-----" not in text:
        raise _Unusable("clientKey is not PEM: no '-----BEGIN PRIVATE KEY-----' in it")
    try:
        key = load_pem_private_key(text.encode("ascii"), None, unsafe_skip_rsa_key_validation=True)
    except TypeError:  # the word of `cryptography` for: give me the password
        raise _Unusable("clientKey is encrypted; give the key without a password (openssl pkey)") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _Unusable("clientKey cannot be read as a PEM private key") from None
    if isinstance(key, RSAPrivateKey) and key.key_size > _LARGEST_RSA_BITS:
        raise _Unusable(
            f"clientKey is too large: an RSA key has at most {_LARGEST_RSA_BITS} bits, got {key.key_size}"
        )
    return key


def _public_part(source: PrivateKeyTypes | x509.Certificate) -> bytes:
    return source.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

"""An authority, certificates good and bad, and servers whose handshake fails."""

import contextlib
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator

import trustme

from longwire.core.http import TlsSettings
from longwire.net.tls import default_context

CA = trustme.CA()
GOOD = CA.issue_cert("localhost", "127.0.0.1", "::1")


def trusting() -> ssl.SSLContext:
    context = default_context()
    CA.configure_trust(context)
    return context


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


def self_signed() -> ssl.SSLContext:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with authority.cert_pem.tempfile() as certificate, authority.private_key_pem.tempfile() as key:
        context.load_cert_chain(certificate, key)
    return context


def speaking_only_tls_1_1() -> ssl.SSLContext:
    context = serving(GOOD)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.set_ciphers("ALL:@SECLEVEL=0")
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    return context


@contextlib.contextmanager
def refusing(context: ssl.SSLContext) -> Iterator[int]:
    """Give the port of a destination whose handshake fails; blocking, for asyncio's servers send no TLS alert."""

    def serve() -> None:
        accepted, _ = listener.accept()
        with accepted, contextlib.suppress(OSError):
            accepted.settimeout(5)
            with context.wrap_socket(accepted, server_side=True) as secured:
                secured.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = threading.Thread(target=serve)
        server.start()
        yield listener.getsockname()[1]
        server.join()


def pem_of(*authorities: trustme.CA) -> str:
    return "".join(each.cert_pem.bytes().decode() for each in authorities)


def trusting_only(*authorities: trustme.CA) -> TlsSettings:
    return TlsSettings(ca_certificate=pem_of(*authorities))


def chain_of(leaf: trustme.LeafCert) -> str:
    return "".join(pem.bytes().decode() for pem in leaf.cert_chain_pems)


def key_of(leaf: trustme.LeafCert) -> str:
    return leaf.private_key_pem.bytes().decode()


def asking_for_a_certificate(certificate: trustme.LeafCert, authority: trustme.CA) -> ssl.SSLContext:
    """Return the context of a server that wants a client certificate of that authority."""
    context = serving(certificate)
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    return context

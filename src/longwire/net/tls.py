"""TLS towards destinations: the context, and why a handshake failed, in words."""

import ssl

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
    "WRONG_VERSION_NUMBER": "the destination does not speak TLS on this port",
    "HTTP_REQUEST": "the destination does not speak TLS on this port",
    "UNSUPPORTED_PROTOCOL": "the destination offers only a protocol version older than TLS 1.2",
    "TLSV1_ALERT_PROTOCOL_VERSION": "the destination offers no common protocol version (TLS 1.2 or 1.3)",
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "the destination refused the handshake (handshake_failure)",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "the destination asks for a client certificate",
    "TLSV1_UNRECOGNIZED_NAME": "the destination does not know this host name (unrecognized_name)",
}

HANDSHAKE_CLOSED = "the destination closed the connection during the TLS handshake"


def default_context() -> ssl.SSLContext:
    """Return the context for destinations without settings of their own.

    It trusts what the system trusts (`SSL_CERT_FILE` and `SSL_CERT_DIR` count), checks the host against the
    certificate's alternative names only, and speaks TLS 1.2 and up.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.hostname_checks_common_name = False
    context.options |= ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(["http/1.1"])
    return context


def why(error: ssl.SSLError) -> str:
    """Return in a sentence why TLS failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        if error.verify_code in _HOSTNAME_MISMATCH:
            return f"the certificate is for another host: {error.verify_message.rstrip('.')}"
        return _CERTIFICATE.get(error.verify_code, f"the certificate was refused: {error.verify_message}")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return HANDSHAKE_CLOSED
    reason = error.reason or ""
    return _REASONS.get(reason, f"TLS failed: {reason.replace('_', ' ').lower() or error}")

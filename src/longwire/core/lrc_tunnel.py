"""What a ThingPark LRC adds to a message it hands over: the query, and the Token that signs it (specification, 8).

Read at our own door, written where a connection delivers as an LRC does (`lrcCompliance`).
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import quote, unquote

import msgspec

from longwire.core.json_text import member_text, read_kept_root

UNNAMED = "Longwire"
"""Our `AS_ID` where the connection names none: that of the network's request is not kept with the message."""

_UNENCODED = ":"
# The tunnel that a request came by; there is one of ours.
_TUNNEL = 1

Members = Mapping[str, msgspec.Raw]


@dataclass(frozen=True, slots=True)
class Tunnel:
    """As whom a connection delivers; without a key nothing is signed. Its repr shows no key."""

    as_id: str = UNNAMED
    key: str | None = field(default=None, repr=False)


def token(elements: str, query: str, key: str) -> str:
    """Return the Token: SHA-256 in lower-case hex of the body elements, the decoded query before it, and the key."""
    return hashlib.sha256(f"{elements}{query}{key}".encode()).hexdigest()


def token_elements(root: str, members: Members) -> str:
    """Return what a Token covers of a body; for the roots nothing is published of, the elements of a sent report."""
    if root == "DevEUI_location":
        return member_text(members, "CustomerID") + member_text(members, "DevEUI").lower()
    if root == "DevEUI_uplink" and not is_join_report(root, members):
        f_port = member_text(members, "FPort") or "0"
        return (
            _joined(members, ("CustomerID", "DevEUI")) + f_port + _joined(members, ("FCntUp", "payload_hex"))
        )
    return _joined(members, ("CustomerID", "DevEUI", "FPort", "FCntDn"))


def is_join_report(root: str, members: Members) -> bool:
    """Return whether an uplink reports a join: it has no counter and no payload."""
    return root == "DevEUI_uplink" and "rawJoinRequest" in members and "payload_hex" not in members


def with_tunnel_query(target: str, body: bytes, tunnel: Tunnel, message_id: str, now: datetime) -> str:
    """Return path and query with the LRC's parameters at the end, and the Token last.

    `body` is as the queue keeps it. The Token covers a query of the destination's own too: it signs all before it.
    """
    root, members = read_kept_root(body)
    path, _, own = target.partition("?")
    parameters = _parameters(members, tunnel, message_id, now)
    written = (f"{name}={quote(value, safe=_UNENCODED)}" for name, value in parameters)
    query = "&".join([own, *written] if own else written)
    if tunnel.key is not None:
        query += f"&Token={token(token_elements(root, members), unquote(query), tunnel.key)}"
    return f"{path}?{query}"


def _parameters(
    members: Members, tunnel: Tunnel, message_id: str, now: datetime
) -> Iterator[tuple[str, str]]:
    # A BS_alarm is of no device.
    if dev_eui := member_text(members, "DevEUI"):
        yield "LrnDevEui", dev_eui
    yield "LrnFPort", member_text(members, "FPort") or "0"
    yield "LrnInfos", f"{tunnel.as_id}-{_TUNNEL}-{message_id}"
    yield "AS_ID", tunnel.as_id
    yield "Time", now.astimezone(UTC).isoformat(timespec="milliseconds")


def _joined(members: Members, names: Iterable[str]) -> str:
    return "".join(member_text(members, name) for name in names)

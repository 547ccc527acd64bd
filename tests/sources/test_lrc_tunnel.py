"""What is delivered as an LRC does (`lrcCompliance`) passes at the door that real LRCs use (specification, 8)."""

from datetime import UTC, datetime

import msgspec
from hypothesis import given
from hypothesis import strategies as st
from tests.samples.effort import examples

from longwire.core.lrc_tunnel import Tunnel, with_tunnel_query
from longwire.core.message import ROOTS
from longwire.core.network_server import NetworkServer
from longwire.sources.ingest_request import IngestRequest
from longwire.sources.thingpark import parse

NOW = datetime(2026, 3, 14, 10, 26, 53, 700_000, tzinfo=UTC)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALARS = TEXTS | st.integers(0, 2**32) | st.none() | st.booleans()
MEMBERS = st.dictionaries(
    st.sampled_from(["CustomerID", "FPort", "FCntUp", "FCntDn", "payload_hex", "rawJoinRequest"]), SCALARS
)
DEV_EUIS = st.sampled_from(["A81758FFFE06F23E", "a81758fffe06f23e", "A8-17-58-FF-FE-06-F2-3E"])
KEYS = st.text("0123456789abcdefABCDEF", min_size=32, max_size=32)


@examples(300)
@given(
    st.sampled_from(sorted(ROOTS - {"BS_alarm"})),
    DEV_EUIS,
    MEMBERS,
    KEYS,
    st.from_regex(r"\A[!-%'-~]{1,20}\Z"),
)
def test_what_we_sign_we_would_accept(
    root: str, dev_eui: str, members: dict[str, object], key: str, as_id: str
) -> None:
    body = msgspec.json.encode({root: {"DevEUI": dev_eui, **members}})

    target = with_tunnel_query("/in?site=a%20b+c", body, Tunnel(as_id, key), "msg_1", NOW)

    server = NetworkServer("LRC", as_key=key, accept_unsigned_reports=False)
    query = target.partition("?")[2]
    accepted = parse(IngestRequest("ns", query, "application/json", body, NOW), server)
    assert accepted.root == root


def test_a_gateways_alarm_names_no_device_whatever_it_holds() -> None:
    body = b'{"BS_alarm":{"Lrrid":"100022AD","DevEUI":{}}}'

    target = with_tunnel_query("/in", body, Tunnel(), "msg_1", NOW)

    assert target == (
        "/in?LrnFPort=0&LrnInfos=Longwire-1-msg_1&AS_ID=Longwire&Time=2026-03-14T10:26:53.700%2B00:00"
    )

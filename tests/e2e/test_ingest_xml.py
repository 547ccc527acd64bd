"""The door for network servers that send XML: the same message, the same Token, nothing that XML could smuggle in."""

import json

import pytest
from tests.e2e.api_client import Api, Road, build_road, connection_document
from tests.e2e.lrc import AS_KEY, uplink
from tests.e2e.sink import Sink
from tests.e2e.test_bad_input import check_error
from tests.samples.lrc_xml import as_untyped, as_xml


@pytest.fixture
def road(api: Api, sink: Sink, dev_eui: str) -> Road:
    """A road from a network server that signs."""
    return build_road(api, connection_document(sink.url()), [dev_eui], AS_KEY)


def test_xml_becomes_the_same_message_as_json(road: Road, sink: Sink, dev_eui: str) -> None:
    sent = uplink(dev_eui, 1)
    assert road.ingest(sent.query, as_xml(sent.document), "text/xml").status == 200
    assert road.ingest(sent.query, sent.body).status == 200  # a repeat
    (got,) = sink.wait_for(1)
    link = dict.fromkeys(("downlinkUrl", "downlinkURL"), road.connection["downlinkUrl"])
    ((root, members),) = as_untyped(sent.document).items()
    assert json.loads(got.body) == {root: members | link}
    assert got.header("Content-Type") == "application/json"


def test_xml_is_signed_as_json_is(road: Road, dev_eui: str) -> None:
    sent = uplink(dev_eui, 1)
    forged = as_xml(uplink(dev_eui, 2).document)
    check_error(road.ingest(sent.query, forged, "application/xml"), 403)
    assert road.deliveries() == []


@pytest.mark.parametrize(
    "prolog",
    [
        '<!DOCTYPE DevEUI_uplink [<!ENTITY x SYSTEM "file:///etc/hostname">]>',
        '<!DOCTYPE DevEUI_uplink SYSTEM "{canary}">',
        '<!DOCTYPE DevEUI_uplink [<!ENTITY % p SYSTEM "{canary}"> %p;]>',
    ],
)
def test_xml_cannot_make_us_read_a_file_or_dial(road: Road, sink: Sink, dev_eui: str, prolog: str) -> None:
    body = (
        prolog.format(canary=sink.url("/canary")).encode()
        + as_xml(uplink(dev_eui, 1).document).partition(b"\n")[2]
    )
    error = check_error(road.ingest(uplink(dev_eui, 1).query, body, "application/xml"), 400)
    assert "DOCTYPE" in error["message"]
    assert road.deliveries() == []
    assert sink.requests == []

"""The page of a device: its last uplink, how well it is heard, and what it sends as it sends it."""

import json
import re

from playwright.sync_api import Page, expect
from tests.e2e.api_client import Api, Road, build_road, connection_document
from tests.e2e.sink import Sink


def send(road: Road, dev_eui: str, f_cnt: int, **members: object) -> None:
    content = {"DevEUI": dev_eui, "FPort": 2, "FCntUp": f_cnt, "payload_hex": f"0a{f_cnt:02x}", **members}
    answer = road.ingest("", json.dumps({"DevEUI_uplink": content}).encode())
    assert answer.status == 200, answer


def test_the_last_uplink_is_shown_decoded_with_the_radio_quality_as_it_comes(
    page: Page, api: Api, sink: Sink, dev_eui: str
) -> None:
    road = build_road(api, connection_document(sink.url(), name="radio"), [dev_eui])
    send(road, dev_eui, 1, LrrRSSI="-90.5", LrrSNR=7.25)
    page.goto(f"/ui/devices/{dev_eui}")
    expect(page.get_by_label("Payload", exact=True)).to_have_text("0a01")
    expect(page.get_by_text("The network server did not decode it")).to_be_visible()
    expect(page.get_by_text("It appears with the second uplink")).to_be_visible()

    send(road, dev_eui, 2, LrrRSSI="-101", LrrSNR=-3, payload={"temperature": 4.50, "huge": 1})
    expect(page.get_by_label("Payload", exact=True)).to_have_text("0a02")
    expect(page.get_by_label("Decoded payload")).to_contain_text('"temperature": 4.5')
    chart = page.get_by_role(
        "img", name=re.compile("^RSSI of the last 2 uplinks: -101 to -90.5 dBm, the newest -101")
    )
    expect(chart).to_be_visible()
    expect(
        page.get_by_role("img", name=re.compile("^SNR of the last 2 uplinks: -3 to 7.25 dB"))
    ).to_be_visible()
    expect(page.locator("#deliveries .foot")).to_contain_text("2 in the log")


def test_a_message_to_two_connections_is_one_uplink_of_the_chart(
    page: Page, api: Api, sink: Sink, dev_eui: str
) -> None:
    road = build_road(api, connection_document(sink.url(), name="one"), [dev_eui])
    other = api.create("/connections", connection_document(sink.url(), name="other"))["id"]
    send(road, dev_eui, 1, LrrRSSI=-80, LrrSNR=1)
    api.patch(f"/devices/{dev_eui}", {"connectionIds": [other]})
    send(road, dev_eui, 2, LrrRSSI=-82, LrrSNR=1)
    page.goto(f"/ui/devices/{dev_eui}")

    expect(page.locator("#deliveries .foot")).to_contain_text("3 in the log")
    expect(page.get_by_role("img", name=re.compile("^RSSI of the last 2 uplinks"))).to_be_visible()

"""Flows, network servers and keys: what is made on their pages, and that deleting asks first."""

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect
from tests.e2e.api_client import Api, Road, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import uplink
from tests.e2e.sink import Sink
from tests.ui.conftest import sign_in


def delete(page: Page, name: str) -> None:
    page.get_by_role("link", name=f"Delete {name}", exact=True).click()
    dialog = page.get_by_role("dialog", name="Confirmation")
    expect(dialog).to_contain_text("will be deleted.")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.locator("#toasts")).to_contain_text("It has been deleted.")


FLOW = {
    "DevEUIs": "0059ac00\n0059AC00000000AB",
    "Tags": "Cold, Lyon ,",
    "Model": "abeeway:microtracker",
    "Application": "::3",
    "Uplink time validity": "12h",
}
MATCHERS = [
    {"type": "key", "key": "lora:0059AC00000000AA"},
    {"type": "key", "key": "lora:0059AC00000000AB"},
    {
        "type": "thing",
        "tags": ["Cold", "Lyon"],
        "model": {"producerId": "abeeway", "moduleId": "microtracker"},
        "application": {"version": "3"},
    },
]


def test_a_flow_by_tags_model_and_application_is_made_on_its_page(page: Page, api: Api, sink: Sink) -> None:
    name = f"by what they are {sink.address[1]}"
    number = api.create("/connections", connection_document(sink.url(), name=name))["id"]
    page.goto("/ui/flows")
    form = page.get_by_role("form", name="Add a flow")
    for label, value in {"Name": name, **FLOW}.items():
        form.get_by_label(label).fill(value)
    form.get_by_label("Connection").select_option(number)
    form.get_by_role("button", name="Add").click()
    expect(page.locator("#toasts")).to_contain_text("16 hexadecimal digits")
    expect(form.get_by_label("Tags")).to_have_value("Cold, Lyon ,")
    form.get_by_label("DevEUIs").fill("00-59-ac-00-00-00-00-aa, 0059AC00000000AB")
    form.get_by_role("button", name="Add").click()

    expect(page.locator("#toasts")).to_contain_text(f"'{name}' has been saved.")
    (made,) = [each for each in api.get("/flows") if each.get("name") == name]
    assert made["matchers"] == MATCHERS
    assert made["connectors"] == [{"connectionId": number, "uplinkTimeValidity": "12h"}]
    row = page.get_by_role("row", name=re.compile(name))
    expect(row).to_contain_text("tagged Cold, Lyon")
    expect(row).to_contain_text("model abeeway:microtracker:")
    expect(row).to_contain_text("application ::3")

    delete(page, f"flow {name}")
    expect(page.get_by_role("row", name=re.compile(name))).to_have_count(0)


def test_a_flow_of_many_devices_is_listed_in_a_few_words(page: Page, api: Api, sink: Sink) -> None:
    number = api.create("/connections", connection_document(sink.url()))["id"]
    matchers = [{"type": "key", "key": f"lora:0059AE{each:010X}"} for each in range(2000)]
    name = f"many {sink.address[1]}"
    api.create("/flows", {"name": name, "matchers": matchers, "connectors": [{"connectionId": number}]})
    page.goto("/ui/flows")

    expect(page.get_by_role("row", name=re.compile(name))).to_contain_text("and 1,995 more")


def test_a_network_server_is_added_and_deleted(page: Page, api: Api) -> None:
    page.goto("/ui/networkServers")
    form = page.get_by_role("form", name="Add a ThingPark network server")
    form.get_by_label("Name").fill("ThingPark Lyon")
    form.get_by_label("Tunnel interface").fill("no key")
    form.get_by_role("button", name="Add").click()
    expect(page.locator("#toasts")).to_contain_text("hexadecimal")
    expect(form.get_by_label("Name")).to_have_value("ThingPark Lyon")
    form.get_by_label("Tunnel interface").fill("46ab678cd45df4a4a7e4b375eacd096a")
    form.get_by_role("button", name="Add").click()

    (made,) = [each for each in api.get("/networkServers") if each["name"] == "ThingPark Lyon"]
    expect(page.get_by_text(made["uplinkUrl"])).to_be_visible()
    assert made["configuration"]["asKey"] == "*****"
    page.get_by_text("Change the tunnel key of ThingPark Lyon").click()
    key = page.get_by_label("Tunnel key of ThingPark Lyon")
    key.fill("short")
    key.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("hexadecimal")
    page.get_by_text("Change the tunnel key of ThingPark Lyon").click()
    key.press("Enter")
    expect(page.locator("#toasts")).to_contain_text("'ThingPark Lyon' has been saved.")
    assert "asKey" not in api.get(f"/networkServers/{made['id']}")["configuration"]
    delete(page, "ThingPark Lyon")
    assert api.call("GET", f"/networkServers/{made['id']}").status == 404


def test_a_key_is_shown_once_and_dead_at_once_when_deleted(page: Page, api: Api) -> None:
    page.goto("/ui/apiKeys")
    form = page.get_by_role("form", name="Create a key")
    form.get_by_label("Name").fill("shown once")
    form.get_by_label("Role").select_option("Writer")
    form.get_by_role("button", name="Create").click()
    key = page.locator("#made").inner_text()
    assert api.with_key(key).call("GET", "/connections").status == 200
    page.goto("/ui/apiKeys")
    expect(page.locator("main")).not_to_contain_text(key)

    delete(page, "shown once")
    assert api.with_key(key).call("GET", "/connections").status == 401


@pytest.mark.parametrize("as_key", [None, "46ab678cd45df4a4a7e4b375eacd096a"])
def test_the_first_steps_lead_to_the_first_message(
    browser: Browser, tmp_path_factory: pytest.TempPathFactory, sink: Sink, as_key: str | None
) -> None:
    with Longwire(tmp_path_factory.mktemp("new")).start() as longwire:
        page = browser.new_page(base_url=f"http://127.0.0.1:{longwire.port}")
        page.goto("/ui/")
        sign_in(page, str(longwire.api.key))
        steps = page.get_by_role("region", name="First steps")
        expect(steps).to_contain_text("1 of 5 done")
        api = longwire.api
        number = api.create("/connections", connection_document(sink.url()))["id"]
        expect(steps).to_contain_text("2 of 5 done")
        configuration = {"asKey": as_key} if as_key else {}
        document = {"name": "LRC", "type": "thingpark", "configuration": configuration}
        server = api.create("/networkServers", document)
        api.create("/flows", {"connectors": [{"connectionId": number}]})
        expect(steps).to_contain_text("4 of 5 done")

        command = steps.get_by_label("Command that sends the first uplink").inner_text()
        if as_key:
            assert command == f"longwire simulate {server['uplinkUrl']} --count 1 --key YOUR_TUNNEL_KEY"
        else:
            url, body = re.findall(r"curl (\S+)|-d '(.+)'", command)[0][0], command.partition("-d '")[2][:-1]
            headers = {"Content-Type": "application/json"}
            assert api.raw("POST", urlsplit(url).path, body.encode(), headers).status == 200
            steps.get_by_role("link", name="look at it").click()
            expect(page.get_by_role("heading", name="Uplink 1 of 000DB5310000A1B2")).to_be_visible()
            road = Road(api, server["id"], urlsplit(url).path, number, "")
            road.send(uplink("000DB5310000A1B2", 2))
            page.goto("/ui/")
            expect(page.get_by_role("heading", name="Uplinks")).to_be_visible()
            expect(steps).to_have_count(0)
        page.context.close()

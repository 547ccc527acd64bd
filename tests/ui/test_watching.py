"""What an operator looks at: how a connection is, what was lost, deliveries found, copied and sent again, the list."""

import re
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Page, expect
from tests.e2e.api_client import Api, Road, build_road, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import uplink
from tests.e2e.sink import HANG, OK, Reply, Sink
from tests.e2e.waiting import wait_until
from tests.ui.conftest import sign_in


@pytest.fixture
def road(api: Api, sink: Sink, dev_eui: str) -> Road:
    headers = {"Authorization": "Bearer hidden", "X-Thing": "{DevEUI}"}
    document = connection_document(sink.url("/in?a=1"), name=f"app {sink.address[1]}", headers=headers)
    return build_road(api, document, [dev_eui])


def test_the_state_card_counts_down_to_the_next_reconnect_and_tells_what_waits(
    page: Page, road: Road, sink: Sink, dev_eui: str
) -> None:
    road.send(uplink(dev_eui, 1))
    road.wait_for_outcomes("DELIVERED")
    sink.close()
    road.send(uplink(dev_eui, 2), uplink(dev_eui, 3))
    road.wait_for_state("CLOSED")
    assert (
        road.api.patch(f"/connections/{road.connection_id}", {"configuration": {"blamePeriod": 0}}).status
        == 200
    )
    road.wait_for_state("CLOSED")
    closed = road.connection
    assert closed["downSince"] <= closed["stateSince"]
    page.goto(f"/ui/connections/{road.connection_id}")
    head = page.locator("#head")
    expect(head).to_contain_text(re.compile(r"Not reachable for \d+ s.*refused"))
    expect(head).to_contain_text("Nothing is lost: 2 messages wait in order.")
    expect(head).to_contain_text(re.compile(r"Waiting\s*2\s*messages, the oldest since \d+ s"))
    expect(head).to_contain_text("half; 95 % within")
    timer = head.get_by_role("timer")
    expect(timer).to_have_text(re.compile(r"^[45]:\d\d$"))
    expect(head).to_contain_text(re.compile(r"at \d\d:\d\d:\d\d UTC, strategy NORMAL"))
    before = timer.inner_text()
    page.clock.run_for(2000)
    assert timer.inner_text() < before

    sink.open()
    page.get_by_role("button", name="Retry now").click()
    road.wait_for_outcomes("DELIVERED", "DELIVERED", "DELIVERED")
    wait_until("the outage is over", lambda: "downSince" not in road.connection)


def test_what_strict_mode_would_have_sent_again_is_told_where_it_is_true(
    page: Page, road: Road, sink: Sink, dev_eui: str
) -> None:
    sink.answer = lambda _: Reply(500)
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    road.wait_for_outcomes("LOST", "LOST")
    page.goto(f"/ui/connections/{road.connection_id}")
    told = page.get_by_text("2 lost in the last hour: strict mode would have resent them.")
    expect(told).to_be_visible()
    page.goto("/ui/")
    expect(told).to_be_visible()
    page.goto(f"/ui/connections/{road.connection_id}")
    page.get_by_role("link", name="Turn on strict mode").click()
    page.locator("#f-value").select_option("true")
    page.get_by_role("button", name="Confirm", exact=True).click()
    page.get_by_role("button", name="Proceed update").click()
    expect(page.locator("#toasts")).to_contain_text("Update done")

    expect(page.get_by_text("strict mode would have resent them")).to_have_count(0)


def test_deliveries_are_found_by_filters_that_stand_in_the_address(
    page: Page, road: Road, sink: Sink, dev_eui: str
) -> None:
    sink.answer = lambda request: Reply(404) if b'"FCntUp":2' in request.body else OK
    road.send(uplink(dev_eui, 1), uplink(dev_eui, 2))
    road.wait_for_outcomes("DELIVERED", "LOST")
    page.goto(f"/ui/connections/{road.connection_id}")
    search = page.locator("form[data-filters]")
    search.get_by_label("Outcome").select_option("LOST")
    search.get_by_label("Answer").select_option("4xx")
    search.get_by_role("button", name="Filter").click()
    expect(page.locator("#deliveries tbody tr")).to_have_count(1)
    assert "outcome=LOST" in page.url
    page.reload()
    expect(page.locator("#deliveries tbody tr")).to_have_count(1)
    expect(search.get_by_label("Outcome")).to_have_value("LOST")

    search.get_by_label("DevEUI").fill("no device")
    search.get_by_role("button", name="Filter").click()
    expect(page.locator("#deliveries").get_by_role("alert")).to_contain_text("devEUI: ")


def test_a_request_is_copied_as_a_command_that_sends_the_same_with_secrets_as_variables(
    page: Page, road: Road, sink: Sink, dev_eui: str
) -> None:
    road.send(uplink(dev_eui, 1))
    (delivered,) = road.wait_for_outcomes("DELIVERED")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/ui/deliveries/{delivered['id']}")
    page.get_by_role("button", name="Copy as curl").click()
    command = page.evaluate("navigator.clipboard.readText()")
    assert "hidden" not in command
    assert '-H "Authorization: $AUTHORIZATION"' in command

    sent = subprocess.run(
        ["bash", "-c", command], env={"AUTHORIZATION": "Bearer mine", "PATH": "/usr/bin:/bin"}, check=False
    )
    assert sent.returncode == 0
    first, again = sink.requests
    assert again.body == first.body
    assert (again.target, again.header("x-thing")) == (first.target, dev_eui)
    assert again.header("authorization") == "Bearer mine"


def test_who_replays_what_was_delivered_is_warned(page: Page, road: Road, dev_eui: str) -> None:
    road.send(uplink(dev_eui, 1))
    (delivered,) = road.wait_for_outcomes("DELIVERED")
    page.goto(f"/ui/deliveries/{delivered['id']}")
    page.get_by_role("link", name="Replay", exact=True).click()

    expect(page.get_by_role("dialog")).to_contain_text(
        "It was delivered already: the destination gets it a second time"
    )


def test_a_replay_that_runs_shows_its_progress_and_is_cancelled(
    page: Page, road: Road, sink: Sink, dev_eui: str
) -> None:
    sink.answer = lambda _: Reply(500)
    road.send(*(uplink(dev_eui, number) for number in range(1, 4)))
    road.wait_for_outcomes("LOST", "LOST", "LOST")
    sink.answer = lambda _: HANG
    now = datetime.now(UTC)
    begin, end = (f"{now + timedelta(hours=hours):%Y-%m-%dT%H:%M}" for hours in (-1, 1))
    page.goto(f"/ui/deadLetters?connection={road.connection_id}&startTime={begin}&endTime={end}&replay=ask")
    page.get_by_role("dialog").get_by_role("button", name="Replay 3").click()
    expect(
        page.get_by_role("status").filter(has_text="0 of 3 sent again, 0 failed. Running.")
    ).to_be_visible()
    page.get_by_role("button", name="Cancel").click()

    expect(page.get_by_role("status").filter(has_text="Cancelled.")).to_be_visible()


def test_a_sample_is_sent_marked_test_and_its_answer_told(page: Page, road: Road, sink: Sink) -> None:
    page.goto(f"/ui/connections/{road.connection_id}")
    page.get_by_role("button", name="Send a sample").click()
    expect(page.locator("#toasts")).to_contain_text("The destination answered 200 in")
    expect(page.locator("#deliveries")).to_contain_text("TEST")
    sink.answer = lambda _: Reply(418)
    page.get_by_role("button", name="Send a sample").click()
    expect(page.locator("#toasts")).to_contain_text("it answered 418")


def test_the_list_is_searched_and_its_menu_deactivates_restarts_and_deletes(
    page: Page, road: Road, sink: Sink
) -> None:
    name = f"app {sink.address[1]}"
    page.goto("/ui/connections")
    page.get_by_role("searchbox").fill(name)
    page.keyboard.press("Enter")
    row = page.get_by_role("row", name=re.compile(name))
    expect(page.locator("tbody tr")).to_have_count(1)
    for action, state in (("Deactivate", "DEACTIVATED"), ("Activate", "OPENED")):
        row.locator("summary").click()
        row.get_by_role("button", name=action).click()
        road.wait_for_state(state)
        page.goto(f"/ui/connections?q={sink.address[1]}")
        expect(row).to_contain_text(state)
    row.locator("summary").click()
    row.get_by_role("button", name="Restart").click()
    expect(page.locator("#toasts")).to_contain_text("reconnects now")
    page.goto(f"/ui/connections?q={sink.address[1]}")
    row.get_by_role("link", name=f"Delete {name}").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("#toasts")).to_contain_text("has been deleted")


@pytest.mark.parametrize("role", ["Writer", "Controller"])
def test_roles_do_on_the_pages_what_they_may(page: Page, road: Road, server: Longwire, role: str) -> None:
    key = server.api.create("/apiKeys", {"name": role, "role": role})["key"]
    page.context.clear_cookies()
    page.goto(f"/ui/connections/{road.connection_id}")
    sign_in(page, key)
    assert page.locator("#downlink").inner_text().endswith("*****") is (role == "Writer")
    page.goto(f"/ui/connections/{road.connection_id}/delete")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("heading", name="Your key does not allow this")).to_be_visible()
    assert road.api.call("GET", f"/connections/{road.connection_id}").status == 200
    page.goto("/ui/apiKeys")
    expect(page.get_by_role("heading", name="Your key does not allow this")).to_be_visible()

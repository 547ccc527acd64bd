"""Rate limits of the API: wrong keys by address, requests by key; ingest has none."""

import pytest
from tests.e2e.api_client import Answer, Api, build_road, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.lrc import uplink
from tests.e2e.sink import Sink
from tests.e2e.test_bad_input import check_error
from tests.e2e.test_process import Maker

FEW = 5


def fail(api: Api) -> Answer:
    return api.with_key("lw_a-wrong-key").call("GET", "/connections")


def check_limited(answer: Answer) -> None:
    check_error(answer, 429)
    assert 1 <= int(answer.headers["retry-after"]) <= 60


@pytest.fixture
def strict(longwire: Maker) -> Longwire:
    """Give a server that forgives few wrong keys."""
    server: Longwire = longwire({"LONGWIRE_MAX_FAILED_LOGINS_PER_MINUTE": str(FEW)})
    return server.start()


def test_after_some_wrong_keys_an_address_must_wait(strict: Longwire) -> None:
    right = strict.api.create("/apiKeys", {"name": "new", "role": "Owner"})["key"]
    assert [fail(strict.api).status for _ in range(FEW)] == [401] * FEW

    check_limited(fail(strict.api))
    # A right key is no way out, or guessing would go on; but who was known here before is not locked out.
    check_limited(strict.api.with_key(right).call("GET", "/connections"))
    assert strict.api.call("GET", "/connections").status == 200
    assert strict.said.count("server.address.limited") == 1


def test_wrong_clients_count_like_wrong_keys(strict: Longwire) -> None:
    client = strict.api.with_key(None)
    body = b"grant_type=client_credentials&client_id=x&client_secret=y"
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    statuses = [client.send("POST", "/oauth/token", body, form).status for _ in range(FEW + 1)]
    assert statuses == [401] * FEW + [429]


def test_a_request_without_a_key_is_no_guess(strict: Longwire) -> None:
    without = strict.api.with_key(None)
    assert {without.call("GET", "/connections").status for _ in range(FEW + 2)} == {401}


def test_a_key_that_asks_too_often_must_wait_and_others_need_not(
    longwire: Maker, sink: Sink, dev_eui: str
) -> None:
    server = longwire({"LONGWIRE_MAX_REQUESTS_PER_MINUTE": "40"}).start()
    road = build_road(server.api, connection_document(sink.url()), [dev_eui])
    reader = server.api.with_key(server.api.create("/apiKeys", {"name": "r", "role": "Reader"})["key"])

    answers = [reader.call("GET", "/connections") for _ in range(60)]

    assert [each.status for each in answers[:40]] == [200] * 40
    check_limited(next(each for each in answers if each.status != 200))
    assert server.api.call("GET", "/connections").status == 200
    road.send(*(uplink(dev_eui, f_cnt) for f_cnt in range(60)))
    assert len(sink.wait_for(60)) == 60

"""No page fails: whatever is stored, and whatever is written into its forms and addresses."""

import itertools
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.e2e.api_client import Road, build_road, connection_document
from tests.e2e.longwire_process import Longwire
from tests.e2e.sink import Reply, Sink
from tests.e2e.visitor import Form, Visitor, forms_of, visit_everything
from tests.e2e.waiting import wait_until

DEVICE = "0059AC00000000F1"
RUBBISH = (
    "",
    " ",
    "-1",
    "9" * 400,
    "1e999",
    "NaN",
    "\0\x07\u202e\ud800",
    "<script>alert(1)</script>\"'{{7*7}}{%",
    "../../../etc/passwd?#%00",
    "2026-99-99T99:99",
    "0001-01-01T00:00",
    "x" * 70_000,
)
CREATE = "/ui/connections/create/http"
ODD_PATHS = (
    "/ui/{}",
    "/ui/connections/{}",
    "/ui/connections/{}/stream",
    "/ui/deliveries/{}",
    "/ui/devices/{}",
    "/ui/devices/{}/stream",
    "/ui/replays/{}",
    "/ui/replays/{}/progress",
    "/ui/static/{}",
)
PARAMETERS = (
    "page",
    "period",
    "edit",
    "attempt",
    "delete",
    "toast",
    "q",
    "state",
    "devEUI",
    "startTime",
    "tag",
)
# Odd numbers as they stand in JSON: no float holds the first ones.
NUMBERS = ("1e999", "-1e999", "1E-999", "123456789012345678901234567890", "-0", "1.50", "0e0")
_words = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
_values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        _words,
        st.sampled_from(NUMBERS).map(lambda text: f"\0{text}"),
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(_words, inner, max_size=3)),
    max_leaves=6,
)
_TOLD = (
    "FPort",
    "FCntUp",
    "LrrRSSI",
    "LrrSNR",
    "payload_hex",
    "payload",
    "CustomerData",
    "DriverCfg",
    "Time",
)
_members = st.dictionaries(st.one_of(st.sampled_from(_TOLD), _words), _values, max_size=8)


def written(value: Any) -> str:
    """Return JSON whose odd numbers are numbers."""
    text = json.dumps(value)
    for number in NUMBERS:
        text = text.replace(f'"\\u0000{number}"', number)
    return text


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Any:
    odd = itertools.cycle(
        (
            Reply(200, body=b"\xff\xfe\0"),
            Reply(500, (("X-Odd", "caf\u00e9"),), b'{"a": 1e999}'),
            Reply(299, body=b"[" * 5000),
        )
    )
    with Longwire(tmp_path_factory.mktemp("holds")).start() as server, Sink() as sink:
        sink.answer = lambda _: next(odd)
        document = connection_document(
            sink.url("/{payload.a}"), name="odd", headers={"X-Odd": "{payload}", "Authorization": "secret"}
        )
        yield build_road(server.api, {**document, "debug": True}, [DEVICE])


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(members=_members)
def test_pages_show_whatever_a_message_holds(road: Road, members: dict[str, Any]) -> None:
    uplink = {"DevEUI": DEVICE, **{name: value for name, value in members.items() if name != "DevEUI"}}
    answer = road.ingest("", written({"DevEUI_uplink": uplink}).encode())
    assert answer.status in {200, 400}, answer
    if answer.status == 400:
        return
    (newest,) = road.api.get("/deliveries?perPage=1")
    path = f"/deliveries/{newest['id']}"
    wait_until("it is settled", lambda: road.api.call("GET", path).body.find(b'"outcome":"QUEUED"') < 0)

    visitor = Visitor(road.api)
    for page in (
        path,
        f"/devices/{DEVICE}",
        f"/connections/{road.connection_id}",
        "/",
        "/devices",
        "/deadLetters",
    ):
        visitor.see(f"/ui{page}")


@pytest.fixture(scope="module")
def pages(road: Road) -> dict[str, str]:
    """Give every page of a server that has one of each thing."""
    road.ingest("", b'{"DevEUI_uplink":{"DevEUI":"%s","FCntUp":1}}' % DEVICE.encode())
    return visit_everything(road.api, CREATE, f"/ui/devices/{DEVICE}?add")


def test_forms_take_any_rubbish(road: Road, pages: dict[str, str]) -> None:
    visitor = Visitor(road.api)
    forms = {
        (form.action, tuple(name for name, _ in form.fields)): form
        for path, text in pages.items()
        for form in forms_of(path, text)
        if not form.action.endswith(("/delete", "/signOut"))
    }
    assert len(forms) > 15
    for form in forms.values():
        for fields in rubbish_for(form):
            answer = visitor.send(form, fields)
            assert answer.status < 500, (form.action, fields, answer)
            assert b"csrf: the form" not in answer.body, (form.action, answer)
    for field in ("", "nothing", "headers"):
        judge = Form("post", f"{CREATE}/validate?field={field}", ())
        assert visitor.send(judge, forms_of(CREATE, pages[CREATE])[-1].fields).status == 200


def test_addresses_take_any_rubbish(road: Road, pages: dict[str, str]) -> None:
    visitor = Visitor(road.api)
    paths = {path.partition("?")[0] for path in pages}
    for path, name, value in itertools.product(paths, PARAMETERS, RUBBISH):
        visitor.see(f"{path}?{name}={quote(value[:2000], errors='surrogatepass')}")
    for path, odd in itertools.product(ODD_PATHS, RUBBISH):
        visitor.see(path.format(quote(odd[:200], safe="", errors="surrogatepass")))


def rubbish_for(form: Form) -> list[list[tuple[str, str]]]:
    """Return the fields of a form with rubbish in one of them, and with all of them left out but the token."""
    token = [(name, value) for name, value in form.fields if name == "csrf"]
    buttons = {"preview", "addHeader", "removeHeader", "find", "replay"}
    filled = [each for each in form.fields if each[0] not in buttons]
    return [
        token,
        *(
            [
                (name, value if at == number and name != "csrf" else before)
                for number, (name, before) in enumerate(filled)
            ]
            for at in range(len(filled))
            for value in RUBBISH
        ),
    ]

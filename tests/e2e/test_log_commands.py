"""`longwire deliveries`, `replay` and `tail`, as a script and a person would use them."""

import json
import signal
import subprocess
from collections.abc import Callable, Mapping

import pytest
from tests.e2e.api_client import Api, Json, Road, build_road, connection_document
from tests.e2e.longwire_process import OWNER_KEY, PROGRAM, Longwire, environment
from tests.e2e.lrc import uplink
from tests.e2e.sink import OK, Reply, Sink
from tests.e2e.waiting import wait_until

DONE, FAILED, USAGE, SOME_FAILED, CANCELLED = 0, 1, 2, 3, 130
LOSE = Reply(500)

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def at(shared: Longwire) -> Mapping[str, str]:
    return {"LONGWIRE_URL": f"http://127.0.0.1:{shared.port}", "LONGWIRE_KEY": OWNER_KEY}


@pytest.fixture
def run(at: Mapping[str, str]) -> Run:
    def start(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAM, *arguments],
            env=environment({**at, **settings}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return start


@pytest.fixture
def road(api: Api, sink: Sink, dev_eui: str) -> Road:
    """Give a road that has lost three messages, and delivers from now on."""
    sink.answer = lambda _: LOSE
    built = build_road(api, connection_document(sink.url()), [dev_eui])
    built.send(*(uplink(dev_eui, number) for number in (1, 2, 3)))
    built.wait_for_outcomes("LOST", "LOST", "LOST")
    sink.answer = lambda _: OK
    return built


def read(done: subprocess.CompletedProcess[str]) -> list[Json]:
    assert done.returncode == DONE, done.stderr
    found: list[Json] = json.loads(done.stdout)
    return found


def test_deliveries_are_printed_by_filter_as_json_and_as_a_table(road: Road, run: Run, dev_eui: str) -> None:
    of_road = ("deliveries", "--connection", road.connection_id)
    assert read(run(*of_road, "--json")) == road.deliveries()[::-1]
    assert [each["fCnt"] for each in read(run(*of_road, "--limit", "2", "--json"))] == [3, 2]
    both = ("--outcome", "LOST", "--outcome", "EXPIRED")
    assert len(read(run(*of_road, *both, "--device", dev_eui, "--status", "5xx", "--json"))) == 3
    assert read(run(*of_road, "--since", "1h", "--until", "30m", "--json")) == []
    assert len(read(run(*of_road, "--since", "1h", "--text", "fcntup", "--json"))) == 3

    table = run(*of_road).stdout.splitlines()

    assert table[0].split()[:3] == ["id", "received", "outcome"]
    assert len(table) == 4
    assert "LOST" in table[1]
    assert "the destination answered 500" in table[1]


def test_one_message_is_sent_again_by_its_id(road: Road, run: Run) -> None:
    delivery = road.deliveries()[0]

    done = run("replay", delivery["id"])

    assert (done.returncode, done.stdout) == (DONE, f"delivery {delivery['id']} waits to be sent\n")
    road.wait_for_outcomes("DELIVERED", "LOST", "LOST")


def test_a_filter_is_counted_and_then_sent_again(road: Road, run: Run) -> None:
    of_road = ("replay", "--connection", road.connection_id)
    counted = run(*of_road, "--dry-run")
    assert (counted.returncode, counted.stdout) == (DONE, "3 would be sent again\n")

    done = run(*of_road)

    assert (done.returncode, done.stdout) == (DONE, "done: 3 of 3 delivered, 0 not\n")
    road.wait_for_outcomes("DELIVERED", "DELIVERED", "DELIVERED")
    assert json.loads(run(*of_road, "--json").stdout)["count"] == 0


def test_what_is_not_delivered_again_is_told_by_the_exit_code(road: Road, sink: Sink, run: Run) -> None:
    sink.answer = lambda _: LOSE

    done = run("replay", "--connection", road.connection_id, "--json")

    assert done.returncode == SOME_FAILED
    job = json.loads(done.stdout)
    assert (job["state"], job["done"], job["failed"]) == ("done", 0, 3)


def test_ctrl_c_takes_back_what_was_not_sent(road: Road, sink: Sink, at: Mapping[str, str]) -> None:
    assert road.put(connection_document(sink.url(), active=False)).status == 200
    road.wait_for_state("DEACTIVATED")
    process = subprocess.Popen(
        [PROGRAM, "replay", "--connection", road.connection_id],
        env=environment(at),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    road.wait_for_outcomes("QUEUED", "QUEUED", "QUEUED")

    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=30)

    assert process.returncode == CANCELLED
    assert said == "cancelled: 0 of 3 delivered, 0 not\n"
    road.wait_for_outcomes("LOST", "LOST", "LOST")


def test_a_replay_that_was_begun_goes_on_without_the_command(road: Road, run: Run, api: Api) -> None:
    begun = run("replay", "--connection", road.connection_id, "--detach", "--json")

    assert begun.returncode == DONE
    job = json.loads(begun.stdout)["id"]
    wait_until("the replay is done", lambda: api.get(f"/replays/{job}")["state"] == "done")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("replay",), USAGE, "a filter, or --all"),
        (("replay", "1", "--device", "0059AC0000000001"), USAGE, "not both"),
        (("deliveries", "--since", "yesterday"), USAGE, "--since"),
        (("replay", "999999999"), FAILED, "no such delivery"),
        (("deliveries", "--outcome", "lost"), FAILED, "outcome"),
        (("replay", "--outcome", "QUEUED"), FAILED, "waits already"),
    ],
)
def test_what_makes_no_sense_has_an_exit_code_and_a_message(
    run: Run, arguments: tuple[str, ...], code: int, said: str
) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert said in " ".join(done.stderr.replace("│", " ").split())


def test_a_server_that_does_not_answer_is_told(run: Run) -> None:
    done = run("deliveries", LONGWIRE_URL="http://127.0.0.1:1")
    assert done.returncode == FAILED
    assert "no answer from http://127.0.0.1:1" in done.stderr


def test_tail_prints_what_happens_from_now_on(
    road: Road, sink: Sink, dev_eui: str, at: Mapping[str, str]
) -> None:
    sink.answer = lambda request: LOSE if b'"FCntUp":5' in request.body else OK
    command = [PROGRAM, "tail", "--connection", road.connection_id, "--json", "--count", "2"]
    with subprocess.Popen(command, env=environment(at), stdout=subprocess.PIPE, text=True) as process:
        numbers = iter(range(4, 400))

        def is_seen() -> bool:
            """Send until the tail has begun: what came before it is not shown."""
            road.send(uplink(dev_eui, next(numbers)))
            return process.poll() is not None

        wait_until("the tail has ended", is_seen, timeout_s=30)
        assert process.stdout is not None
        lines = [json.loads(line) for line in process.stdout.read().splitlines()]

    assert process.returncode == DONE
    assert len(lines) == 2
    assert {each["connectionId"] for each in lines} == {road.connection_id}
    assert min(each["fCnt"] for each in lines) >= 4
    assert {each["outcome"] for each in lines} <= {"DELIVERED", "LOST"}

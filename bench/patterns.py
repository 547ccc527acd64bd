"""What a pattern costs on one uplink, in CPU time: `python -m bench.patterns`."""

import json
import time
import timeit
from collections.abc import Callable

from tests.samples.files import read_lines
from tests.samples.lrc_xml import as_xml

from longwire.core.pattern import compile_pattern, render
from longwire.core.reading import read_message
from longwire.sources.thingpark_xml import to_json

PATTERNS = [
    "{DevEUI}",
    "{CustomerData.name}",
    "{$.DevEUI_uplink.CustomerData.name}",
    "{$.DevEUI_uplink.Lrrs.Lrr[0].Lrrid}",
    "{$..Lrrid}",
    "{$..Lrr[?(@.LrrRSSI > -100)].Lrrid}",
    "{$..CustomerData.tags[?(@ =~ /Paris:.*/)]}",
    "{$..[?(@.alr)].name}",
    "{$..*}",
]
RUNS = 1000


def best_us(work: Callable[[], object]) -> float:
    return min(timeit.repeat(work, number=RUNS, repeat=5, timer=time.process_time)) / RUNS * 1e6


def costs_us(pattern: str, body: bytes) -> tuple[float, float]:
    """Return what a pattern costs on a message that others have read before, and alone."""
    compiled = compile_pattern(pattern, "header")

    def alone() -> None:
        render(compiled, read_message(body))

    def twice() -> None:
        reading = read_message(body)
        render(compiled, reading)
        render(compiled, reading)

    first = best_us(alone)
    return best_us(twice) - first, first


def main() -> None:
    body = json.dumps(read_lines("jayway_answers.jsonl")[0]["document"], separators=(",", ":")).encode()
    print(f"read {len(body)} bytes: {best_us(lambda: read_message(body)):.1f} us")
    for pattern in PATTERNS:
        after_others, alone = costs_us(pattern, body)
        print(f"{after_others:6.1f} {alone:6.1f}  {pattern}")
    xml = as_xml(read_lines("lrc_events.jsonl")[0]["body"])
    print(f"XML of {len(xml)} bytes to JSON: {best_us(lambda: to_json(xml)):.0f} us")


if __name__ == "__main__":
    main()

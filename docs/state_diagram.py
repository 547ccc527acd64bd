"""Writes docs/states.md from the table in core/connection_state: `python docs/state_diagram.py`."""

from datetime import timedelta
from pathlib import Path

from longwire.core.connection_state import TABLE, Event, Status
from longwire.core.schedule import FAST_OFFSETS, STAGES, Strategy

PAGE = Path(__file__).with_name("states.md")
# Every state has these; drawn from each of them they would hide the rest.
_FROM_ANY = (Event.CONNECT, Event.DEACTIVATE, Event.HOST_LOST, Event.RESUME)

_UNITS = (("days", 86_400), ("h", 3600), ("min", 60), ("s", 1))
_TOLD = """## What is told

The log (`lane.state.changed`) and the event of an open connection speak of the moment of the trouble, so they say
CLOSING: the schedule counts from there, and CLOSED follows by itself when nothing is in flight any more. One that never
opened is told as CLOSED. Further tries tell nothing, but for credentials that are refused and a strategy that gives up.
OPENED is told at the first complete response, not at the probe. A destination that flaps is told once a minute.
"""

_HEAD = """# The life of a connection

Written by `python docs/state_diagram.py` from the table in `src/longwire/core/connection_state.py`; a test compares.

## States

```mermaid
stateDiagram-v2
"""


def page() -> str:
    """Return the page: the diagram, what any state does, and the schedules."""
    return (
        _HEAD + "".join(_arrows()) + "```\n\n" + "".join(_from_any()) + "".join(_schedules()) + "\n" + _TOLD
    )


def _arrows() -> list[str]:
    return [
        f"    {status.value} --> {target.value}: {event.value}\n"
        for (status, event), target in TABLE.items()
        if event not in _FROM_ANY
    ]


def _from_any() -> list[str]:
    lines = ["| In | when | it becomes |\n", "|---|---|---|\n"]
    for event in _FROM_ANY:
        targets = dict.fromkeys(TABLE[status, event] for status in Status if (status, event) in TABLE)
        states = [status.value for status in Status if (status, event) in TABLE]
        where = "any state" if len(states) == len(Status) else ", ".join(states)
        lines += [f"| {where} | {event.value} | {target.value} |\n" for target in targets]
    return [*lines, "\nAny other pair of state and event changes nothing.\n\n"]


def _schedules() -> list[str]:
    fast = ", ".join(f"{offset.total_seconds():.0f}" for offset in FAST_OFFSETS)
    lines = [
        "## Reconnecting\n\n",
        "Every time counts from the closing, so neither traffic nor a restart moves it.\n",
        "Jitter: up to 10 %, at most 60 s.\n\n",
        f"First, as far as `blamePeriod` reaches and not for EXPONENTIAL: after {fast} s. Then:\n\n",
        "| `reconnectStrategy` | tries |\n",
        "|---|---|\n",
    ]
    return [*lines, *(f"| {strategy.value} | {_stages(strategy)} |\n" for strategy in Strategy)]


def _stages(strategy: Strategy) -> str:
    words = []
    for stage in STAGES[strategy]:
        is_last = stage.until.days > 365 * 1000
        until = "for ever" if is_last else f"until {_in_words(stage.until)} after it"
        words.append(f"every {_in_words(stage.every)} {until}")
    end = "" if "for ever" in words[-1] else "; then CLOSED until a restart or an update"
    return "; ".join(words) + end


def _in_words(duration: timedelta) -> str:
    left = int(duration.total_seconds())
    words = []
    for unit, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            words.append(f"{count} {'day' if (unit, count) == ('days', 1) else unit}")
    return " ".join(words)


if __name__ == "__main__":
    PAGE.write_text(page())

"""Writes docs/events.md from the catalogue in core/event.py; run it after a change there."""

from pathlib import Path

from longwire.core.event import ADVICE, COUNTED_FOR, Entry, Kind
from longwire.storage.events import KEPT_FOR, MOST_KEPT

PAGE = Path(__file__).parent / "events.md"


def page() -> str:
    """Return the page."""
    minutes = int(COUNTED_FOR.total_seconds() // 60)
    lines = [
        "# Events\n\n",
        "Written by `python docs/event_catalogue.py` from the table in `src/longwire/core/event.py`;\n",
        "a test compares.\n\n",
        "`GET /iot-flow/v1/events?startTime&endTime&q_connectionId&q&page&perPage`, newest first: what happened,\n",
        "why, and what to do. `startTime` is inclusive, `endTime` exclusive; `q` finds a text in any case.\n\n",
        f"- What is **counted** becomes one event for {minutes} minutes per connection: `data.count` grows,\n",
        "  `data.lastTime` moves on, the causes are told apart with their numbers. No count is lost.\n",
        "- A destination that flaps makes at most one pair of closing and opened a minute; the next one says how\n",
        "  often it happened in between.\n",
        f"- Events are kept {KEPT_FOR.days} days, at most the newest {MOST_KEPT:,}.\n",
        "- Events never hold up a delivery: they are gathered in memory and written every second. A `kill -9` loses\n",
        "  what occurred within the last second; what became of messages is in the delivery log in any case.\n",
        "- Each new event is a line of the program's log too (`events.event.told`, with its code).\n\n",
        "| Code | Level | What | The text | What to do | Counted |\n",
        "|---|---|---|---|---|---|\n",
        *(_line(kind.value) for kind in Kind),
        "\n## What to do when a connection closes\n\n",
        "The cause's first word is that of the attempt in the delivery log.\n\n",
        "| Cause | What to do |\n",
        "|---|---|\n",
        *(
            f"| `{cause}` | {advice or 'The cause itself names the setting'} |\n"
            for cause, advice in ADVICE.items()
        ),
    ]
    return "".join(lines)


def _line(entry: Entry) -> str:
    text = entry.text.replace("{connection}", "*name* with id *id*")
    for name in ("cause", "times", "discarded", "marked", "unrecorded"):
        text = text.replace(f"{{{name}}}", f"*{name}*")
    cells = (
        f"`{entry.code}`",
        entry.level.value,
        entry.title,
        text,
        entry.advice,
        "yes" if entry.is_counted else "",
    )
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


if __name__ == "__main__":
    PAGE.write_text(page())

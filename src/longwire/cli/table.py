"""Rows for people: columns as wide as what stands in them."""

from collections.abc import Iterable, Sequence

_LONGEST = 80


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print a heading and the rows; `-` stands for nothing."""
    shown = [tuple(columns), *(tuple(_text(each) for each in row) for row in rows)]
    widths = [max(len(row[i]) for row in shown) for i in range(len(columns))]
    for row in shown:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def _text(value: object) -> str:
    text = "-" if value is None or value == "" else str(value)
    # What a destination said must not steer a terminal.
    printable = "".join(each if each.isprintable() else " " for each in text)
    return printable if len(printable) <= _LONGEST else printable[: _LONGEST - 1] + "…"

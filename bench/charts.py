"""Plain SVG, made of text: bars that lie, and a histogram that stands."""

from collections.abc import Sequence
from html import escape

WIDTH = 720
_LABEL, _VALUE, _ROW, _TOP = 180, 110, 30, 44
_HEIGHT = 220
_STYLE = """<style>
  text { font: 14px system-ui, sans-serif; fill: #1f2328 } .title { font-weight: 600 } .small { font-size: 11px }
  .paper { fill: #ffffff } .bar { fill: #8c959f } .ours { fill: #0969da } .line { stroke: #8c959f }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .paper { fill: #0d1117 } .bar { fill: #6e7681 } .ours { fill: #4493f8 }
  }
</style>"""


def bars(title: str, rows: Sequence[tuple[str, float]], ours: str) -> str:
    """Return a chart of named values, the largest as wide as there is room; `ours` is coloured."""
    room = WIDTH - _LABEL - _VALUE
    most = max(value for _, value in rows)
    parts = []
    for number, (name, value) in enumerate(rows):
        y, width = _TOP + number * _ROW, max(1.0, room * value / most)
        kind = "ours" if name == ours else "bar"
        parts += [
            f'<text x="{_LABEL - 10}" y="{y + 16}" text-anchor="end">{escape(name)}</text>',
            f'<rect class="{kind}" x="{_LABEL}" y="{y}" width="{width:.1f}" height="22" rx="2"/>',
            f'<text x="{_LABEL + width + 8:.1f}" y="{y + 16}">{value:,.0f}</text>',
        ]
    return _page(title, _TOP + len(rows) * _ROW + 8, parts)


def histogram(title: str, bounds: Sequence[float], counts: Sequence[int]) -> str:
    """Return a chart of how many lie below each bound and above the one before; the last count has no bound."""
    most, step, floor = max(counts), (WIDTH - 40) / len(counts), _HEIGHT - 36
    parts = [f'<line class="line" x1="20" y1="{floor}" x2="{WIDTH - 20}" y2="{floor}"/>']
    for number, (count, name) in enumerate(
        zip(counts, [*(f"{each:g}" for each in bounds), "more"], strict=True)
    ):
        height = (floor - _TOP) * count / most
        x, y, middle = 22 + number * step, floor - height, 20 + (number + 0.5) * step
        parts += [
            f'<rect class="ours" x="{x:.1f}" y="{y:.1f}" width="{step - 4:.1f}" height="{height:.1f}"/>',
            f'<text class="small" x="{middle:.1f}" y="{floor + 16}" text-anchor="middle">{name}</text>',
        ]
    return _page(title, _HEIGHT, parts)


def _page(title: str, height: float, parts: Sequence[str]) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" role="img">'
    name = f'<title>{escape(title)}</title>\n<rect class="paper" width="100%" height="100%"/>'
    heading = f'<text class="title" x="20" y="26">{escape(title)}</text>'
    return "\n".join((head, name, _STYLE, heading, *parts, "</svg>")) + "\n"

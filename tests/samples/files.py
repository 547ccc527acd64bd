"""The recorded samples of this folder."""

import json
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent


def read_lines(name: str) -> list[dict[str, Any]]:
    """Return the objects of a sample file, one a line."""
    return [json.loads(line) for line in (FOLDER / name).read_text().splitlines()]

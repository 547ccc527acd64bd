"""What the documents show is what the code says."""

import importlib.util
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"


def test_the_diagram_of_the_states_is_that_of_the_table() -> None:
    spec = importlib.util.spec_from_file_location("state_diagram", DOCS / "state_diagram.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / "states.md").read_text() == module.page(), "run: python docs/state_diagram.py"

"""A question that is asked before something is done."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dialog:
    """Title and text; `action` gets the fields when the button is pressed, `cancel` is where one goes back to."""

    text: str
    cancel: str
    action: str
    button: str
    fields: Sequence[tuple[str, str]] = ()
    title: str = "Confirmation"

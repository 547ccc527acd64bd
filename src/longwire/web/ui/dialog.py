"""A question that is asked before something is done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from longwire.web.ui.page import PageRequest, frame_of


@dataclass(frozen=True, slots=True)
class Dialog:
    """Title and text; `action` gets the fields when the button is pressed, `cancel` is where one goes back to."""

    text: str
    cancel: str
    action: str
    button: str
    fields: Sequence[tuple[str, str]] = ()
    title: str = "Confirmation"


def ask_deletion(request: PageRequest, path: str, names: Mapping[str, str], then: str) -> Dialog | None:
    """Return the question before one of these is deleted, when the address asks for it; `then` is what follows."""
    number = request.query_params.get("delete", "")
    if number not in names:
        return None
    base = f"{frame_of(request).prefix}/ui/{path}"
    question = f'"{names[number]}" will be deleted. {then} Are you sure you want to proceed?'
    return Dialog(question, base, f"{base}/{number}/delete", "Delete")

"""The page that says why something did not work."""

from longwire.web.ui.render import Frame, text

_TITLES = {
    403: "Your key does not allow this",
    404: "There is nothing here",
    413: "This is too long",
    501: "Not available yet",
    503: "The store is not available now",
}


def problem_text(frame: Frame, status: int, why: str) -> str:
    """Return the page as a whole."""
    title = _TITLES.get(status, "This did not work")
    return text(frame, "problem.html", title=title, text=why, toast=None)

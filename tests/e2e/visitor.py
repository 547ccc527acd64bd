"""A visitor of the pages without a browser: signs in with a key, and follows every link there is."""

from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from tests.e2e.api_client import Api

MOST_PAGES = 400


class _Links(HTMLParser):
    """Collects where a page leads by GET."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if value and name in ({"href", "hx-get"} if tag == "a" else {"hx-get"}):
                self.found.append(value)


class Visitor:
    """Whoever holds the API's key, signed in to the pages."""

    def __init__(self, api: Api) -> None:
        form = urlencode({"key": api.key}).encode()
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        answer = api.raw("POST", "/ui/signIn", form, kind)
        assert answer.status == 303, answer
        self._api = api
        self._cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}

    def see(self, path: str) -> str:
        """Return a page, which may say that there is nothing, but not that it failed."""
        answer = self._api.raw("GET", path, headers=self._cookie)
        assert answer.status < 500, (path, answer)
        return answer.body.decode()


def visit_everything(api: Api, *also: str) -> dict[str, str]:
    """Return every page the holder of the key can reach by links from the dashboard, or from `also`, by its address."""
    visitor = Visitor(api)
    pages: dict[str, str] = {}
    waiting = ["/ui/", *also]
    while waiting and len(pages) < MOST_PAGES:
        path = waiting.pop()
        if path not in pages:
            pages[path] = visitor.see(path)
            waiting += _links_of(path, pages[path])
    return pages


def _links_of(path: str, text: str) -> list[str]:
    links = _Links()
    links.feed(text)
    parts = [urlsplit(urljoin(path, link)) for link in links.found]
    return [
        f"{part.path}?{part.query}" if part.query else part.path
        for part in parts
        if not part.scheme and part.path.startswith("/ui/") and not part.path.startswith("/ui/static/")
    ]

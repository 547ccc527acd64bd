"""A visitor of the pages without a browser: signs in with a key, and follows every link there is."""

from collections.abc import Sequence
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from tests.e2e.api_client import Answer, Api

MOST_PAGES = 400
_KIND = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True)
class Form:
    """A form of a page: where it leads, and its fields with their values."""

    method: str
    action: str
    fields: tuple[tuple[str, str], ...]


class _Forms(HTMLParser):
    """Collects the forms of a page; the text of a textarea is left out."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[Form] = []
        self._method = self._action = ""
        self._fields: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._method, self._action = given.get("method", "get"), given.get("action", "")
            self._fields = []
        elif tag in {"input", "select", "textarea", "button"} and given.get("name"):
            self._fields.append((given["name"], given.get("value", "")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._method != "dialog":
            self.found.append(Form(self._method, self._action, tuple(self._fields)))


def forms_of(path: str, text: str) -> list[Form]:
    """Return the forms of a page, each with the path it leads to."""
    forms = _Forms()
    forms.feed(text)
    here = path.partition("?")[0]
    return [Form(each.method, each.action or here, each.fields) for each in forms.found]


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
        answer = api.raw("POST", "/ui/signIn", urlencode({"key": api.key}).encode(), _KIND)
        assert answer.status == 303, answer
        self._api = api
        self._token = ""
        self._cookie = {"Cookie": answer.headers["set-cookie"].partition(";")[0]}

    def see(self, path: str) -> str:
        """Return a page, which may say that there is nothing, but not that it failed."""
        answer = self._api.raw("GET", path, headers=self._cookie)
        assert answer.status < 500, (path, answer)
        return answer.body.decode()

    def send(self, form: Form, fields: Sequence[tuple[str, str]]) -> Answer:
        """Return what a form answers with these fields, as if it stood on a page of this session."""
        if not self._token:
            self._token = dict(forms_of("/ui/", self.see("/ui/"))[0].fields)["csrf"]
        fields = [(name, self._token if name == "csrf" else value) for name, value in fields]
        text = urlencode(fields, errors="surrogatepass").encode()
        if form.method == "get":
            return self._api.raw("GET", f"{form.action}?{text.decode()}", headers=self._cookie)
        return self._api.raw("POST", form.action, text, {**self._cookie, **_KIND})


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

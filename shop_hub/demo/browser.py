"""A small browser for simulated people: pages, links, forms with their hidden fields, cookies; no scripts.

People see a page as its title, its notices and the rows of its tables, and go on by a link or a form. Both are named by
a part of their address, since that is the same in every language.
"""

import http.client
import http.cookiejar
import re
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, TypeVar

Found = TypeVar("Found")
TIMEOUT_S = 20.0
FIRST_ERROR = 400
VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "source", "track", "wbr"})
UNREAD = frozenset({"script", "style", "svg", "template"})
WAITS = re.compile(r"\bevery [12]s\b")
BUTTON_TYPES = frozenset({"submit", "button", "reset", "image", "file"})
Attributes = dict[str, str]


class NotThereError(Exception):
    """A page has no such link, form or button."""


class RefusedError(Exception):
    """The hub answered with an error status; the text is what the page says."""

    def __init__(self, page: "Page") -> None:
        super().__init__(f"{page.status} {page.address}: {page.words or page.title}")
        self.page = page


@dataclass(frozen=True)
class Link:
    """A link and what stands on it."""

    address: str
    text: str


@dataclass
class Form:
    """A form as it stands on the page; `fields` are what would be sent, `buttons` the (name, value) of each button."""

    method: str
    address: str
    id: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    options: dict[str, list[str]] = field(default_factory=dict)
    """What can be chosen, by the name of each list."""
    buttons: list[tuple[str, str]] = field(default_factory=list)


@dataclass
class Page:
    """What a person sees."""

    address: str
    status: int = 200
    title: str = ""
    notices: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    forms: list[Form] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    figures: list[str] = field(default_factory=list)
    """Numbers that are shown large."""
    is_waiting: bool = False
    """The page looks again every second or two, since a machine is at work."""

    @property
    def words(self) -> str:
        """Return what the page tells, apart from its title."""
        return " ".join(self.notices)

    def links_to(self, part: str) -> list[Link]:
        """Return the links with this in the path of their address."""
        return [link for link in self.links if part in urllib.parse.urlsplit(link.address).path]

    def forms_to(self, part: str) -> list[Form]:
        """Return the forms with this in the path of their address."""
        return [form for form in self.forms if part in urllib.parse.urlsplit(form.address).path]

    def link(self, part: str) -> Link:
        """Return the first of `links_to`.

        Raises:
            NotThereError: there is none.
        """
        return self._first(self.links_to(part), "link", part)

    def form(self, part: str, *, button: str = "") -> Form:
        """Return the first of `forms_to`, or the first that has a button of this value.

        Raises:
            NotThereError: there is none.
        """
        found = [form for form in self.forms_to(part) if not button or button in dict(form.buttons).values()]
        return self._first(found, "form", f"{part} {button}".strip())

    def _first(self, found: list[Found], kind: str, part: str) -> Found:
        if not found:
            raise NotThereError(f"{self.address} ({self.title}; {self.words}) has no {kind} {part}")
        return found[0]


class Browser:
    """Keeps cookies and knows the shop's address."""

    def __init__(self, base_url: str) -> None:
        self._base = base_url
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
            _AnyStatus(),
        )

    def go(self, address: str) -> Page:
        """Open a page; redirects are followed.

        Raises:
            RefusedError: an error status.
            OSError: the hub does not answer.
        """
        return self._open(urllib.request.Request(urllib.parse.urljoin(self._base, address)))  # noqa: S310 - our own hub

    def follow(self, page: Page, part: str) -> Page:
        """Open the first link of a page with this in its path.

        Raises:
            NotThereError: there is none.
            RefusedError, OSError: as in `go`.
        """
        return self.go(page.link(part).address)

    def submit(self, form: Form, *, button: str = "", **values: str) -> Page:
        """Send a form with some fields filled in, by one of its buttons.

        Args:
            form: a form of the page that was shown last.
            button: value of the button; empty takes the first one, as the Enter key does.
            values: what is typed or chosen, by the name of the field.

        Raises:
            NotThereError: the form has no such field or button.
            RefusedError, OSError: as in `go`.
        """
        missing = values.keys() - form.fields.keys()
        pressed = [pair for pair in form.buttons if not button or pair[1] == button][:1]
        if missing or (button and not pressed):
            raise NotThereError(f"the form {form.address} has no {', '.join(missing) or button}")
        sent = {**form.fields, **values, **{name: value for name, value in pressed if name}}
        text = urllib.parse.urlencode(sent)
        if form.method == "get":
            return self.go(f"{form.address}?{text}")
        address = urllib.parse.urljoin(self._base, form.address)
        return self._open(urllib.request.Request(address, data=text.encode()))  # noqa: S310 - our own hub

    def _open(self, request: urllib.request.Request) -> Page:
        request.add_header("Accept-Language", "de")
        try:
            with self._opener.open(request, timeout=TIMEOUT_S) as answer:
                page = read(answer.read().decode(), address=answer.url, status=answer.status)
        except http.client.HTTPException as error:  # the hub died in the middle of its answer
            raise ConnectionAbortedError(str(error)) from error
        if page.status >= FIRST_ERROR:
            raise RefusedError(page)
        return page


def read(html: str, *, address: str, status: int = 200) -> Page:
    """Read a page."""
    parser = _Parser(Page(address, status))
    parser.feed(html)
    parser.close()
    return parser.page


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    """Leaves answers of status 400 and above as they are: people read them. Redirects are followed as always."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        return response if response.code >= FIRST_ERROR else super().http_response(request, response)

    https_response = http_response


class _Parser(HTMLParser):
    """Fills a page."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self._form: Form | None = None
        self._by_id: dict[str, Form] = {}
        self._texts: list[tuple[str, str, list[str]]] = []
        """Texts that are being read: the element that ends each, what it is for, its parts."""
        self._link = ""
        self._select = ""
        self._unread = 0
        self._open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag not in VOID:
            self._open.append(tag)
        if tag in UNREAD:
            self._unread += 1
        classes = attributes.get("class", "").split()
        self.handle_data(" ")
        if "notice" in classes or "sign" in classes:
            self._begin(tag, "notice")
        elif "figure" in classes:
            self._begin(tag, "figure")
        if WAITS.search(attributes.get("hx-trigger", "")):
            self.page.is_waiting = True
        reader = getattr(self, f"_read_{tag}", None)
        if reader is not None:
            reader(attributes)

    def handle_endtag(self, tag: str) -> None:
        if tag in UNREAD:
            self._unread = max(0, self._unread - 1)
        while self._open and tag in self._open:
            ended = self._open.pop()
            while self._texts and self._texts[-1][0] == f"{len(self._open)}{ended}":
                _place, kind, parts = self._texts.pop()
                self._end(kind, " ".join("".join(parts).split()))
            if ended == tag:
                break
        if tag == "form":
            self._form = None

    def handle_data(self, data: str) -> None:
        if not self._unread:
            for _place, _kind, parts in self._texts:
                parts.append(data)

    def close(self) -> None:
        """Forget forms that are closed by the page's own scripts, such as dialogs."""
        super().close()
        self.page.forms = [form for form in self.page.forms if form.method != "dialog"]

    def _begin(self, tag: str, kind: str) -> None:
        self._texts.append((f"{len(self._open) - 1}{tag}", kind, []))

    def _end(self, kind: str, text: str) -> None:
        if kind == "title":
            self.page.title = text.rpartition(" · ")[0] or text
        elif kind == "notice":
            self.page.notices.append(text)
        elif kind == "figure":
            self.page.figures.append(text)
        elif kind == "link":
            self.page.links.append(Link(self._link, text))
        elif kind == "cell":
            self.page.rows[-1].append(text)
        elif kind.startswith("field:") and self._form is not None:
            self._form.fields[kind.removeprefix("field:")] = text

    def _read_title(self, _attributes: Attributes) -> None:
        if "svg" not in self._open:
            self._begin("title", "title")

    def _read_a(self, attributes: Attributes) -> None:
        if "href" in attributes:
            self._link = self._full(attributes["href"])
            self._begin("a", "link")

    def _read_tr(self, _attributes: Attributes) -> None:
        self.page.rows.append([])

    def _read_td(self, _attributes: Attributes) -> None:
        if self.page.rows:
            self._begin(self._open[-1], "cell")

    _read_th = _read_td

    def _read_form(self, attributes: Attributes) -> None:
        method, action = attributes.get("method", "get").lower(), attributes.get("action") or self.page.address
        self._form = Form(method, self._full(action), attributes.get("id", ""))
        self.page.forms.append(self._form)
        self._by_id[self._form.id] = self._form

    def _read_input(self, attributes: Attributes) -> None:
        kind, form = attributes.get("type", "text"), self._form_of(attributes)
        if form is None or "disabled" in attributes or kind in BUTTON_TYPES or not attributes.get("name"):
            return
        if kind not in {"checkbox", "radio"} or "checked" in attributes:
            form.fields[attributes["name"]] = attributes.get("value", "")

    def _read_textarea(self, attributes: Attributes) -> None:
        if self._form is not None and attributes.get("name"):
            self._begin("textarea", f"field:{attributes['name']}")

    def _read_select(self, attributes: Attributes) -> None:
        self._select = attributes.get("name", "")

    def _read_option(self, attributes: Attributes) -> None:
        form, value = self._form, attributes.get("value", "")
        if form is None or not self._select:
            return
        form.options.setdefault(self._select, []).append(value)
        if "selected" in attributes or self._select not in form.fields:
            form.fields[self._select] = value

    def _read_button(self, attributes: Attributes) -> None:
        form = self._form_of(attributes)
        if form is not None and attributes.get("type", "submit") == "submit" and "disabled" not in attributes:
            form.buttons.append((attributes.get("name", ""), attributes.get("value", "")))

    def _form_of(self, attributes: Attributes) -> Form | None:
        return self._by_id.get(attributes["form"]) if "form" in attributes else self._form

    def _full(self, address: str) -> str:
        return urllib.parse.urljoin(self.page.address, address)

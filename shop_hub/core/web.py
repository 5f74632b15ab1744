"""The request edge: one request is one transaction.

Order of a request: same origin and CSRF token, principal, access rule, idempotency, view, commit below 400 (else
rollback), security headers. Views see `session()`, `principal()` and Flask's `session` (here `visit`).
"""

import hmac
import logging
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from flask import Flask, Response, current_app, g, jsonify, render_template, request
from flask import session as visit
from flask.globals import request_ctx
from flask_babel import Babel, get_locale, gettext
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from werkzeug.exceptions import HTTPException
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.routing import Rule

from shop_hub.core import idempotency
from shop_hub.core.access import Principal, Role, allowed_roles
from shop_hub.core.db import Database
from shop_hub.core.errors import N_, LoginRequiredError, NotAllowedError, ShopError
from shop_hub.core.hashing import SecretHasher
from shop_hub.core.ids import uuid7
from shop_hub.core.settings import Settings
from shop_hub.core.visits import Visit, VisitInterface

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

log = logging.getLogger(__name__)

KEPT_REFUSALS = frozenset({400, 404, 409, 410, 422})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CSP = (
    "default-src 'none'; script-src 'self'{script}; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; media-src 'self'; worker-src 'self'; manifest-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    # not "no-referrer": browsers then send "Origin: null" with our own forms, which we refuse
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "geolocation=(), microphone=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
"""Of every answer, beside the content security policy; a view may set its own."""


def _with_policy(script: str) -> list[tuple[str, tuple[str, str]]]:
    headers = {**HEADERS, "Content-Security-Policy": CSP.format(script=script)}
    return [(name.lower(), (name, value)) for name, value in headers.items()]


PAGE_HEADERS = _with_policy("")
CAMERA_HEADERS = _with_policy(" 'wasm-unsafe-eval'")
HTTP_MESSAGES = {
    404: N_("We could not find this page."),
    405: N_("This address does not take such a request."),
    413: N_("This is too large."),
    415: N_("This kind of content is not accepted here."),
}


class CrossSiteError(ShopError):
    """A form was sent from a foreign page, or its token is missing or old."""

    code = "cross-site"
    status = 403
    message = N_("Please load the page again, then try once more.")


class LateRule(Rule):
    """A route whose addresses are written by code made at first use: to make it for all took a tenth of a second."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:  # noqa: FBT001, FBT002
        make = partial(super()._compile_builder, append_unknown)
        made: list[Callable[..., tuple[str, str]]] = []

        def build(rule: Rule, **values: Any) -> tuple[str, str]:
            if not made:
                made.append(make())
            return made[0](rule, **values)

        return build


class ShopHub(Flask):
    """Flask with our transaction, access and idempotency rules around each view."""

    url_rule_class = LateRule

    def __init__(self, settings: Settings, database: Database) -> None:
        super().__init__("shop_hub", static_folder=None)
        self.settings = settings
        self.database = database
        secret = settings.secret()
        self.hasher = SecretHasher(secret)
        self._csrf_key = self.hasher.derive("csrf")
        self._request_key = self.hasher.derive("idempotency")
        self.load_principal: Callable[[], Principal] = Principal
        self.select_language: Callable[[], str] = lambda: settings.languages[0]
        self.config.update(MAX_CONTENT_LENGTH=settings.http.largest_body_bytes, MAX_FORM_PARTS=200)
        self.config["BABEL_DEFAULT_LOCALE"] = settings.languages[0]
        self.config["BABEL_DEFAULT_TIMEZONE"] = "Europe/Berlin"
        self.extensions["database"] = database
        self.session_interface = VisitInterface(
            database,
            idle=timedelta(seconds=settings.sessions.idle_s),
            absolute=timedelta(seconds=settings.sessions.absolute_s),
            secure=settings.http.secure_cookies,
        )
        if settings.http.trusted_proxies:
            self.wsgi_app = ProxyFix(self.wsgi_app, x_for=1, x_proto=1, x_host=1)  # type: ignore[method-assign]
        Babel(
            self,
            locale_selector=lambda: self.select_language(),  # noqa: PLW0108 - set later
        )
        self.jinja_env.globals.update(
            csrf_token=csrf_token, new_idempotency_key=lambda: str(uuid7()), get_locale=get_locale
        )
        self.register_error_handler(ShopError, refuse)
        self.register_error_handler(HTTPException, refuse_http)
        self.register_error_handler(Exception, fail)
        self.teardown_request(_close_session)

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return `func`: there are no async views here, and Flask would look at each function in each request."""
        return func

    def wsgi_app(self, environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        """Answer a request; every answer gets the security headers."""

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Callable[[bytes], object]:
            _add_headers(environ.get("PATH_INFO", ""), headers)
            return start_response(status, headers, *more)

        return super().wsgi_app(environ, start)

    def dispatch_request(self) -> Response:
        """Run the view inside its rules and its transaction."""
        asked = request_ctx.request
        if asked.routing_exception is not None:
            self.raise_routing_exception(asked)
        view = self.view_functions[cast("Any", asked.url_rule).endpoint]
        is_safe = asked.method in SAFE_METHODS
        if not is_safe:
            asked.get_data(parse_form_data=False, cache=True)  # a slow upload must not hold the write lock
        g.principal = asking = self.load_principal()
        _check_access(view, asking)
        if is_safe:
            return self._run()
        self._check_origin()
        return self._run_once() if idempotency.is_idempotent(view) else self._run()

    def csrf_token_for(self, current: Visit) -> str:
        """Return the form token of a visit."""
        return hmac.new(self._csrf_key, current.id.encode(), "sha256").hexdigest()

    def _run(self) -> Response:
        response = self.make_response(super().dispatch_request())
        end_transaction(commit=response.status_code < 400)  # noqa: PLR2004 - the first error status
        return response

    def _run_once(self) -> Response:
        key = idempotency.request_key(request)
        hash_ = idempotency.request_hash(request, self._request_key)
        scope = f"{g.principal.actor}@{g.principal.site_id}"
        answer = idempotency.stored_answer(session(), scope, key, hash_)
        if answer is not None:
            return answer
        try:
            response = self.make_response(super().dispatch_request())
            if response.status_code < 400:  # noqa: PLR2004 - the first error status
                session().flush()
        except ShopError as error:
            response = refuse(error)
        except IntegrityError:  # on PostgreSQL a twin may have won the race for the same rows
            end_transaction(commit=False)
            answer = idempotency.stored_answer(session(), scope, key, hash_)
            if answer is None:
                raise
            return answer
        if response.status_code < 400:  # noqa: PLR2004 - the first error status
            if idempotency.keep(session(), scope, key, hash_, response):
                end_transaction(commit=True)
                return response
            end_transaction(commit=False)
            return idempotency.stored_answer(session(), scope, key, hash_) or response
        end_transaction(commit=False)
        answer = idempotency.stored_answer(session(), scope, key, hash_)  # a twin may have won meanwhile
        if answer is None and response.status_code in KEPT_REFUSALS:
            idempotency.keep(session(), scope, key, hash_, response)
            end_transaction(commit=True)
        end_transaction(commit=False)  # the visit is saved after this, in a transaction of its own
        return answer or response

    def _check_origin(self) -> None:
        if request.path.startswith("/api/"):
            return
        site = request.headers.get("Sec-Fetch-Site", "same-origin")
        origin = request.headers.get("Origin", request.host_url.rstrip("/"))
        token = request.headers.get("X-CSRF-Token") or request.form.get("csrf_token", "")
        is_ours = site in {"same-origin", "none"} and origin == request.host_url.rstrip("/")
        if not is_ours or not hmac.compare_digest(token, csrf_token()):
            raise CrossSiteError


def hub() -> ShopHub:
    """Return the application of this request."""
    found: ShopHub = current_app._get_current_object()  # type: ignore[attr-defined]  # noqa: SLF001
    return found


def session() -> Session:
    """Return this request's database session, opened at first use; it may write if the method may."""
    found: Session | None = g.get("session")
    if found is None:
        may_write = request.method not in SAFE_METHODS and not g.get("is_over")
        found = g.session = hub().database.open(write=may_write)
    return found


def end_transaction(*, commit: bool) -> None:
    """End this request's transaction; the edge calls it, views do not."""
    open_session = g.pop("session", None)
    if open_session is not None:
        hub().database.finish(open_session, commit=commit)


def csrf_token() -> str:
    """Return the form token of this visit."""
    return hub().csrf_token_for(cast("Visit", visit._get_current_object()))  # type: ignore[attr-defined]  # noqa: SLF001


def refuse(error: ShopError) -> Response:
    """Answer a refusal: problem+json for programs (RFC 9457), a sentence for people."""
    log.info("refused", extra={"error": error.code, "endpoint": request.endpoint, "status": error.status})
    return _answer(error.status, error.code, gettext(error.message, **error.params), error.params)


def refuse_http(error: HTTPException) -> Response:
    """Answer an HTTP error in the same form; headers such as Allow stay."""
    status = error.code or 500
    if status < 400:  # noqa: PLR2004 - redirects pass through
        return cast("Response", error.get_response())
    default = N_("Something went wrong here. Nothing was lost.")
    response = _answer(status, f"http-{status}", gettext(HTTP_MESSAGES.get(status, default)), {})
    for name, value in error.get_headers():
        if name not in {"Content-Type", "Content-Length"}:
            response.headers[name] = value
    return response


def fail(error: Exception) -> Response:
    """Log an unforeseen error and answer 500 without detail."""
    log.error("unforeseen error", exc_info=error, extra={"endpoint": request.endpoint})
    return _answer(500, "internal", gettext("Something went wrong here. Nothing was lost."), {})


def _answer(status: int, code: str, message: str, params: dict[str, Any]) -> Response:
    end_transaction(commit=False)
    g.is_over = True  # the page below may read, but must not take the write lock again
    try:
        return _rendered(status, code, message, params)
    finally:
        end_transaction(commit=False)
        del g.is_over


def _rendered(status: int, code: str, message: str, params: dict[str, Any]) -> Response:
    if request.path.startswith("/api/"):
        problem = {"type": f"urn:shop-hub:{code}", "title": message, "status": status, "code": code, "params": params}
        response = jsonify(problem)
        response.content_type = "application/problem+json"
    else:
        area = "kiosk" if request.path.startswith("/kiosk") else "backoffice"
        kind = "_refusal" if "HX-Request" in request.headers else "refusal"
        response = Response(render_template(f"{area}/{kind}.html", status=status, code=code, message=message))
    response.status_code = status
    if status == 429 and "retry_after_s" in params:  # noqa: PLR2004 - Too Many Requests
        response.headers["Retry-After"] = str(params["retry_after_s"])
    if status == 401 and request.path.startswith("/api/"):  # noqa: PLR2004 - Unauthorized
        response.headers["WWW-Authenticate"] = "Bearer"
    return response


def _check_access(view: object, asking: Principal) -> None:
    roles = allowed_roles(view)
    if Role.ANONYMOUS in roles or asking.has(*roles):
        return
    if asking.roles == {Role.ANONYMOUS}:
        raise LoginRequiredError
    raise NotAllowedError


def _add_headers(path: str, headers: list[tuple[str, str]]) -> None:
    present = {name.lower() for name, _ in headers}
    for name, header in CAMERA_HEADERS if g.get("needs_wasm") else PAGE_HEADERS:
        if name not in present:
            headers.append(header)
    if "cache-control" not in present and not path.startswith("/static/"):
        headers.append(("Cache-Control", "no-store"))


def _close_session(_error: BaseException | None) -> None:
    end_transaction(commit=False)

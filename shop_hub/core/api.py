"""A small kit for the JSON API: one declaration per operation serves validation and the OpenAPI 3.1 document alike.

Bodies are validated on their bytes by pydantic, strictly ("1" and true are no numbers); unknown fields are refused, and
errors are RFC 9457 problems that never echo what was sent.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Generic, TypeVar

from flask import Blueprint, Response, request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.json_schema import models_json_schema

from shop_hub.core.access import Role, access
from shop_hub.core.errors import (
    N_,
    BadInputError,
    KeyMissingError,
    KeyReusedError,
    LoginRequiredError,
    NotAllowedError,
    ShopError,
)
from shop_hub.core.idempotency import idempotent as mark_idempotent

PREFIX = "/api/v1"
Item = TypeVar("Item")
Call = Callable[..., Any]


class ApiModel(BaseModel):
    """Base of bodies, queries and answers."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class PageQuery(ApiModel):
    """Query of a list."""

    limit: int = Field(default=50, ge=1, le=100)
    cursor: str | None = Field(default=None, max_length=200)


class Page(ApiModel, Generic[Item]):
    """A part of a list; `next` goes into the `cursor` of the next request, null at the end."""

    items: list[Item]
    next: str | None = None


class Problem(BaseModel):
    """RFC 9457 problem details."""

    type: str
    title: str
    status: int
    code: str
    params: dict[str, Any] = {}


class InvalidRequestError(BadInputError):
    """The request does not have the declared shape. Params: `errors` with field and message each."""

    code = "invalid-request"
    message = N_("The request does not have the right form.")


class WrongContentTypeError(ShopError):
    """The body is not JSON."""

    code = "wrong-content-type"
    status = 415
    message = N_("This kind of content is not accepted here.")


class BadCursorError(BadInputError):
    """The cursor was not made by this API."""

    code = "bad-cursor"
    message = N_("The cursor is not valid.")


@dataclass(frozen=True)
class Operation:
    """One operation of the API."""

    method: str
    rule: str
    name: str
    summary: str
    roles: tuple[Role, ...]
    result: type[BaseModel]
    status: int
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    errors: Sequence[type[ShopError]] = ()
    is_idempotent: bool = False
    also: dict[int, type[BaseModel]] = field(default_factory=dict)


operations: dict[str, Operation] = {}


def operation(
    blueprint: Blueprint,
    method: str,
    rule: str,
    *,
    roles: tuple[Role, ...],
    result: type[BaseModel],
    status: int = 200,
    body: type[BaseModel] | None = None,
    query: type[BaseModel] | None = None,
    errors: Sequence[type[ShopError]] = (),
    idempotent: bool = False,
    also: dict[int, type[BaseModel]] | None = None,
) -> Callable[[Call], Call]:
    """Register a view as an operation.

    The view gets its path arguments, and `body` and `query` where declared. It returns a `result`, or a pair
    (model, status) for the statuses in `also`. Its docstring's first line is the summary.

    Args:
        blueprint: its prefix must be under /api/v1.
        rule: path with Flask's converters, below the blueprint's prefix.
    """

    def register(view: Call) -> Call:
        declared = Operation(
            method=method,
            rule=(blueprint.url_prefix or "") + rule,
            name=view.__name__,
            summary=(view.__doc__ or view.__name__).strip().splitlines()[0],
            roles=roles,
            result=result,
            status=status,
            body=body,
            query=query,
            errors=errors,
            is_idempotent=idempotent,
            also=also or {},
        )
        operations[f"{method} {declared.rule}"] = declared

        @wraps(view)
        def call(**path: Any) -> Response:
            if query is not None:
                path["query"] = _parse(query, lambda model: model.model_validate(request.args.to_dict()))
            if body is not None:
                if request.mimetype != "application/json":
                    raise WrongContentTypeError
                path["body"] = _parse(body, lambda model: model.model_validate_json(request.get_data(), strict=True))
            answer = view(**path)
            model, code = answer if isinstance(answer, tuple) else (answer, status)
            return Response(model.model_dump_json(), status=code, content_type="application/json")

        guarded = access(*roles)(call)
        if idempotent:
            guarded = mark_idempotent(guarded)
        blueprint.add_url_rule(rule, view_func=guarded, methods=[method])
        return view

    return register


def encode_cursor(value: str) -> str:
    """Return an opaque cursor for the key of the last item."""
    return base64.urlsafe_b64encode(value.encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> str | None:
    """Return the key inside a cursor.

    Raises:
        BadCursorError: it is not one of ours.
    """
    if cursor is None:
        return None
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError, ValueError) as error:
        raise BadCursorError from error


def document(title: str, version: str) -> dict[str, Any]:
    """Return the OpenAPI 3.1 document of all registered operations."""
    models: set[type[BaseModel]] = {Problem}
    for entry in operations.values():
        models |= {entry.result, *entry.also.values()}
        models |= {model for model in (entry.body,) if model}
    _, schemas = models_json_schema(
        [(model, "validation") for model in sorted(models, key=lambda model: model.__name__)],
        ref_template="#/components/schemas/{model}",
    )
    paths: dict[str, dict[str, Any]] = {}
    for entry in operations.values():
        path, parameters = _path(entry.rule)
        paths.setdefault(path, {})[entry.method.lower()] = _describe(entry, parameters)
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": version, "license": {"name": "EUPL-1.2", "identifier": "EUPL-1.2"}},
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": schemas.get("$defs", {}),
            "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}},
        },
    }


Parsed = TypeVar("Parsed", bound=BaseModel)


def _parse(model: type[Parsed], parse: Callable[[type[Parsed]], Parsed]) -> Parsed:
    try:
        return parse(model)
    except ValidationError as error:
        details = [
            {"field": ".".join(str(part) for part in item["loc"]), "message": item["msg"]}
            for item in error.errors(include_input=False, include_url=False, include_context=False)
        ]
        raise InvalidRequestError(errors=details[:20]) from error


def _path(rule: str) -> tuple[str, list[dict[str, Any]]]:
    kinds = {"int": {"type": "integer", "minimum": 0}, "uuid": {"type": "string", "format": "uuid"}}
    parts, parameters = [], []
    for part in rule.split("/"):
        if part.startswith("<"):
            kind, _, name = part.strip("<>").rpartition(":")
            schema = kinds.get(kind, {"type": "string", "minLength": 1})
            parameters.append({"name": name, "in": "path", "required": True, "schema": schema})
            parts.append(f"{{{name}}}")
        else:
            parts.append(part)
    return "/".join(parts), parameters


def _describe(entry: Operation, parameters: list[dict[str, Any]]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": entry.name,
        "summary": entry.summary,
        "parameters": parameters + _query_parameters(entry.query),
        "responses": _responses(entry),
    }
    if Role.ANONYMOUS not in entry.roles:
        described["security"] = [{"bearer": []}]
        described["description"] = "Roles: " + ", ".join(sorted(entry.roles))
    if entry.is_idempotent:
        key = {"type": "string", "minLength": 8, "maxLength": 64, "pattern": "^[A-Za-z0-9_-]+$"}
        described["parameters"].append({"name": "Idempotency-Key", "in": "header", "required": True, "schema": key})
    if entry.body is not None:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": _ref(entry.body)}}}
    return described


def _query_parameters(query: type[BaseModel] | None) -> list[dict[str, Any]]:
    if query is None:
        return []
    schema = query.model_json_schema()
    required = set(schema.get("required", ()))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": part}
        for name, part in schema["properties"].items()
    ]


def _responses(entry: Operation) -> dict[str, Any]:
    answers = {entry.status: entry.result, **entry.also}
    responses: dict[str, Any] = {
        str(status): {"description": "Success", "content": {"application/json": {"schema": _ref(model)}}}
        for status, model in answers.items()
    }
    for error in sorted({*entry.errors, *_common_errors(entry)}, key=lambda error: error.code):
        status = str(error.status)
        known = responses.get(status, {}).get("description")
        responses[status] = {
            "description": f"{known}, {error.code}" if known else error.code,
            "content": {"application/problem+json": {"schema": _ref(Problem)}},
        }
    return responses


def _common_errors(entry: Operation) -> set[type[ShopError]]:
    errors: set[type[ShopError]] = set()
    if Role.ANONYMOUS not in entry.roles:
        errors |= {LoginRequiredError, NotAllowedError}
    if entry.body is not None:
        errors |= {InvalidRequestError, WrongContentTypeError}
    if entry.query is not None:
        errors.add(InvalidRequestError)
    if entry.is_idempotent:
        errors |= {KeyMissingError, KeyReusedError}
    return errors


def _ref(model: type[BaseModel]) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{_schema_name(model)}"}


def _schema_name(model: type[BaseModel]) -> str:
    return model.__name__.replace("[", "_").replace("]", "_")

from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from gateway.errors import REASONS
from gateway.ingress.http.openapi import document
from gateway.ingress.http.problem import PROBLEMS
from gateway.ingress.http.routes import ROUTES
from gateway.model import STATUS_NAMES, BatchState
from tests.ingress.client import KEY, Client
from tests.ingress.conftest import ADMIN, BARE, OTHER, READER


async def test_it_is_valid_openapi(client: Client) -> None:
    described = (await client.get("/openapi.json", key=None)).json
    assert list(OpenAPIV31SpecValidator(described).iter_errors()) == []
    assert described["info"]["version"] == "1.2.3"
    served = {(route.method.lower(), route.path) for route in ROUTES}
    told = {(verb, path) for path, verbs in described["paths"].items() for verb in verbs}
    assert told == served


def test_operations_have_names_of_their_own() -> None:
    names = [
        operation["operationId"]
        for operations in document(ROUTES, "1")["paths"].values()
        for operation in operations.values()
    ]
    assert len(set(names)) == len(names)


def test_the_table_names_our_statuses_and_reasons() -> None:
    described = document(ROUTES, "1")
    status = described["components"]["schemas"]["MessageOut"]["properties"]["status"]
    assert sorted(status["enum"]) == sorted(STATUS_NAMES)
    state = described["components"]["schemas"]["BatchOut"]["properties"]["status"]
    assert sorted(state["enum"]) == sorted(BatchState)
    assert {one["code"] for one in described["x-problems"]} == {*PROBLEMS, *REASONS}
    assert not set(PROBLEMS) & set(REASONS)


@pytest.mark.parametrize(
    ("path", "status"), [("/v1/messages", "202"), ("/v1/messages/estimate", "200")]
)
@pytest.mark.parametrize("text", ["plain", "it’s"])
async def test_an_answer_is_what_its_schema_says(
    client: Client, path: str, status: str, text: str
) -> None:
    described = document(ROUTES, "1")
    request = {"from": "ACME", "to": "+79161234567", "text": text, "transliterate": True}
    reply = await client.post(path, request)
    assert reply.status == int(status)
    answers = described["paths"][path]["post"]["responses"]
    schema = answers[status]["content"]["application/json"]["schema"]
    name = schema["$ref"].rsplit("/", 1)[1]
    validator = Draft202012Validator({**schema, "components": described["components"]})
    assert list(validator.iter_errors(reply.json)) == []
    assert set(reply.json) == set(described["components"]["schemas"][name]["properties"])


@pytest.mark.parametrize("route", [r for r in ROUTES if r.scope], ids=lambda r: r.method + r.path)
async def test_every_route_needs_its_scope(client: Client, route: Any) -> None:
    path = route.path.replace("{id}", f"{route.item}_0000000000000")
    reply = await client.call(route.method, path, key=None)
    assert (reply.status, reply.code) == (401, "missing_key")
    keys = {
        "messages:write": READER,
        "messages:read": ADMIN,
        "optouts": OTHER,
        "moderation": KEY,
        "admin": KEY,
    }
    key = BARE if route.admin else keys[route.scope]
    reply = await client.call(route.method, path, key=key)
    assert (reply.status, reply.code) == (403, "missing_scope")
    assert f"`{route.scope}`" in reply.json["detail"]


async def test_the_page_needs_nobody_else(client: Client) -> None:
    reply = await client.get("/docs", key=None)
    page = reply.body.decode()
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "default-src 'none'" in reply.headers["Content-Security-Policy"]
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)
    assert "openapi.json" in page and "curl" in page


async def test_routes_can_be_told_apart() -> None:
    assert all(route.path.count("{id}") <= 1 for route in ROUTES)
    for route in ROUTES:
        steps = route.path.split("/")
        assert "{id}" not in steps or steps.index("{id}") in (3, 4)
        # What stands for an id in one path is no step of another: the shorter way is tried first.
        other = "/".join([*steps[:3], "{id}", *steps[4:]])
        assert steps[4:5] != ["{id}"] or other not in {one.path for one in ROUTES}
        assert bool(route.item) == ("{id}" in steps)

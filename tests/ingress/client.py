"""A client that believes nothing: every answer it sees is checked against the description.

In: the port of a running API. Out: `Reply`. It reads `/openapi.json` as served, finds the operation
of each request, and holds status, media type, required header fields and body to it.
"""

from __future__ import annotations

import json
from typing import Any

import aiohttp
from jsonschema import Draft202012Validator, FormatChecker  # type: ignore[import-untyped]

KEY = "ak_shop_key_of_the_tests"


class Reply:
    """One answer, body read."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The problem's code."""
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        return str(self.json["code"])

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


class Client:
    """Speaks to one API as one key; use `async with`."""

    def __init__(self, port: int, key: str | None = KEY) -> None:
        self.base = f"http://127.0.0.1:{port}"
        self.key = key
        self.checked = 0
        self._document: dict[str, Any] = {}

    async def __aenter__(self) -> Client:
        self._session = aiohttp.ClientSession(
            auto_decompress=True, skip_auto_headers=("Content-Type",)
        )
        async with self._session.get(self.base + "/openapi.json") as response:
            self._document = await response.json()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._session.close()

    async def get(self, path: str, **options: Any) -> Reply:
        return await self.call("GET", path, **options)

    async def post(self, path: str, body: Any = None, **options: Any) -> Reply:
        return await self.call("POST", path, body, **options)

    async def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str | None = "",
        headers: dict[str, str] | None = None,
        media: str | None = "application/json",
        idempotency: str | None = None,
    ) -> Reply:
        """`body`: octets, an async iterator of them, or anything JSON. `key` None sends none."""
        fields = dict(headers or {})
        key = self.key if key == "" else key
        if key is not None:
            fields.setdefault("Authorization", f"Bearer {key}")
        if idempotency is not None:
            fields["Idempotency-Key"] = idempotency
        if body is not None and media is not None:
            fields["Content-Type"] = media
        data = json.dumps(body) if isinstance(body, dict | list | str | int) else body
        async with self._session.request(
            method, self.base + path, data=data, headers=fields, allow_redirects=False
        ) as response:
            reply = Reply(response.status, response.headers, await response.read())
        self.check(method, path.partition("?")[0], reply)
        return reply

    # --- the description

    def check(self, method: str, path: str, reply: Reply) -> None:
        """Fail unless the description allows this answer."""
        assert reply.headers["X-Request-Id"]
        media = reply.headers.get("Content-Type", "").partition(";")[0]
        operation = self._operation("GET" if method == "HEAD" else method, path)
        if operation is None:
            # No operation: only the two answers that say so.
            assert reply.status in (404, 405)
            self._hold(reply.json, {"$ref": "#/components/schemas/ProblemDetails"})
            assert media == "application/problem+json"
            self.checked += 1
            return
        described = operation["responses"].get(str(reply.status))
        assert described is not None, f"{method} {path} -> {reply.status} is not described"
        described = self._resolve(described)
        for name, header in described["headers"].items():
            required = self._resolve(header).get("required", False)
            assert not required or name in reply.headers
        contents = described.get("content")
        if contents is None:
            assert reply.body == b""
        elif method != "HEAD":
            assert media in contents, f"{media} is not described"
            schema = contents[media]["schema"]
            if media == "application/x-ndjson":
                for line in reply.lines:
                    self._hold(line, schema)
            elif media.endswith("json"):
                self._hold(reply.json, schema)
            if media == "application/problem+json":
                problem = reply.json
                assert problem["status"] == reply.status
                assert problem["request_id"] == reply.headers["X-Request-Id"]
                codes = {one["code"]: one["status"] for one in self._document["x-problems"]}
                assert codes[problem["code"]] == reply.status
        self.checked += 1

    def _operation(self, method: str, path: str) -> dict[str, Any] | None:
        paths = self._document["paths"]
        operations = paths.get(path)
        if operations is None:
            steps = path.split("/")
            for place in range(3, min(len(steps), 5)):
                with_id = "/".join([*steps[:place], "{id}", *steps[place + 1 :]])
                operations = operations or paths.get(with_id)
            operations = operations or {}
        found: dict[str, Any] | None = operations.get(method.lower())
        return found

    def _resolve(self, node: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in node:
            return node
        found: Any = self._document
        for step in node["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        return dict(found)

    def _hold(self, value: Any, schema: dict[str, Any]) -> None:
        whole = {**schema, "components": self._document["components"]}
        Draft202012Validator(whole, format_checker=FormatChecker()).validate(value)

"""Every way a request can fail, in one table, and RFC 9457 bodies made from it.

In: a code of the table (or of `errors.REASONS`) and a detail. Out: a `Problem` to raise, its body.
Details name the field, the limit and the value's size, never a text or a whole number. Knows no
request and no stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from gateway.errors import REASONS, AldisError, Busy, Refused, StoreError


class Kind(msgspec.Struct, frozen=True):
    """One way to fail: `code` is stable, `title` is for people."""

    code: str
    status: int
    title: str


def _table(*rows: tuple[str, int, str]) -> dict[str, Kind]:
    return {code: Kind(code, status, title) for code, status, title in rows}


PROBLEMS: Final[dict[str, Kind]] = _table(
    # The request cannot be read.
    ("bad_request", 400, "The request is not HTTP we understand."),
    ("empty_body", 400, "The request has no body."),
    ("malformed_json", 400, "The body is not JSON."),
    ("invalid_utf8", 400, "The body is not UTF-8."),
    ("lone_surrogate", 400, "A string has half of a surrogate pair."),
    ("invalid_parameter", 400, "A query parameter is unknown or has a wrong value."),
    ("invalid_idempotency_key", 400, "The Idempotency-Key cannot be used."),
    # Who asks.
    ("missing_key", 401, "An API key is needed."),
    ("invalid_key", 401, "The API key is not valid."),
    ("expired_key", 401, "The API key has expired."),
    ("revoked_key", 401, "The API key was revoked."),
    ("missing_scope", 403, "The API key may not do this."),
    ("network_not_allowed", 403, "The API key may not be used from this network."),
    ("account_unknown", 403, "The API key's account is not configured."),
    # What is asked for.
    ("not_found", 404, "There is no such thing."),
    ("method_not_allowed", 405, "The path does not take this method."),
    ("request_timeout", 408, "The body did not arrive in time."),
    ("request_in_flight", 409, "A request with this Idempotency-Key is being worked on."),
    ("upload_in_flight", 409, "Another upload to this batch is under way."),
    ("not_cancelable", 409, "The message has left or has ended."),
    ("wrong_state", 409, "The state it is in does not allow this."),
    ("item_taken", 409, "Another moderator has the text."),
    ("item_decided", 409, "The text is decided already."),
    ("configured", 409, "It is part of the configuration and cannot be changed here."),
    ("body_too_large", 413, "The body is too large."),
    ("unsupported_media_type", 415, "The path does not take this kind of body."),
    # What the body says.
    ("unknown_field", 422, "The body has a field that does not exist."),
    ("missing_field", 422, "The body lacks a field."),
    ("invalid_type", 422, "A field has a value of the wrong type."),
    ("invalid_value", 422, "A field has a value that is not allowed."),
    ("invalid_header_row", 422, "The CSV header row cannot be used."),
    ("too_many_recipients", 422, "The body has too many recipients."),
    ("too_many_entries", 422, "The body has too many entries."),
    ("idempotency_key_reused", 422, "The Idempotency-Key was used with another body."),
    # Too much.
    ("too_many_requests", 429, "The API key is used faster than allowed."),
    ("too_many_waiting", 429, "As many messages wait as the account may have waiting."),
    ("header_too_large", 431, "The request line or a header is too large."),
    ("internal_error", 500, "The gateway made a mistake."),
    ("overloaded", 503, "The gateway has too much to do."),
    ("store_unavailable", 503, "The store cannot take anything now."),
)
"""Codes of a request; a message's own reasons (`errors.REASONS`) join them as codes."""

TITLES: Final = {
    **{kind.code: kind.title for kind in PROBLEMS.values()},
    **{reason.code: reason.text for reason in REASONS.values()},
}

STATUSES: Final = {
    **{kind.code: kind.status for kind in PROBLEMS.values()},
    **{reason.code: reason.http for reason in REASONS.values()},
}

CONTENT_TYPE: Final = "application/problem+json"


class FieldProblem(msgspec.Struct, omit_defaults=True):
    """One field at fault: `pointer` into the body (RFC 6901 fragment) or a query `parameter`."""

    code: str
    detail: str
    pointer: str | None = None
    parameter: str | None = None


class UploadProgress(msgspec.Struct):
    """What an upload had stored when it failed; sending it again stores nobody twice."""

    accepted: int
    ineligible: int
    malformed: int


class ProblemDetails(msgspec.Struct, omit_defaults=True):
    """RFC 9457 `application/problem+json`."""

    type: str
    """Where `code` is explained."""
    title: str
    status: int
    detail: str
    instance: str
    """This occurrence: the request's id as a URN."""
    code: str
    request_id: str
    errors: list[FieldProblem] = []
    counts: UploadProgress | None = None


class Problem(Exception):
    """Ends a request. `headers` go on the answer as they are."""

    def __init__(
        self,
        code: str,
        detail: str,
        errors: Sequence[FieldProblem] = (),
        *,
        headers: Sequence[tuple[str, str]] = (),
        close: bool = False,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        self.errors = list(errors)
        self.status = STATUSES[code]
        self.headers = headers
        self.close = close
        """Whether the connection ends with the answer: the rest of the body is unwanted."""
        self.counts: UploadProgress | None = None


def field_problem(code: str, pointer: str, detail: str) -> Problem:
    """A problem of one field of the body."""
    return Problem(code, detail, [FieldProblem(code, detail, pointer)])


def parameter_problem(name: str, detail: str) -> Problem:
    """A problem of one query parameter."""
    code = "invalid_parameter"
    return Problem(code, detail, [FieldProblem(code, detail, parameter=name)])


def reason_problem(code: str, detail: str, pointer: str) -> Problem:
    """A message's reason as the answer to the request that carried it."""
    detail = detail or REASONS[code].text
    return field_problem(code, pointer, detail)


def busy_problem(code: str, detail: str, retry_after: float) -> Problem:
    """Come back later: 503 (or 429) with Retry-After in whole seconds, at least one."""
    seconds = max(1, -int(-retry_after // 1))
    return Problem(code, detail, headers=[("Retry-After", str(seconds))])


_encode: Any = msgspec.json.Encoder().encode


def body_of(problem: Problem, request_id: str) -> bytes:
    """The RFC 9457 body."""
    body: bytes = _encode(
        ProblemDetails(
            type=f"/docs#problem-{problem.code}",
            title=TITLES[problem.code],
            status=problem.status,
            detail=problem.detail,
            instance=f"urn:aldis:request:{request_id}",
            code=problem.code,
            request_id=request_id,
            errors=problem.errors,
            counts=problem.counts,
        )
    )
    return body


def problem_for(error: AldisError) -> Problem:
    """The answer to what another part of the gateway raised."""
    if isinstance(error, Refused):
        return reason_problem(error.reason.code, error.detail, error.pointer)
    if isinstance(error, Busy):
        return busy_problem("overloaded", str(error), error.retry_after)
    if isinstance(error, StoreError):
        # What exactly is wrong with a disk is the operator's to know; the log and metrics tell.
        return busy_problem("store_unavailable", "nothing was stored; try again", 5.0)
    return Problem("internal_error", "the request was not carried out")

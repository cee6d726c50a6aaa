"""`GET /capture` of the operators' port: a carrier's or an account's PDUs as a pcap, as they come.

In: whom, for how long, how many packets. Out: a stream, or one sentence. What is in the records is
gateway.capture's; how long a stream lasts is decided here.
"""

from __future__ import annotations

import asyncio
from typing import Final

from aiohttp import web

from gateway.capture import FILE_HEADER, Capture, Kind, Refused, Taps, records

MOST_SECONDS: Final = 3600
"""An hour of a busy carrier is gigabytes; who needs more asks again."""
SECONDS: Final = 60
MOST_PACKETS: Final = 10_000_000
PACKETS: Final = 10_000
LOOK: Final = 1.0
"""Seconds between looks whether the reader of a quiet stream is still there."""
REST: Final = 3
"""Times as long as the work took, so that a stream uses a quarter of a core: an operator's 500
messages a second. What is beyond is dropped, counted, and shows as a gap."""
WRITE_TIMEOUT: Final = 30.0
"""Seconds a reader may take for a batch; one that stopped reading keeps nobody from looking."""


async def stream(request: web.BaseRequest, taps: Taps) -> web.StreamResponse:
    """Answer `GET /capture?carrier=NAME|account=NAME&seconds=N&packets=N&full=1`."""
    try:
        kind, name = _target(request)
        seconds = _number(request, "seconds", SECONDS, MOST_SECONDS)
        packets = _number(request, "packets", PACKETS, MOST_PACKETS)
        full = bool(_number(request, "full", 0, 1, least=0))
        if request.method == "HEAD":
            return web.Response()
        capture = taps.open(kind, name, full)
    except Refused as refused:
        return web.Response(status=refused.status, text=f"{refused}\n")
    response = web.StreamResponse(headers={"Content-Type": "application/vnd.tcpdump.pcap"})
    try:
        await response.prepare(request)
        await response.write(FILE_HEADER)
        await _pass_on(request, response, capture, seconds, packets)
        await response.write_eof()
    except (ConnectionError, TimeoutError):
        pass  # the reader has left, or reads no more
    finally:
        taps.close(capture)
    return response


async def _pass_on(
    request: web.BaseRequest,
    response: web.StreamResponse,
    capture: Capture,
    seconds: int,
    packets: int,
) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        begun = loop.time()
        # In a thread: a read of a busy link holds a thousand PDUs, a tenth of a second's work.
        made = (await asyncio.to_thread(records, capture.take()))[:packets]
        took = loop.time() - begun
        packets -= len(made)
        if made:
            async with asyncio.timeout(WRITE_TIMEOUT):
                await response.write(b"".join(made))
        left = deadline - loop.time()
        if not packets or left <= 0 or (capture.ended and not capture.waiting):
            return
        if request.transport is None or request.transport.is_closing():
            return
        if capture.waiting:
            await asyncio.sleep(REST * took)  # traffic first
        else:
            await capture.wait(min(left, LOOK))


def _target(request: web.BaseRequest) -> tuple[Kind, str]:
    query = request.query
    carrier, account = query.get("carrier"), query.get("account")
    unknown = {*query} - {"carrier", "account", "seconds", "packets", "full"}
    if unknown:
        raise Refused(400, f"No parameter is called {', '.join(sorted(unknown))}.")
    if carrier is not None and account is None:
        return "carrier", carrier
    if account is not None and carrier is None:
        return "account", account
    raise Refused(400, "Give carrier=NAME or account=NAME, one of them.")


def _number(request: web.BaseRequest, name: str, default: int, most: int, *, least: int = 1) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit() and least <= int(text[:12]) <= most):
        raise Refused(400, f"{name} is a number from {least} to {most}.")
    return int(text)

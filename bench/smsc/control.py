"""The operator's own HTTP port, for whoever measures or directs it from another process.

GET  /stats      counters as JSON, with the process's CPU time
GET  /audit      the audit's lines (`destination count first_at`)
GET  /behaviour  what is in force
PUT  /behaviour  a JSON object of the fields to change; in force with the next read
POST /hang-up    break every connection
"""

import time

import msgspec

from bench.smsc.behaviour import Behaviour
from bench.smsc.server import SimulatedSmsc
from bench.web import Request, Response, WebServer


def control(smsc: SimulatedSmsc, host: str = "127.0.0.1", port: int = 0) -> WebServer:
    """The server, not started yet."""

    def answer(request: Request) -> Response:
        match request.method, request.path:
            case "GET", "/stats":
                stats = smsc.statistics()
                stats |= {"cpu": time.process_time(), "monotonic": time.monotonic()}
                return Response(body=msgspec.json.encode(stats))
            case "GET", "/audit":
                lines = smsc.audit.lines() if smsc.audit is not None else b""
                return Response(body=lines, content_type="text/plain")
            case "GET", "/behaviour":
                return Response(body=msgspec.json.encode(smsc.behaviour))
            case "PUT", "/behaviour":
                try:
                    smsc.behaviour = changed(smsc.behaviour, request.body)
                except (ValueError, msgspec.ValidationError) as error:
                    return Response(400, str(error).encode(), "text/plain")
                return Response(body=msgspec.json.encode(smsc.behaviour))
            case "POST", "/hang-up":
                smsc.hang_up()
                return Response(204)
            case _:
                return Response(404)

    return WebServer(answer, host, port)


def changed(behaviour: Behaviour, changes: bytes) -> Behaviour:
    """`behaviour` with the fields of a JSON object in place of its own; ValueError if it cannot."""
    fields = msgspec.json.decode(changes, type=dict[str, msgspec.Raw])
    whole = msgspec.json.decode(msgspec.json.encode(behaviour), type=dict[str, msgspec.Raw])
    return msgspec.json.decode(msgspec.json.encode(whole | fields), type=Behaviour)

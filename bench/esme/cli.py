"""`python -m bench.esme`: a crowd and its visitors as a process, told what to do over HTTP.

POST /bind     connect and bind all
POST /start    begin to send
POST /visit    begin the visits
POST /quiet    send no enquire_link any more
GET  /stats    counts as JSON
GET  /figures  delays and shares as JSON
"""

import asyncio
import resource
import signal

import click
import msgspec
import uvloop

from bench.esme.crowd import Crowd
from bench.esme.feed import Feed
from bench.esme.visits import Visits
from bench.web import Request, Response, WebServer


class Control:
    """The HTTP port."""

    def __init__(self, crowd: Crowd, visits: Visits) -> None:
        self._crowd = crowd
        self._visits = visits

    def answer(self, request: Request) -> Response:
        """One request."""
        match request.method, request.path:
            case "POST", "/bind":
                self._crowd.bind()
            case "POST", "/start":
                self._crowd.start()
            case "POST", "/quiet":
                self._crowd.quiet()
            case "POST", "/visit":
                self._visits.start()
            case "GET", "/stats":
                counts = self._crowd.statistics() | self._visits.statistics()
                return Response(body=msgspec.json.encode(counts))
            case "GET", "/figures":
                figures = self._crowd.figures() | self._visits.figures()
                return Response(body=msgspec.json.encode(figures))
            case _:
                return Response(404)
        return Response(204)


@click.command("esme")
@click.option("--gateway", required=True, type=int, help="The gateway's SMPP port.")
@click.option("--port", default=0, show_default=True, help="Port for orders; 0: any free one.")
@click.option("--binds", default=1, show_default=True)
@click.option("--logins", default=1, show_default=True, help="esme0, esme1, ...; binds take turns.")
@click.option("--login", default=0, show_default=True, help="Number of the first login.")
@click.option("--accounts", default=1, show_default=True, help="Login n is account n modulo this.")
@click.option("--messages", default=0, show_default=True)
@click.option("--first", default=0, show_default=True, help="Index of the first number.")
@click.option("--templated/--fixed", default=False, help="Whether all texts differ.")
@click.option("--window", default=1_000, show_default=True, help="Unanswered submits of a bind.")
@click.option("--rate", default=0.0, help="Messages per second; 0: as fast as they are answered.")
@click.option("--enquire", default=0.0, help="Seconds between a bind's enquire_links; 0: none.")
@click.option("--visits", default=0.0, help="Connections per second that come and go.")
@click.option("--seconds", default=0.0, help="How long they do.")
def command(
    gateway: int,
    port: int,
    binds: int,
    logins: int,
    login: int,
    accounts: int,
    messages: int,
    first: int,
    templated: bool,
    window: int,
    rate: float,
    enquire: float,
    visits: float,
    seconds: float,
) -> None:
    """Play customers with SMPP binds.

    Prints one line of JSON with its port once it listens, and one with its counts at the end.
    """
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))

    async def serve() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        crowd = Crowd(
            gateway,
            Feed(messages, first=first, templated=templated),
            binds=binds,
            logins=logins,
            login=login,
            accounts=accounts,
            window=window,
            rate=rate,
            enquire=enquire,
        )
        coming = Visits(gateway, visits, seconds, f"esme{login}")
        web = WebServer(Control(crowd, coming).answer, "127.0.0.1", port)
        await web.start()
        click.echo(msgspec.json.encode({"port": web.port}).decode())
        await stop.wait()
        await coming.stop()
        await crowd.stop()
        await web.stop()
        click.echo(msgspec.json.encode(crowd.statistics() | coming.statistics()).decode())

    uvloop.run(serve())

"""Where to look around while the demonstration serves.

In: addresses and what was sent. Out: lines to read and to copy. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from gateway.commands.demo.report import Sent
from gateway.commands.demo.setting import KEY

_BODY = '{"to": "07400 000123", "text": "Hi {{name}}, it works", "vars": {"name": "Zoë"}}'


def lines(base: str, ops: str, directory: Path, sent: Sequence[Sent]) -> Iterator[str]:
    """base, ops: addresses of the two ports. directory: where this run's files are."""
    yield "LOOK AROUND        Ctrl-C ends it"
    yield f"  API, to browse  {base}/docs"
    yield f"  OpenAPI         {base}/openapi.json"
    yield f"  metrics         {ops}/metrics"
    yield f"  health          {ops}/readyz"
    yield f"  this run        {directory}  (configuration, log, database; gone afterwards)"
    yield "  send one yourself, then ask for it by the id in the answer:"
    yield f"    curl -s {base}/v1/messages -H 'Authorization: Bearer {KEY}' \\"
    yield f"      -H 'Content-Type: application/json' -d '{_BODY}'"
    yield "  who did not get the first batch, and why:"
    yield f"    curl -s -H 'Authorization: Bearer {KEY}' \\"
    yield f"      '{base}/v1/messages?batch={sent[0].id}&status=undelivered,expired,rejected'"

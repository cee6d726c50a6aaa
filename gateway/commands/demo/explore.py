"""Where to look around while the demonstration serves.

In: what is up and what was sent. Out: lines to read and to copy. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from gateway.commands.demo.report import Sent
from gateway.commands.demo.setting import KEY
from gateway.commands.demo.stage import Stage

_BODY: Final = '{"to": "07400 000123", "text": "Hi {{name}}, it works", "vars": {"name": "Zoë"}}'


def lines(stage: Stage, sent: Sequence[Sent]) -> Iterator[str]:
    """Addresses, and commands ready to run."""
    base = stage.client.base
    key = f"-H 'Authorization: Bearer {KEY}'"
    yield "LOOK AROUND        Ctrl-C ends it"
    yield f"  API, to browse  {base}/docs"
    yield f"  OpenAPI         {base}/openapi.json"
    yield f"  SMPP            127.0.0.1:{stage.gateway.smpp_port}, system_id demo, password trial"
    yield f"  metrics         {stage.ops}/metrics"
    yield f"  health          {stage.ops}/readyz"
    yield f"  this run        {stage.directory} (configuration, log, database; gone afterwards)"
    yield "  send one yourself, then ask for it by the id in the answer:"
    yield f"    curl -s {base}/v1/messages {key} \\"
    yield f"      -H 'Content-Type: application/json' -d '{_BODY}'"
    yield f"    curl -s {base}/v1/messages/ID {key}"
    yield "  who did not get the first batch, and why:"
    yield f"    curl -s {key} \\"
    yield f"      '{base}/v1/messages?batch={sent[0].id}&status=undelivered,expired,rejected'"

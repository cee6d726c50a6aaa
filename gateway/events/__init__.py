"""Events: the outbox's readers -> signed webhooks.

In: the event log, endpoints from the configuration and the API. Out: POSTs as Standard Webhooks
1.0 describes them, at least once each, retried until they are taken or given up. Knows the store's
contract; no message, no carrier and no other stage.
"""

from gateway.events.stage import Events, Tested

__all__ = ["Events", "Tested"]

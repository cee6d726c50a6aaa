"""SMPP for customers: submits in, receipts and replies out.

In: octets of customers' connections. Out: submissions through admission into the store, answers
after the commit. Knows admission and the store by their ports; no carrier and no webhook.
"""

from gateway.ingress.smpp.server import SmppServer

__all__ = ["SmppServer"]

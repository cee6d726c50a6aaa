"""Customers that bind to the gateway's SMPP port, by the thousand, in a process of their own.

    ledger     what one account was promised and what it heard: every id, every receipt
    feed       the submits that are still to be sent
    customer   one bind: its window, its answers
    crowd      all binds of the process, and its clock
    visits     connections that come and go
    cli        `python -m bench.esme`, told what to do over HTTP

PDUs are packed by hand in whole reads and writes: the gateway shares the machine, so a customer has
to cost little. It believes nothing, though: every submit must get exactly one response, every id
exactly one receipt, and no receipt may be for an id it does not know.
"""

from bench.esme.crowd import Crowd
from bench.esme.feed import Feed

__all__ = ["Crowd", "Feed"]

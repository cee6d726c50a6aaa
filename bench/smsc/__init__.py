"""A simulated operator that speaks real SMPP over real TCP, for tests, trials and measurements."""

from bench.smsc.behaviour import Behaviour
from bench.smsc.cli import command
from bench.smsc.record import Audit, Counters, Submit
from bench.smsc.server import SimulatedSmsc
from bench.smsc.session import Session
from bench.smsc.verdict import SILENT

__all__ = [
    "SILENT",
    "Audit",
    "Behaviour",
    "Counters",
    "Session",
    "SimulatedSmsc",
    "Submit",
    "command",
]

"""SMPP 3.4 and 5.0 and the text of short messages, as pure functions and values.

In: octets and arguments. Out: values, events, octets. Knows the standard library only: no I/O, no
clock, no randomness, nothing of the gateway.
"""

"""Rules of policy as pure functions: (message, rules, now) -> what may be done.

In: rules (settings, data files, registries) and what is known of a message. Out: decisions with the
rule that made them. No I/O but reading the data files once; no clock: the time is an argument.
Several stages ask the same rules (admission, the lease, replies), so they stand below all of them.
"""

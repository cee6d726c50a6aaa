"""Peers that misbehave, on real sockets; each test is named for what its peer does.

Every test holds the peer to cost only itself: another carrier (another customer) goes on being
served, nothing grows beyond its limit, a metric tells, and each message has the fate the design
gives it.

    wire.py                     raw octets of either end; nothing in it goes through `protocol`
    operator.py                 an operator of raw octets, scripted for each connection
    test_operator_framing.py    octets that are not quite PDUs: octet by octet, glued, wrong length,
                                unknown commands, bodies and TLVs cut short or too long
    test_operator_answers.py    answers to nothing, doubled, contradicting, reversed, late, never;
                                generic_nacks; message ids of any kind; congestion; throttling
    test_operator_sessions.py   binds in the wrong order and kind, silence at every step, leaving
                                with submits in flight, storms of connections
    test_operator_floods.py     too much to read, peers that do not read, receipts of strangers,
                                texts that are none
    test_operator_strangers.py  other protocols, TLS where there is none, certificates that do not
                                hold
    customer.py                 a customer's program of raw octets, and the SMPP server before it
    test_customer_framing.py    as above, before and after the bind; requests of every command that
                                cannot be taken; over-long fields; lists longer than their body
    test_customer_sessions.py   submits before the bind, binds twice, guessed passwords, connections
                                that never bind, leaving with submits in flight, other protocols,
                                TLS
    test_customer_floods.py     more than the window, the rate, the connections granted; halves of
                                messages; receivers that do not read; strange answers and contents
"""

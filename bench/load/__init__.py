"""Load on a whole gateway: it, an operator and a customer's endpoint as processes of their own.

`python -m bench.load <scenario>`; each scenario is a module and says what it measures.
"""

"""The ways in: the customers' HTTP API (`http`) and the operators' port (`ops`).

In: requests. Out: submissions to the store, views of what it holds. Knows no other stage; what it
needs of them it is handed as a port (`http/ports.py`).
"""

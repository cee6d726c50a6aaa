"""The customers' HTTP API.

In: HTTP requests. Out: submissions to the store, views of what it holds. `routes.ROUTES` is the
table everything here is driven by; `server.HttpApi` serves it.
"""

from gateway.ingress.http.server import HttpApi

__all__ = ["HttpApi"]

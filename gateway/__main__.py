"""`python -m gateway` is `aldis`."""

from gateway.cli import main

main()

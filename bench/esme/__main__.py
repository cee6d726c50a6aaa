"""`python -m bench.esme`."""

from bench.esme.cli import command

if __name__ == "__main__":
    command(prog_name="python -m bench.esme")

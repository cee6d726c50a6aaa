"""`python -m bench.smsc`."""

from bench.smsc.cli import command

if __name__ == "__main__":
    command(prog_name="python -m bench.smsc")

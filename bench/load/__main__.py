"""`python -m bench.load`."""

from bench.load.cli import command

if __name__ == "__main__":
    command(prog_name="python -m bench.load")

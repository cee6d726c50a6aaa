"""Fuzzing of everything that reads what a peer sent: `protocol`, and who asks it what it means.

One module per target: its docstring is the invariant, `check` holds one input to it and raises if
it does not stand, `seeds` are inputs to start from, most of them from tests/vectors.

    python -m tests.fuzz --inputs 10000000      all targets on all cores (`make fuzz`)
    python -m tests.fuzz --replay FILE          one failing input again, with its traceback

The long run is guided by coverage (atheris). Where atheris has no wheel, and in the short run that
is part of the tests, inputs are mutated blindly (mutate.py).
"""

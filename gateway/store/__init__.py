"""The only part that remembers: one contract, one package per implementation."""

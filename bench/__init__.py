"""What measures and exercises the gateway from outside: operator, webhook sink, load."""

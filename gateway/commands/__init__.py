"""What a person does at a terminal; each command is a file and a line in `gateway.cli`."""

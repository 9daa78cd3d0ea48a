"""The command line: parse, call ``lcrag.run``, phrase errors, exit. It takes no decision."""

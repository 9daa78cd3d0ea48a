"""The command line: parse, call ``lcrag.session``, phrase errors, exit. It takes no decision."""

"""Fitted numbers, as readable JSON; each file says when and on what it was fitted."""

"""Answers, plans and comparisons as text, JSON, HTML and CSV."""

"""What is remembered between calls: past answers (``answers``)."""

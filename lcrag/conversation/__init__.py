"""What is remembered between calls: past answers (``answers``), and sessions of questions (``memory``, ``talk``)."""

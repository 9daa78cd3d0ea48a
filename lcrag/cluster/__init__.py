"""Files and questions on the machines of a Ray cluster. Ray is imported only with ``--ray``."""

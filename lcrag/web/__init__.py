"""The same answers for other programs: over HTTP (``serve.serve``) and over the Model Context Protocol (``tools``)."""

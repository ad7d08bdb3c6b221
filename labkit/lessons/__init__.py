"""The steps of the notebooks: checks, hints and how they are told."""

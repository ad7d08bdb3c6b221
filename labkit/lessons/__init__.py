"""The steps of the notebooks: checks, hints, mistakes and how they are told."""

"""One file per notebook: each of its steps with its title, state, check, hints and a mistake."""

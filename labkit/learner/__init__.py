"""What belongs to the learner: their folder, what they have passed, solutions to read."""

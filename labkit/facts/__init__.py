"""What the real parts do, as it was seen, and the means to ask them again."""

"""Every word of `./lab`: what it does, from what the packages below offer."""

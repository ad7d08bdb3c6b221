"""What `./lab up` does and its opposite, one file for each part."""

"""What the lab is made of: versions, binaries and images, and where they come from."""

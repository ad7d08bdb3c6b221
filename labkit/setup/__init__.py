"""What `./lab up` brings about: this machine, what is built, the cluster."""

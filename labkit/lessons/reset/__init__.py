"""Brings a namespace into the state that a step starts from, or empties it."""

"""What kubectl's and helm's words do, for the namespace of the session."""

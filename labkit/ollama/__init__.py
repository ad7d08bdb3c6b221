"""What Ollama's words do, and what its Pods tell: logs, processes, timelines."""

"""Load tests, and what Prometheus and the metrics server know."""

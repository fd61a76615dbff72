"""The host's REST API, health and metrics; it talks to ``host.admin`` only."""

"""Every route of ours, named once."""

HEALTH, FIGURES, LOGOUT = "/health", "/metrics", "/logout"

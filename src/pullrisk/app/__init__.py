"""The GitHub App: handles the deliveries of its webhooks, and publishes in pull requests."""

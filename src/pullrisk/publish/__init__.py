"""Tells a pull its score at GitHub: one client and one publisher, for the App and the Action."""

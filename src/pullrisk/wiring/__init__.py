"""From settings to adapters: the only place that composes."""

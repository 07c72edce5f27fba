"""Running it: worker and schedule, health, metrics, logs."""

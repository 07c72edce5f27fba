"""The `threathub` command: thin commands over the application."""

"""City Threat Hub: sense, correlate and share what attacks on a city look like."""

__version__ = "0.1.0"

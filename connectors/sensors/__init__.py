"""One file per log format of the city's sensors."""

"""Events against indicators, new indicators against the past, rules over the city's own sensors."""

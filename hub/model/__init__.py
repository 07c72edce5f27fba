"""Pure values and rules of the field: no input, no output, no clock but `times.now`."""

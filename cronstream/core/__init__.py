"""The pure part: values in, values out; time and chance are passed in."""

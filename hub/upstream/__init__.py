"""The way to the city: what is due, in which order, in which dialect, and what it answered."""

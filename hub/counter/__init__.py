"""The counter: windows, kiosks and clerks bound to one another, and what a kiosk shows."""

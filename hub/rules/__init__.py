"""What the hub decides without touching anything: pure functions over values."""

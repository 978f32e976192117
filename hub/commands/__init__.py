"""The commands of `pingyi-hub`: they ask, call and tell; what is done is done elsewhere."""

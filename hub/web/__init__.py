"""HTTP: the interface of window systems. Decides nothing, holds no SQL."""

"""The pure core: no browser, no I/O, no clock, no randomness."""

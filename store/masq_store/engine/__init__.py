"""The engine: the store at work, over the ports in `ports.py`."""

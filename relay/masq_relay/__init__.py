"""The relay: passes sealed envelopes between devices, and keeps them for those that are away.

`frames` is the wire format, pure. `disk` is what is kept, `serial_thread` the thread that writes it. `rooms` says who
hears what, `connection` is one socket, `relay` holds all of it together. `__main__` is the command `masq-relay`.
"""

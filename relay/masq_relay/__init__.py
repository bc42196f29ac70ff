"""The relay: passes sealed envelopes between devices, and keeps them for those that are away.

`frames` is the wire format, pure. `disk` is what is kept, and the threads that write and read it. `rooms` says who
hears what, `sockets` who is connected, `relay` holds all of it together. `__main__` is the command `masq-relay`.
"""

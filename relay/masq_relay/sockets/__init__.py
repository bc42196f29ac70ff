"""Sockets, from the moment they are accepted: who is at the other end, how much it sends, how much waits for it."""

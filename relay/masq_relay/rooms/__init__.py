"""Rooms, and what becomes of what is said in them: let in, put on disk, passed on, replayed."""

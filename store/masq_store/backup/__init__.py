"""Backup files without a browser: `python -m masq_store.backup FILE` lists one and exports it."""

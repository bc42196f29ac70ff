"""The Masq store: the software that runs on the store's origin."""

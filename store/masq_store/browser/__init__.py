"""The ports' browser side."""

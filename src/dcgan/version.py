"""The version, where nothing else has to be imported to learn it."""

__version__ = "0.1.0"

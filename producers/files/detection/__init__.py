"""Finds out what the bytes of a file are: compression, format, encoding, delimiter, header."""

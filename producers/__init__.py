"""Enqueues jobs of the hospital registry for other services and for the command line, and reads their outcomes."""

"""The subcommands of `hospital-worker`, one subject a module."""

"""The subcommands of `hospital-worker`, one module per subject."""

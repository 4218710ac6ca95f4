"""The subcommands of `hospital-producer`, one module for each group."""

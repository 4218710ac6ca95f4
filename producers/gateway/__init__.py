"""The HTTP API of the registry: `hospital-producer gateway`. Everything here needs the extra `gateway`."""

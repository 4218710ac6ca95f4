"""The version of this package."""

from importlib import metadata


def installed_version() -> str:
    """Return the version of the installed package, or "unknown" where its sources run without being installed."""
    try:
        return metadata.version("hospital-registry-worker")
    except metadata.PackageNotFoundError:
        return "unknown"

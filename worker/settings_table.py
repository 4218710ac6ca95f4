"""The settings as a table, for `hospital-worker settings` and docs/configuration.md."""

from pydantic import SecretStr

from worker.settings import Settings


def settings_rows() -> list[dict[str, str]]:
    """Return the settings, each with variable, default (empty: none) and meaning."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, SecretStr):
            default = default.get_secret_value()
        elif isinstance(default, dict):
            default = ",".join(f"{name}={slots}" if slots else name for name, slots in default.items())
        shown = str(default) if default else ""
        rows.append({"variable": name.upper(), "default": shown, "meaning": field.description or ""})
    return rows


def settings_table() -> str:
    """Return the settings as a Markdown table: variable, default and meaning."""
    lines = ["| variable | default | meaning |", "|---|---|---|"]
    for row in settings_rows():
        default = f"`{row['default']}`" if row["default"] else "none"
        lines.append(f"| `{row['variable']}` | {default} | {row['meaning']} |")
    return "\n".join(lines) + "\n"

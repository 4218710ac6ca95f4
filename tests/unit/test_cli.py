import subprocess
import sys

from typer.testing import CliRunner

from worker.cli import app


def test_every_subcommand_can_be_imported() -> None:
    shown = CliRunner().invoke(app, ["--help"])
    listed = shown.output.partition("Commands:\n")[2].split("\n")
    names = [line.split()[0] for line in listed if line.startswith("  ") and line[2] != " "]
    assert {"run", "queue", "dead", "audit", "demo"} <= set(names)
    for name in names:
        assert CliRunner().invoke(app, [name, "--help"]).exit_code == 0, name


def test_an_unknown_command_suggests_the_closest_one() -> None:
    assert "Did you mean 'queue'?" in CliRunner().invoke(app, ["quee"]).output


def test_a_subcommand_does_not_import_the_drivers_of_another() -> None:
    code = "import sys, worker.cli; worker.cli.app(['queue', '--help'], standalone_mode=False); print(*sys.modules)"
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    imported = finished.stdout.split()
    assert "redis" in imported
    assert not {"pymongo", "motor", "producers"} & set(imported)

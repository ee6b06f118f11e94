"""The command line: signatures and printing. What a command does is told in `mlproj.workflow`."""


def main() -> None:
    """Runs the program `mlproj`."""
    from mlproj.cli.app import app

    app(prog_name="mlproj")

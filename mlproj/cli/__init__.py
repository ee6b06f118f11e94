"""The command line: signatures and printing. What a command does is told in `mlproj.workflow`."""


def main() -> None:
    """Runs the program `mlproj`."""
    import sys

    from mlproj.cli.app import app
    from mlproj.cli.shell import INPUT_IS_WRONG, answer_usage_error

    try:
        app(prog_name="mlproj")
    except SystemExit as end:
        if end.code == INPUT_IS_WRONG and "--json" in sys.argv:
            answer_usage_error()
        raise

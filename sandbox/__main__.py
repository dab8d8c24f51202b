"""Run the sandbox without Django: `python -m sandbox --port 0 --runtimes 12`."""

import argparse
import sys

from core.private_files import restrict_umask
from sandbox.client import SandboxClientError
from sandbox.command_line import add_arguments, run


def main() -> int:
    """Run the command line and return its exit status."""
    restrict_umask()
    parser = argparse.ArgumentParser(prog="sandbox", description="A local AWS Bedrock AgentCore.")
    add_arguments(parser)
    try:
        run(parser.parse_args(), _write)
    except (SandboxClientError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _write(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())

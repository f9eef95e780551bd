"""Run a benchmark by its name: `python -m benchmarks fanout [--json]`. Every file beside this one is a benchmark."""

import ast
import runpy
import sys
from pathlib import Path

FOLDER = Path(__file__).parent


def main(arguments: list[str]) -> int:
    """Run the named benchmark with the rest of the arguments, or list all."""
    benchmarks = {file.stem: file for file in sorted(FOLDER.glob("*.py")) if not file.stem.startswith("_")}
    if not arguments or arguments[0] not in benchmarks:
        print("usage: python -m benchmarks NAME [--json]\n")
        for name, file in benchmarks.items():
            summary = (ast.get_docstring(ast.parse(file.read_text("utf-8"))) or "").partition("\n")[0]
            print(f"  {name:<12} {summary}")
        return 0 if arguments in ([], ["--help"]) else 2
    sys.argv = [str(benchmarks[arguments[0]]), *arguments[1:]]
    runpy.run_module(f"benchmarks.{arguments[0]}", run_name="__main__")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

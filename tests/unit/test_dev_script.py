"""`dev.py` is the first file that anybody runs, also with a Python that is too old for all the others."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "dev.py"


def test_old_pythons_can_read_it() -> None:
    tree = ast.parse(SCRIPT.read_text(), feature_version=(3, 4))
    newer = (ast.JoinedStr, ast.AnnAssign, ast.NamedExpr, ast.Starred, ast.AsyncFunctionDef, ast.Match)
    assert [type(node).__name__ for node in ast.walk(tree) if isinstance(node, newer)] == []
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    assert [alias.name for node in imports for alias in node.names] == ["sys", "dev_commands"]
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    assert all(node.returns is None and not node.args.args for node in functions)


def test_a_python_that_is_too_old_is_told_in_a_sentence() -> None:
    pretend = f"import sys, runpy; sys.version_info = (3, 6, 9); runpy.run_path({str(SCRIPT)!r}, run_name='__main__')"
    ended = subprocess.run([sys.executable, "-c", pretend], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "Python 3.11 or newer is needed; this is 3.6.9" in ended.stderr
    assert "fix:" in ended.stderr


def test_without_a_command_it_says_what_there_is() -> None:
    ended = subprocess.run([sys.executable, str(SCRIPT)], capture_output=True, text=True, check=False)
    assert ended.returncode == 2
    assert "python3 dev.py demo" in ended.stderr

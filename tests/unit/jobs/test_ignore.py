"""What stays behind when code is packed: as Git says, and then as `.trainworksignore` does."""

import io
import os
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainworks.cli.transfers import packed_line
from trainworks.errors import RequestError
from trainworks.jobs.source import SourceBundle, package_folder, package_source

FILES = (
    *("train.py", "data/a.csv", "data/deep/b.csv", "lib/c.py", "lib/data/d.csv", "run.log", "lib/keep.log", "x y.txt"),
)
PATTERNS = st.sampled_from(
    (
        *("data/", "/data", "*.log", "!keep.log", "lib/*.py", "**/deep", "data/*", "!data/deep/", "# data", ""),
        *("x\\ y.txt", "*.csv", "!lib/data/d.csv", "lib", "d?ta/", "[a-c].csv"),
    )
)
IGNORES = st.dictionaries(st.sampled_from(["", "lib/", "data/"]), st.lists(PATTERNS, max_size=4), max_size=3)


def lay(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def names(bundle: SourceBundle) -> set[str]:
    with tarfile.open(fileobj=io.BytesIO(bundle.data)) as tar:
        return set(tar.getnames())


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
@settings(max_examples=40)
@given(ignores=IGNORES)
def test_gitignores_are_understood_as_git_understands_them(
    tmp_path_factory: pytest.TempPathFactory, ignores: dict[str, list[str]]
) -> None:
    root = tmp_path_factory.mktemp("repository")
    lay(root, dict.fromkeys(FILES, "x") | {f"{folder}.gitignore": "\n".join(each) for folder, each in ignores.items()})
    variables = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    subprocess.run(["git", "init", "-q", str(root)], check=True, env=variables)
    listing = ["git", "-c", "core.excludesFile=", "ls-files", "-z", "--others", "--exclude-per-directory=.gitignore"]
    listed = subprocess.run(listing, cwd=root, env=variables, check=True, capture_output=True, text=True).stdout
    expected = {name for name in listed.split("\0") if name and not name.endswith(".gitignore")}
    assert names(package_source(root / "train.py", root)) == expected


def test_the_own_file_has_the_last_word_and_reaches_below_what_git_ignores(tmp_path: Path) -> None:
    own = "!data/small.csv\n!notes.log\nlib/heavy/\n"
    lay(
        tmp_path,
        {".gitignore": "data/\n*.log\n", ".trainworksignore": own, "train.py": "", "data/big.csv": "", "run.log": ""}
        | {"data/small.csv": "", "notes.log": "", "lib/a.py": "", "lib/heavy/weights.bin": ""},
    )
    bundle = package_source(tmp_path / "train.py", tmp_path)
    assert names(bundle) == {"train.py", "data/small.csv", "notes.log", "lib/a.py"}
    assert {each.path: each.pattern for each in bundle.left_out} == {
        "data/": "data/ in .gitignore",
        "run.log": "*.log in .gitignore",
        "lib/heavy/": "lib/heavy/ in .trainworksignore",
    }
    assert packed_line(bundle).startswith("code: 4 files, 0 B; left out: data/ (data/ in .gitignore), ")


def test_the_line_of_what_is_left_out_is_one_whatever_files_are_called(tmp_path: Path) -> None:
    odd = {f"{number}\n\x1b[2J.bin": "" for number in range(7)}
    lay(tmp_path, {".trainworksignore": "*.bin\n", "train.py": ""} | odd)
    line = packed_line(package_source(tmp_path / "train.py", tmp_path))
    named = [f"{number} \\x1b[2J.bin (*.bin in .trainworksignore)" for number in range(5)]
    assert line == f"code: 1 file, 0 B; left out: {', '.join(named)} and 2 more"


def test_what_a_folder_above_ignores_stays_behind_up_to_the_root_of_the_repository(tmp_path: Path) -> None:
    lay(
        tmp_path,
        {".gitignore": "*\n", "repository/.git/HEAD": "", "repository/.gitignore": "*.bin\n/code/out/\n"}
        | {"repository/code/train.py": "", "repository/code/w.bin": "", "repository/code/out/x": ""},
    )
    code = tmp_path / "repository" / "code"
    assert names(package_source(code / "train.py", code)) == {"train.py"}


def test_a_mark_of_the_order_of_bytes_is_no_part_of_the_first_pattern(tmp_path: Path) -> None:
    lay(tmp_path, {".gitignore": "\ufeffsecret.csv\n", "secret.csv": "x", "train.py": ""})
    assert names(package_source(tmp_path / "train.py", tmp_path)) == {"train.py"}


def test_outside_of_a_repository_folders_above_say_nothing(tmp_path: Path) -> None:
    lay(tmp_path, {".gitignore": "*\n", "code/train.py": "", "code/a.log": ""})
    assert names(package_source(tmp_path / "code/train.py", tmp_path / "code")) == {"train.py", "a.log"}


@pytest.mark.parametrize(("ignore", "said"), [("*.py\n", "by *.py in .gitignore"), ("src/\n", "by src/ in .gitignore")])
def test_a_script_that_stays_behind_is_refused_with_the_way_to_take_it_along(
    tmp_path: Path, ignore: str, said: str
) -> None:
    lay(tmp_path, {".gitignore": ignore, "src/train.py": "", "notes.txt": ""})
    with pytest.raises(RequestError, match=r"script src/train\.py is left out") as refused:
        package_source(tmp_path / "src/train.py", tmp_path)
    assert said in refused.value.message and "!src/train.py" in refused.value.fix
    lay(tmp_path, {".trainworksignore": "!src/train.py\n"})
    assert "src/train.py" in names(package_source(tmp_path / "src/train.py", tmp_path))


def test_an_image_is_what_its_folder_is(tmp_path: Path) -> None:
    lay(tmp_path, {".gitignore": "*.bin\n", "model.bin": "", "requirements.txt": ""})
    with tarfile.open(fileobj=io.BytesIO(package_folder(tmp_path))) as tar:
        assert tar.getnames() == ["model.bin", "requirements.txt"]


def test_an_ignore_file_that_is_no_text_is_refused_by_name(tmp_path: Path) -> None:
    lay(tmp_path, {"train.py": ""})
    (tmp_path / ".trainworksignore").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RequestError, match=r"\.trainworksignore cannot be read"):
        package_source(tmp_path / "train.py", tmp_path)

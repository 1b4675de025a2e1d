from __future__ import annotations

from pathlib import Path

from trainworks.preflight.scanners.memory import Said, key_of, remembered


class Scanner:
    """Counts how often it is asked."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self) -> Said:
        self.runs += 1
        return [{"rule": "W1", "run": self.runs}]


def test_a_scan_of_the_same_input_is_made_once(tmp_path: Path) -> None:
    scanner, folder = Scanner(), tmp_path / "scans"
    assert remembered(folder, "a", scanner) == remembered(folder, "a", scanner) == [{"rule": "W1", "run": 1}]
    assert remembered(folder, "b", scanner) == [{"rule": "W1", "run": 2}]


def test_a_broken_memory_is_scanned_again(tmp_path: Path) -> None:
    scanner = Scanner()
    remembered(tmp_path, "a", scanner)
    (tmp_path / "a.json").write_text("[{")
    assert remembered(tmp_path, "a", scanner) == [{"rule": "W1", "run": 2}]
    assert {path.name for path in tmp_path.iterdir()} == {"a.json", "a.lock"}


def test_old_scans_go(tmp_path: Path) -> None:
    for number in range(140):
        remembered(tmp_path, f"{number}", Scanner())
    assert len(list(tmp_path.glob("*.json"))) == len(list(tmp_path.glob("*.lock"))) == 128


def test_a_key_keeps_its_parts_apart() -> None:
    assert key_of(["ab", "c"]) != key_of(["a", "bc"])
    assert key_of(["a", b"b"]) == key_of([b"a", "b"])

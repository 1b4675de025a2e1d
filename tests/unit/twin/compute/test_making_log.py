"""What pip says, as logs and status messages have it."""

import os
from pathlib import Path

import pytest

from trainworks.twin.compute.making_log import PIP_LOG, MakingLog, PipOutput

SAID = """\
Looking in indexes: https://user:secret@index.example/simple, file:///srv/simple
Looking in links: /srv/wheels
WARNING: Location 'file:///srv/simple/pandas/' is ignored: it is neither a file nor a directory.
Collecting pandas
  Downloading pandas-3.1.1-cp311-cp311-manylinux_2_24_x86_64.manylinux_2_28_x86_64.whl (12.4 MB)
  Downloading https://index.example/x/six-1.16.0-py2.py3-none-any.whl.metadata (4 kB)
Processing /srv/files/torch-2.6.0+cpu-cp311-cp311-linux_x86_64.whl (from pandas)
Collecting python-dateutil>=2.9.0 (from pandas)
  Using cached python_dateutil-2.9.0.post0-py2.py3-none-any.whl (92 kB)
  Preparing metadata (pyproject.toml): started
Installing collected packages: pandas, torch, python-dateutil
Successfully installed pandas-3.1.1 torch-2.6.0+cpu python-dateutil-2.9.0.post0
"""


def told(place: Path, said: str, asked: int = 2) -> tuple[MakingLog, list[str], list[str]]:
    """The story, its states one after another, and the last lines."""
    making_log, states = MakingLog(), []
    with PipOutput(place, making_log, asked) as output:
        for line in said.splitlines():
            output(line)
            states.append(making_log.state)
    return making_log, states, list(output.last_lines)


def test_a_log_tells_of_each_package_and_a_state_is_short(tmp_path: Path) -> None:
    making_log, states, last = told(tmp_path, SAID)
    assert list(making_log.lines) == [
        "collected pandas 3.1.1 (12.4 MB)",
        "collected torch 2.6.0+cpu",
        "collected python-dateutil 2.9.0.post0 (92 kB)",
        "preparing python-dateutil",
        "installed 3 packages: pandas 3.1.1, torch 2.6.0+cpu, python-dateutil 2.9.0.post0",
    ]
    assert "collecting pandas (1 of about 2)" in states and "installing 3 packages" in states
    everything = "\n".join([*making_log.lines, *states])
    assert not any(word in everything for word in ("index.example", "secret", "/srv", "WARNING"))
    assert not any("Looking in" in line or "Location" in line for line in last)
    assert (tmp_path / PIP_LOG).read_text() == SAID


def test_the_last_lines_have_room_for_what_went_wrong(tmp_path: Path) -> None:
    noise = "".join(f"WARNING: Location 'file:///srv/{number}' is ignored\n" for number in range(50))
    retries = "".join(f"WARNING: Retrying (Retry(total={number})): /simple/x/\n" for number in range(50))
    making_log, _, last = told(tmp_path, f"ERROR: no x in https://index.example/simple\n{noise}{retries}")
    assert last == ["ERROR: no x in <address>", "WARNING: Retrying (Retry(total=0)): /simple/x/"]
    assert list(making_log.lines) == ["ERROR: no x in <address>"]


def test_a_link_in_the_place_of_the_record_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / PIP_LOG).symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match=PIP_LOG):
        told(tmp_path, SAID)
    (tmp_path / PIP_LOG).unlink()
    os.mkfifo(tmp_path / PIP_LOG)
    with pytest.raises(OSError, match=PIP_LOG):
        told(tmp_path, SAID)
    assert not (tmp_path / "other").exists()


def test_what_is_no_output_of_pip_is_kept_and_told_to_nobody(tmp_path: Path) -> None:
    said = "Collecting \nDownloading nothing\nInstalling collected packages: \nSuccessfully installed \n" + "x" * 9000
    making_log, states, _ = told(tmp_path, said)
    assert not making_log.lines and not any(states)

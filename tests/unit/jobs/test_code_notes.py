"""What is said of a job's code before it starts."""

from __future__ import annotations

from pathlib import Path

from trainworks.jobs.code_notes import code_notes
from trainworks.spec.job import batch_job_spec, training_job_spec

SCRIPT = "import os, helper, json\nfrom package.part import thing\nfrom absent import other\n"


def project(folder: Path) -> Path:
    (folder / "train.py").write_text(SCRIPT)
    (folder / "helper.py").write_text("")
    (folder / "unused.py").write_text("")
    (folder / "package").mkdir()
    (folder / "package" / "__init__.py").write_text("")
    (folder / "requirements.txt").write_text("tinypackage\n")
    return folder


def test_a_script_alone_says_what_it_leaves_behind(tmp_path: Path) -> None:
    (note,) = code_notes(training_job_spec({"script": "train.py"}, project(tmp_path)))
    assert "without helper.py, package/, requirements.txt beside it: --source-dir" in note


def test_a_folder_with_requirements_says_that_training_on_aws_has_no_index(tmp_path: Path) -> None:
    values = {"script": "train.py", "source_dir": "."}
    (note,) = code_notes(training_job_spec(values, project(tmp_path)))
    assert "no way to one on AWS" in note and "trainworks image build" in note
    assert code_notes(batch_job_spec(values, tmp_path)) == [], "Batch's subnets may have a way out"


def test_nothing_is_said_where_nothing_is_missed(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import os, train")
    assert code_notes(training_job_spec({"script": "train.py"}, tmp_path)) == []
    (tmp_path / "train.py").write_text("not python at all (")
    assert code_notes(training_job_spec({"script": "train.py"}, tmp_path)) == []
    assert code_notes(training_job_spec({"script": "absent.py"}, tmp_path)) == []

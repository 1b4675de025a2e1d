"""What is said of a job's code before it starts."""

from __future__ import annotations

from pathlib import Path

from trainworks.config.job import batch_job_spec, training_job_spec
from trainworks.jobs.code_notes import code_notes, names_requirements, requirements_note

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
    assert "without helper.py, package/, requirements.txt next to it: --source-dir" in note


def test_requirements_are_told_of_where_subnets_lead_to_no_index(tmp_path: Path) -> None:
    values = {"script": "train.py", "source_dir": "."}
    spec = training_job_spec(values, project(tmp_path))
    assert code_notes(spec) == [] and names_requirements(spec) and names_requirements(batch_job_spec(values, tmp_path))
    assert not names_requirements(training_job_spec({"script": "train.py"}, tmp_path)), "it stays behind"
    note = requirements_note(spec, ("subnet-1", "subnet-2"))
    assert "subnets subnet-1, subnet-2 have no route to the internet" in note and "trainworks image build" in note
    assert "could not be looked up" in requirements_note(spec, None)
    assert requirements_note(spec, ()) == ""


def test_requirements_below_the_top_are_not_installed(tmp_path: Path) -> None:
    (tmp_path / "code").mkdir()
    project(tmp_path / "code")
    spec = training_job_spec({"script": "code/train.py", "source_dir": "."}, tmp_path)
    (note,) = code_notes(spec)
    assert "is not installed" in note and f"--source-dir {tmp_path / 'code'}" in note
    (tmp_path / "requirements.txt").write_text("tinypackage\n")
    assert code_notes(spec) == []


def test_an_own_image_may_have_all_that_is_required(tmp_path: Path) -> None:
    values = {"script": "train.py", "source_dir": "."}
    own = "111111111111.dkr.ecr.eu-west-1.amazonaws.com/runtime:v2"
    note = requirements_note(training_job_spec({**values, "image": own}, project(tmp_path)), ("subnet-1",))
    assert "if the image runtime:v2 has all of it already" in note and "image build" not in note
    aws = "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-training:2.6.0-cpu-py312"
    assert "image build" in requirements_note(training_job_spec({**values, "image": aws}, tmp_path), ("subnet-1",))


def test_nothing_is_said_where_nothing_is_missed(tmp_path: Path) -> None:
    (tmp_path / "train.py").write_text("import os, train")
    assert code_notes(training_job_spec({"script": "train.py"}, tmp_path)) == []
    (tmp_path / "train.py").write_text("not python at all (")
    assert code_notes(training_job_spec({"script": "train.py"}, tmp_path)) == []
    assert code_notes(training_job_spec({"script": "absent.py"}, tmp_path)) == []

"""Write the generated pages of `docs/reference/` from the code that they describe, and fold all pages at one width.

With `--check` nothing is written; it fails where a page is stale or not folded.

images/      from `drawings.py`, and from what the pages with the pictures describe
states.md    from the transition tables in `trainworks.states`
fidelity.md  from the operations that the twin's services declare
check.md     from the rules, and what they find on the platforms' templates
diff.md      from the platforms' templates, and those of one environment under each profile
roles.md     from the documented set of roles, `trainworks.infra.platform_roles`
reference-parity.md  from `parity.py`, whose names are checked against templates and tests
platform.md  from the platforms' templates and profiles: networks drawn
framework-images.md  from the packages that AWS documents for its images, as the twin makes them
cost.md      from the platforms' templates and the price file; the table in README.md too
schemas/     of `config/`: for editors, from the records of settings and specs
trainworks-toml.md, job-spec.md  from the same schemas
cli.md       from the commands
python-api.md  from the docstrings of the public modules
cost-types.md  from the tables that say what each resource type costs by
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import api_page
import check_page
import cli_page
import cost_page
import cost_types_page
import diff_page
import drawings
import images_page
import parity_page
import platform_page
import roles_page
import settings_page
import states_page
import wrap

from trainworks.config import schema
from trainworks.config.profile import PROFILES
from trainworks.twin import fidelity

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"

PAGES: dict[str, Callable[[], str]] = {
    "images/planes.svg": drawings.planes,
    "images/tutorial.svg": drawings.tutorial,
    "images/job.svg": drawings.job,
    "reference/states.md": states_page.page,
    "images/states-training-job.svg": states_page.training_picture,
    "images/states-batch-job.svg": states_page.batch_picture,
    "reference/fidelity.md": fidelity.page,
    "reference/platform.md": platform_page.page,
    **{f"images/platform-{name}.svg": partial(platform_page.picture, name) for name in PROFILES},
    "reference/check.md": check_page.page,
    "reference/cost.md": cost_page.page,
    "reference/cost-types.md": cost_types_page.page,
    "reference/diff.md": diff_page.page,
    "reference/roles.md": roles_page.page,
    "reference/framework-images.md": images_page.page,
    "reference/reference-parity.md": parity_page.page,
    "reference/trainworks-toml.md": settings_page.settings,
    "reference/job-spec.md": settings_page.jobs,
    "reference/cli.md": cli_page.page,
    "reference/python-api.md": api_page.page,
    "../README.md": cost_page.readme,
    "../src/trainworks/config/schemas/trainworks.schema.json": lambda: schema.text_of(schema.settings_schema()),
    "../src/trainworks/config/schemas/job.schema.json": lambda: schema.text_of(schema.job_schema()),
}


def main(arguments: list[str]) -> int:
    is_checked = "--check" in arguments
    stale = [*_each(is_checked, "is stale", _generated()), *_each(is_checked, "is not folded", _folded())]
    return 1 if stale and is_checked else 0


def _generated() -> Iterator[tuple[Path, str]]:
    for name, page in PAGES.items():
        path = (DOCS / name).resolve()
        told = f"<!-- Made by {page.__module__}: change that, then `python3 dev.py docs`. -->\n\n"
        if path.suffix == ".md":
            yield path, wrap.wrapped(page() if path.parent == ROOT else told + page())
        else:
            yield path, page()


def _folded() -> Iterator[tuple[Path, str]]:
    for path in wrap.all_pages():
        yield path, wrap.wrapped(path.read_text(encoding="utf-8"))


def _each(is_checked: bool, what: str, pages: Iterable[tuple[Path, str]]) -> Iterator[Path]:
    """The pages that are not as they should be: written, or only named where `is_checked`."""
    for path, text in pages:
        if path.exists() and path.read_text(encoding="utf-8") == text:
            continue
        yield path
        name = path.relative_to(ROOT)
        if is_checked:
            sys.stderr.write(f"{name} {what}. fix: python3 dev.py docs\n")
        else:
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"wrote {name}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""The page `check.md`: the rules, how to read and accept findings, and what is found on the platforms as they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from platforms import graphs

from trainworks.preflight.checker import check
from trainworks.preflight.finding import Finding
from trainworks.preflight.quotas import Quota, shipped_quotas
from trainworks.preflight.report import Report
from trainworks.preflight.rule import Rule
from trainworks.preflight.rules import OWN_RULES, RULES
from trainworks.preflight.settings import CheckSettings

_GUIDE = """\
# Check

`trainworks check` finds what CloudFormation accepts and run time does not: a training job without subnets, a role that
lacks one permission, an alarm that can never fire. It reads the templates with everything in them resolved, across
nested stacks and inside JSON texts, so it needs no account, not even credentials: an environment without `account` is
checked for a made-up one. The NUMBER rules, and what CloudFormation itself would refuse (TW00), take less than a
second; cfn-lint and cdk-nag take several, and are asked again only when a template has changed.

```bash
trainworks check --env prod                    # the templates that `up` would deploy
trainworks check --template cdk.out            # anybody's: an assembly, or one template
trainworks check --template t.yaml --parameter Stage=dev --region eu-west-1 --production
trainworks check --only TW10 --output json     # or sarif, which code hosts show beside the code
```

Exit code 0 without errors, 1 with errors, 2 when the request was wrong; `--fail-on warning` fails on
warnings too, `--fail-on never` on nothing. An **error** fails at run time, loses data or
opens the account; a **warning** costs, misleads or may fail. `up` runs the same check before it uploads anything, only
when there is something to deploy, and refuses on errors; `--no-check` deploys all the same. `up --output json` then
prints `{"error": {"message", "fix"}, "findings": [...]}`. Any other error is told on standard error
alone, as by all commands: programs go by the exit code.

A finding names the line of your code that made the resource where the assembly tells it: CDK apps in TypeScript and
JavaScript have their call stacks in it. SARIF then points there, and to the template beside it.

What a Transform makes of a template is not looked at, which a note says, but for what `Globals` give to the resources
of a SAM template, the policies that a function names, and the queues and streams among its events.

What is wrong in the same way at several places stands once in the text, with the first of them and how many more there
are; `--output json` and `sarif` have a finding for each place, and so has a baseline.

cfn-lint (the extra `check`) and cdk-nag (the extra `infra`; for `--env` alone, as it looks at
constructs) report into the same list as `cfn-lint/W3010` and `cdk-nag/SF1`; `--no-scanners` leaves them out. What they
say of the platform itself and why it stands is in `src/trainworks/preflight/data/platform-baseline.toml`.

## Accepting a finding

`trainworks-baseline.toml` beside `trainworks.toml`, or `--baseline FILE`, says which findings are known, why, and since
when. `*` stands for anything, `[*]` for an asterisk.

```toml
[[accepted]]
code = "TW27"
place = "Batch/*"
reason = "Service Quotas raised it to 256"
date = 2026-01-31
expires = 2026-12-31         # optional: reported again from the next day on
environments = ["staging"]   # optional
```

`--update-baseline` appends an entry for each finding that stands, with an empty reason: a file with an empty reason is
refused. `--update-baseline --reason TEXT` gives all of these, and those that were left empty, one reason: the way to
begin on an old code base. The file is written once, at the end, whole: a check that breaks off leaves it as it was.
An entry that matches nothing any more is reported, and so is one that has expired.

## Where the facts come from

Properties, and which of them a change replaces or may replace, are AWS's registry schemas, written to
`assembly/data/schemas.zip` by `python -m trainworks.assembly.refresh_schemas`; which property is a name, and how long
it may be, to `preflight/data/registry.json` by `python -m trainworks.preflight.refresh_registry`. Quotas are those of a
new account (below); `--quotas FILE` puts the figures of your own account in their place. A table needs its limit alone;
what it leaves out is as below.

```toml
[standard_spot_vcpus]
limit = 256
source = "Service Quotas, raised"   # optional, as are what, adjustable and checked
```"""


def page() -> str:
    """The whole page."""
    return "\n".join(
        [
            _GUIDE.replace("NUMBER", str(OWN_RULES)),
            "",
            "## Rules",
            "",
            "| code | severity | finds | comes from |",
            "|---|---|---|---|",
            *(_rule(rule) for rule in RULES),
            "",
            "## Quotas",
            "",
            "| name | limit | of | source | looked at |",
            "|---|---|---|---|---|",
            *(_quota(quota) for quota in shipped_quotas().values()),
            "",
            "## What it finds",
            "",
            "The platform as it is shipped, and the one that it is measured against; written by `python3 dev.py docs`.",
            *(line for title, report in _reports().items() for line in _recorded(title, report)),
            "",
        ]
    )


def _reports() -> Mapping[str, Report]:
    """The check of each platform; the reference is held to what it claims, which is production."""
    titles = {"reference": "The reference platform, as production"}
    return {
        titles.get(name, f"Profile {name}"): check(graph, CheckSettings(production=name in {"prod", "reference"}))
        for name, graph in graphs().items()
    }


def _rule(rule: Rule) -> str:
    return f"| {rule.code} | {rule.severity} | {_cell(rule.title)} | {_cell(rule.origin)} |"


def _quota(quota: Quota) -> str:
    limit = f"{quota.limit:,}" if quota.adjustable else f"{quota.limit:,}, never raised"
    return f"| `{quota.name}` | {limit} | {_cell(quota.what)} | {_cell(quota.source)} | {quota.checked} |"


def _recorded(title: str, report: Report) -> Iterable[str]:
    yield from ("", f"### {title}", "", f"{len(report.errors)} errors, {len(report.warnings)} warnings.")
    if report.findings:
        yield from ("", "| severity | code | place | what |", "|---|---|---|---|")
        yield from (_finding(finding) for finding in report.findings)


def _finding(finding: Finding) -> str:
    return f"| {finding.severity} | {finding.code} | `{finding.place}` | {_cell(finding.message)} |"


def _cell(text: str) -> str:
    """Text inside of a table."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*")

"""What CloudFormation accepts and run time does not, found before the deploy.

    graph --> checker.check (each rule of rules.RULES) --> Report --> baseline (accepted findings) --> text | sarif
              scanners.* (cfn-lint, cdk-nag), as more findings ----^

A rule is one module of `rules`; it reads the resolved graph alone and yields faults.
"""

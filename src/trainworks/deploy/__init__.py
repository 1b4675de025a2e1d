"""Deploys the platform through CloudFormation's API; see `deployer` for the way of an `up`.

deployer.up, deployer.diff    teardown.survey, teardown.down    status.status
"""

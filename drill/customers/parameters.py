"""Small records of several services: SSM parameters, secrets, a role's policy, tags, what SageMaker records."""

from __future__ import annotations

import base64
import json

from customer import ACCOUNT_ID, DEFAULT_REGION, Customer
from ledger import Register

BUCKET = "drill-records"
CONFIG = {"NotebookInstanceLifecycleConfigName": "drill"}
CONFIG_ARN = f"arn:aws:sagemaker:{DEFAULT_REGION}:{ACCOUNT_ID}:notebook-instance-lifecycle-config/drill"


class Parameters(Customer):
    def prepare(self) -> None:
        self.ssm, self.secrets = self.twin.client("ssm"), self.twin.client("secretsmanager")
        self.iam, self.s3 = self.twin.client("iam"), self.twin.client("s3")
        self.sagemaker = self.twin.client("sagemaker")
        self.sagemaker.create_notebook_instance_lifecycle_config(**CONFIG)
        self.twin.role("drill", "lambda.amazonaws.com")
        self.s3.create_bucket(Bucket=BUCKET)
        self.secrets.create_secret(Name="drill", SecretString="0")
        writers = {
            "parameter": self._parameter, "secret": self._secret, "policy": self._policy, "tags": self._tags,
            "config": self._config, "config's tag": self._config_tag,
        }  # fmt: skip
        self.writers = writers
        self.values = {}
        for name, write in writers.items():
            write("0")
            self.values[name] = Register("0")
        self.number = 0

    def step(self) -> None:
        self.number += 1
        name = self.chance.choice(list(self.writers))
        with self.values[name].write(str(self.number)):
            self.ack(self.writers[name](str(self.number)))

    def audit(self) -> None:
        policy = self.iam.get_role_policy(RoleName="drill", PolicyName="drill")["PolicyDocument"]
        config = self.sagemaker.describe_notebook_instance_lifecycle_config(**CONFIG)
        found = {
            "parameter": self.ssm.get_parameter(Name="/drill/value")["Parameter"]["Value"],
            "secret": self.secrets.get_secret_value(SecretId="drill")["SecretString"],
            "policy": policy["Statement"][0]["Sid"].removeprefix("n"),
            "tags": self.s3.get_bucket_tagging(Bucket=BUCKET)["TagSet"][0]["Value"],
            "config": base64.b64decode(config["OnStart"][0]["Content"]).decode(),
            "config's tag": self.sagemaker.list_tags(ResourceArn=CONFIG_ARN)["Tags"][0]["Value"],
        }
        for name, register in self.values.items():
            expected = set(register.possible)
            self.ledger.check(
                self.name, register.read(found[name]), "lost", f"{name} is {found[name]}, may be {expected}"
            )

    def _parameter(self, value: str) -> object:
        return self.ssm.put_parameter(Name="/drill/value", Value=value, Type="String", Overwrite=True)

    def _secret(self, value: str) -> object:
        return self.secrets.put_secret_value(SecretId="drill", SecretString=value)

    def _policy(self, value: str) -> object:
        statement = {"Sid": f"n{value}", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
        document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        return self.iam.put_role_policy(RoleName="drill", PolicyName="drill", PolicyDocument=document)

    def _tags(self, value: str) -> object:
        return self.s3.put_bucket_tagging(Bucket=BUCKET, Tagging={"TagSet": [{"Key": "n", "Value": value}]})

    def _config(self, value: str) -> object:
        script = {"Content": base64.b64encode(value.encode()).decode()}
        return self.sagemaker.update_notebook_instance_lifecycle_config(**CONFIG, OnStart=[script])

    def _config_tag(self, value: str) -> object:
        return self.sagemaker.add_tags(ResourceArn=CONFIG_ARN, Tags=[{"Key": "n", "Value": value}])

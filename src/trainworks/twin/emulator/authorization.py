"""Who may do what: keys, role sessions, policies. Replaces what ministack leaves open.

Root is one random key; nothing else is (stock: any 12-digit key, or `test`). Signatures are checked by the front
before a request gets here, so ministack's own check is switched off rather than run twice. A denial names principal,
action and resource, for every service.
"""

from __future__ import annotations

import contextvars
import hashlib
import hmac
import json
import secrets
import string
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from trainworks.twin.emulator import engine, iam_resources
from trainworks.twin.home import ACCOUNT_ID, DEFAULT_REGION, RootCredentials
from trainworks.twin.ports import ApiError, Caller, Credentials
from trainworks.twin.sigv4 import SigningKey
from trainworks.twin.wire.protocols.cbor import decode

_KEY_ALPHABET = string.ascii_uppercase + "234567"
_S3_DENIED = ("AccessDenied", 403)
_DENIED = {"s3": _S3_DENIED, "ec2": ("UnauthorizedOperation", 403), "sns": ("AuthorizationError", 403)}

ROOT_ARN = f"arn:aws:iam::{ACCOUNT_ID}:root"


class Authorization:
    """Keys, sessions and policy decisions over ministack's IAM and STS state."""

    def __init__(self, root: RootCredentials) -> None:
        self._root = root
        self._evaluator = engine.module("core.iam_evaluator")
        self._responses = engine.module("core.responses")
        self._install()
        self._iam = engine.service("iam")
        self._sts = engine.service("sts")

    def signing_key(self, access_key_id: str) -> SigningKey | None:
        """What the front needs to check a signature; None for an unknown or inactive key."""
        if hmac.compare_digest(access_key_id.encode(), self._root.access_key_id.encode()):
            caller = Caller(ROOT_ARN, ACCOUNT_ID, "", access_key_id, is_root=True)
            return SigningKey(self._root.secret_access_key, caller)
        session = self._sts._sessions.get(access_key_id)
        if session is not None:
            arn = str(session["Arn"])
            caller = Caller(arn, arn.split(":")[4], "", access_key_id)
            return SigningKey(session["SecretAccessKey"], caller, session["SessionToken"], session.get("Expiration"))
        return self._user_key(access_key_id)

    def authorize(
        self, caller: Caller, action: str, resource: str, context: Mapping[str, str | Sequence[str]] | None = None
    ) -> None:
        """See `ports.ControlPlane.authorize`."""
        service = action.partition(":")[0]
        with self._responses.request_scope(caller.account_id, caller.region):
            denied = self._evaluator.enforce(
                caller.access_key_id,
                action,
                service,
                caller.region,
                resource_arn=resource,
                service_context=dict(context or {}),
            )
        if denied is None:
            return
        if isinstance(denied, self._evaluator.AuthError):
            raise ApiError(denied.code, denied.message, 403)
        code, status = _DENIED.get(service, ("AccessDeniedException", 400))
        raise ApiError(code, denial_message(caller.arn, action, resource, denied.decision == "Deny"), status)

    def pass_role(self, caller: Caller, role_arn: str, service: str) -> None:
        """See `ports.ControlPlane.pass_role`."""
        self.authorize(caller, "iam:PassRole", role_arn, {"iam:PassedToService": service})
        self._check_trust(role_arn, service, {"aws:sourceaccount": caller.account_id}, caller.region)

    def assume_for_service(
        self, role_arn: str, service: str, session_name: str, duration_seconds: int, source_arn: str
    ) -> Credentials:
        """See `ports.ControlPlane.assume_for_service`. The session is a row like any other, so it is durable."""
        account, region = role_arn.split(":")[4], _region_of(source_arn)
        context = {"aws:sourceaccount": account, "aws:sourcearn": source_arn}
        role = self._check_trust(role_arn, service, context, region)
        access_key_id = "ASIA" + "".join(secrets.choice(_KEY_ALPHABET) for _ in range(16))
        secret, token = secrets.token_urlsafe(30), secrets.token_urlsafe(120)
        expiration = time.time() + duration_seconds
        arn = f"arn:aws:sts::{account}:assumed-role/{role['RoleName']}/{session_name}"
        session = {
            "Arn": arn,
            "UserId": f"{role.get('RoleId', role['RoleName'])}:{session_name}",
            "SecretAccessKey": secret,
            "SessionToken": token,
            "Expiration": expiration,
            "AccountId": account,
            "PrincipalType": "AssumedRole",
        }
        self._sts.register_session(access_key_id, session)
        caller = Caller(arn, account, region, access_key_id)
        return Credentials(access_key_id, secret, token, expiration, caller)

    def _user_key(self, access_key_id: str) -> SigningKey | None:
        try:
            account = self._evaluator.find_iam_access_key_account(access_key_id)
        except self._evaluator.AmbiguousAccessKeyError:
            return None
        if account is None:
            return None
        credential = self._evaluator.resolve_credential(access_key_id, account)
        if isinstance(credential, self._evaluator.CredentialResolutionError):
            return None
        return SigningKey(credential.secret_access_key, Caller(credential.principal_arn, account, "", access_key_id))

    def _check_trust(self, role_arn: str, service: str, context: Mapping[str, str], region: str) -> dict[str, Any]:
        role = self._role(role_arn)
        if role is None or not self._trusts(role, role_arn, service, context, region):
            raise ApiError(
                "ValidationException",
                f"Could not assume role {role_arn}. Please ensure that the role exists and allows principal "
                f"'{service}' to assume the role.",
            )
        return role

    def _role(self, role_arn: str) -> dict[str, Any] | None:
        parts = role_arn.split(":")
        if len(parts) != 6 or not parts[5].startswith("role/"):
            return None
        role: dict[str, Any] | None = self._iam._roles.get_scoped(parts[4], None, parts[5].rsplit("/", 1)[-1])
        return role if role is not None and role.get("Arn") == role_arn else None

    def _trusts(
        self, role: Mapping[str, Any], role_arn: str, service: str, context: Mapping[str, str], region: str
    ) -> bool:
        document = role.get("AssumeRolePolicyDocument") or {}
        if isinstance(document, str):
            document = json.loads(document)
        evaluation = self._evaluator.EvalContext(
            principal_arn=service,
            principal_type="Service",
            principal_account="",
            action="sts:AssumeRole",
            resource_arn=role_arn,
            region=region,
            service_context=dict(context),
        )
        allowed = False
        for statement in _listed(document.get("Statement")):
            principal = statement.get("Principal")
            services = _listed(principal.get("Service")) if isinstance(principal, dict) else []
            if service not in services and principal != "*":
                continue
            if not self._evaluator._action_matches(
                "sts:AssumeRole", _listed(statement.get("Action")), _listed(statement.get("NotAction"))
            ):
                continue
            if not self._evaluator._conditions_met(_decidable(statement.get("Condition", {}), context), evaluation):
                continue
            if statement.get("Effect") == "Deny":
                return False
            allowed = True
        return allowed

    def _install(self) -> None:
        """Put our rules in place before ministack's services, which import them by name, are loaded."""
        evaluator, app = self._evaluator, engine.module("app")
        stock_resolve, root = evaluator.resolve_credential, self._root

        def is_root_access_key(access_key_id: str) -> bool:
            return access_key_id == root.access_key_id

        def resolve_credential(
            access_key_id: str,
            account_id: str | None = None,
            session_token: object = evaluator._SESSION_TOKEN_NOT_CHECKED,
        ) -> Any:
            if not is_root_access_key(access_key_id):
                return stock_resolve(access_key_id, account_id, session_token)
            return evaluator.ResolvedCredential(
                access_key_id=access_key_id,
                secret_access_key=root.secret_access_key,
                account_id=ACCOUNT_ID,
                principal_arn=ROOT_ARN,
                principal_id=ACCOUNT_ID,
                principal_type="Root",
                source_access_key_id=access_key_id,
            )

        evaluator.is_root_access_key = is_root_access_key
        evaluator.resolve_credential = resolve_credential
        app.pin_signed_request = lambda *_arguments, **_keywords: None
        self._install_denials()
        self._install_lambda_credentials()
        self._install_trust()
        iam_resources.install()

    def _install_trust(self) -> None:
        """A role that trusts a service alone is not root's to assume: stock lets root in for every service."""
        evaluator = self._evaluator
        stock = evaluator._trust_principal_matches

        def trust_principal_matches(principal: Any, caller_arn: str, federated: bool) -> bool:
            if isinstance(principal, dict) and not federated:
                principal = {kind: names for kind, names in principal.items() if kind != "Service"}
            return bool(stock(principal, caller_arn, federated))

        evaluator._trust_principal_matches = trust_principal_matches

    def _install_denials(self) -> None:
        actions = engine.module("core.iam_actions")
        evaluator = self._evaluator
        stock_response, stock_enforce = actions.access_denied_response, evaluator.enforce
        stock_context = actions.request_tag_context
        checked: contextvars.ContextVar[tuple[str, str]] = contextvars.ContextVar("checked", default=("", "*"))

        def enforce(  # noqa: PLR0917 - ministack's own signature
            access_key: str,
            action: str,
            service: str,
            region: str,
            resource_arn: str = "*",
            service_context: Any = None,
        ) -> Any:
            checked.set((action, resource_arn))
            # Loopback never leaves the machine: what a policy asks of TLS (aws:SecureTransport) holds without it.
            evaluator.pin_request_origin("127.0.0.1", True)
            return stock_enforce(access_key, action, service, region, resource_arn, service_context)

        def access_denied_response(
            service: str, action: str, principal_arn: str, request_id: str, **keywords: Any
        ) -> Any:
            # A copy or a batch is several checks: name the one that was refused, not the request's main resource.
            last_action, last_resource = checked.get()
            resource = last_resource if last_action == action else keywords.get("resource_arn", "*")
            if not keywords.get("error_code") and not keywords.get("message"):
                explicit = bool(keywords.get("explicit_deny"))
                keywords["message"] = denial_message(principal_arn, action, resource, explicit)
            keywords["resource_arn"] = resource
            return stock_response(service, action, principal_arn, request_id, **keywords)

        def request_tag_context(service: str, action: str, body: bytes, params: Any) -> Any:
            context = stock_context(service, action, body, params)
            namespace = _metric_namespace(body, params) if action == "cloudwatch:PutMetricData" else None
            return {**context, "cloudwatch:namespace": namespace} if namespace else context

        evaluator.enforce = enforce
        actions.access_denied_response = access_denied_response
        actions.request_tag_context = request_tag_context

    def _install_lambda_credentials(self) -> None:
        """A function's session is keyed: stock derives its keys from ARNs alone, so anyone could forge them."""
        runtime = engine.module("core.lambda_runtime")
        secret = self._root.secret_access_key.encode()

        def execution_credentials(config: dict[str, Any]) -> dict[str, str]:
            account = str(config["FunctionArn"]).split(":")[4]
            role_arn = str(config.get("Role", ""))
            seed = f"{config['FunctionArn']}:{role_arn}"
            part = {
                name: hmac.new(secret, f"{name}:{seed}".encode(), hashlib.sha256).hexdigest()
                for name in ("key", "secret", "token")
            }
            access_key_id = f"ASIA{part['key'][:16].upper()}"
            role_name, session = role_arn.rsplit("/", 1)[-1], str(config.get("FunctionName", "function"))[:64]
            record = {
                "Arn": f"arn:aws:sts::{account}:assumed-role/{role_name}/{session}",
                "UserId": f"{role_name}:{session}",
                "SecretAccessKey": part["secret"],
                "SessionToken": part["token"],
                "PrincipalType": "AssumedRole",
            }
            self._sts.register_session(access_key_id, record)
            return {
                "AWS_ACCESS_KEY_ID": access_key_id,
                "AWS_SECRET_ACCESS_KEY": part["secret"],
                "AWS_SESSION_TOKEN": part["token"],
            }

        runtime.execution_credentials = execution_credentials


def denial_message(principal_arn: str, action: str, resource: str, explicit: bool) -> str:
    """AWS's wording of a denial: principal, action, resource, and why."""
    why = (
        "with an explicit deny in a policy"
        if explicit
        else f"because no identity-based policy allows the {action} action"
    )
    return f"User: {principal_arn} is not authorized to perform: {action} on resource: {resource} {why}"


def root_caller(access_key_id: str, region: str) -> Caller:
    """The account itself, for what the twin does in its name."""
    return replace(Caller(ROOT_ARN, ACCOUNT_ID, region, access_key_id), is_root=True)


def _metric_namespace(body: bytes, params: Mapping[str, Any]) -> str | None:
    value = params.get("Namespace")
    if value:
        return str(value[0] if isinstance(value, list) else value)
    if body[:1] == b"{":
        document = json.loads(body)
        return str(document.get("Namespace") or "") or None
    if body[:1]:
        document = decode(body)
        return str(document.get("Namespace") or "") or None if isinstance(document, dict) else None
    return None


def _decidable(conditions: Mapping[str, Any], context: Mapping[str, str]) -> dict[str, Any]:
    """The conditions without `aws:SourceArn` while nothing has it yet: a role is passed before what will use it exists.

    When the service assumes the role the ARN is known, and the condition holds or the role is not to be had.
    """
    if "aws:sourcearn" in context:
        return dict(conditions)
    return {
        operator: {key: value for key, value in keys.items() if key.lower() != "aws:sourcearn"}
        for operator, keys in conditions.items()
    }


def _region_of(arn: str) -> str:
    parts = arn.split(":")
    return parts[3] if len(parts) > 3 and parts[3] else DEFAULT_REGION


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]

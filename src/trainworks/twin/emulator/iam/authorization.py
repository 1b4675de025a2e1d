"""Who may do what: keys, role sessions, policies. Replaces ministack's evaluator at the one place where it asks.

Root is one random key; nothing else is (stock: any 12-digit key, or `test`). Signatures are checked by the front
before a request gets here, so ministack's own check is switched off rather than run twice. `decisions.py` decides;
after an operation's own action the roles that it passes and the documents that it stores are checked.
"""

from __future__ import annotations

import contextvars
import hashlib
import hmac
import json
import secrets
import string
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from trainworks.aws.arn import parts_of_arn
from trainworks.aws.iam.variables import Value
from trainworks.twin.emulator import engine
from trainworks.twin.emulator.iam import (
    assuming,
    evaluator_seam,
    handing,
    iam_actions,
    iam_resources,
    passing,
    policy_documents,
)
from trainworks.twin.emulator.iam.actors import ROOT_ARN, Actor, Actors
from trainworks.twin.emulator.iam.decisions import decision, service_allowed
from trainworks.twin.home import ACCOUNT_ID, DEFAULT_REGION, RootCredentials
from trainworks.twin.ports import ApiError, Caller, Credentials, Interfaces
from trainworks.twin.sigv4 import SigningKey
from trainworks.twin.wire.current import current_call, model_name
from trainworks.twin.wire.protocols.cbor import decode
from trainworks.twin.wire.protocols.query import printable

_KEY_ALPHABET = string.ascii_uppercase + "234567"
_S3_DENIED = ("AccessDenied", 403)
_DENIALS = frozenset({"AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError"})
# These two answer 400 with the message under another name in ministack; the code is enough to have ours.
_NAMED_DENIALS = frozenset({"ssm", "logs"})
_DENIED = {"s3": _S3_DENIED, "ec2": ("UnauthorizedOperation", 403), "sns": ("AuthorizationError", 403)}

# "No permissions are required": AWS answers these to everybody whose signature holds.
_FREE = frozenset({"sts:GetCallerIdentity", "sts:GetSessionToken"})
_NO_REASON = frozenset({"sts:AssumeRole", "sts:TagSession"})


class Authorization:
    """Keys, sessions and policy decisions over ministack's IAM and STS state."""

    def __init__(self, root: RootCredentials) -> None:
        self._root = root
        self.actors = Actors(root.access_key_id)
        self._caller: contextvars.ContextVar[str] = contextvars.ContextVar("caller", default="")
        self._evaluator = engine.module("core.iam_evaluator")
        self._responses = engine.module("core.responses")
        self._install()
        self._iam = engine.service("iam")
        self._sts = engine.service("sts")
        self._register: Callable[[str, dict[str, Any]], None] = self._sts.register_session
        self._sts.register_session = self._register_of_caller

    def signing_key(self, access_key_id: str) -> SigningKey | None:
        """What the front needs to check a signature; None for an unknown or inactive key."""
        if hmac.compare_digest(access_key_id.encode(), self._root.access_key_id.encode()):
            caller = Caller(ROOT_ARN, ACCOUNT_ID, "", access_key_id, is_root=True)
            return SigningKey(self._root.secret_access_key, caller)
        session = dict.get(self._sts._sessions, access_key_id)
        if session is not None:
            arn = str(session["Arn"])
            caller = Caller(arn, parts_of_arn(arn).account, "", access_key_id)
            return SigningKey(session["SecretAccessKey"], caller, session["SessionToken"], session.get("Expiration"))
        return self._user_key(access_key_id)

    def authorize(
        self, caller: Caller, action: str, resource: str, context: Mapping[str, str | Sequence[str]] | None = None
    ) -> None:
        """See `ports.ControlPlane.authorize`."""
        with self._responses.request_scope(caller.account_id, caller.region):
            actor = self.actors.of_key(caller.access_key_id, caller.account_id)
            if actor is None:
                raise ApiError("UnrecognizedClientException", "The security token in the request is invalid.", 403)
            given = {key.lower(): value for key, value in (context or {}).items()}
            self._checked(actor, action, resource, caller.region, given)

    def caller_key(self) -> str:
        """The access key of the request that is being answered, or ""."""
        return self._caller.get()

    def require(
        self, actor: Actor, action: str, resource: str, region: str, given: Mapping[str, Value] | None = None
    ) -> None:
        """Raise the denial unless `actor` may do `action` on `resource`; for services that act in somebody's name."""
        found = decision(actor, action, resource, region, given or {})
        if not found.allowed:
            code, status = _DENIED.get(action.partition(":")[0], ("AccessDeniedException", 400))
            reason = "" if action in _NO_REASON else found.reason.format(action=action)
            raise ApiError(code, denial_message(actor.principal.arn, action, resource, reason), status)

    def require_passing(
        self, actor: Actor, service: str, operation: str, params: Mapping[str, Any], region: str
    ) -> None:
        """Raise the denial unless `actor` may pass every role in the members of an operation. `service`: botocore's."""
        for role_arn, recipient in passing.passed(service, operation, params, actor.principal.account):
            self.require(actor, "iam:PassRole", role_arn, region, {"iam:passedtoservice": recipient})

    def _checked(self, actor: Actor, action: str, resource: str, region: str, given: Mapping[str, Value]) -> None:
        """The action, then what the request's members ask beyond it."""
        call = current_call()
        own = call is not None and call.take(action)
        if own and call is not None and action in assuming.ACTIONS:
            given = assuming.check(actor, action, resource, call.read(*model_name(action)), given)
        self.require(actor, action, resource, region, given)
        if not own or call is None:
            return
        if action in assuming.ACTIONS and "aws:tagkeys" in given:
            self.require(actor, "sts:TagSession", resource, region, given)
        service, operation = passing.operation_of(*model_name(action))
        if passing.passes(service, operation):
            params = call.read(service, operation)
            self.require_passing(actor, service, operation, params, region)
            self.check_trust(passing.passed(service, operation, params, actor.principal.account), region)
        if action in policy_documents.OPERATIONS:
            policy_documents.check_request(action, call.read(service, operation))

    def check_trust(self, roles: Iterable[tuple[str, str]], region: str) -> None:
        """Raise `ApiError` for a role that the service which it is handed to cannot assume; see `handing`."""

        def trusts(role_arn: str, service: str) -> bool:
            role = self._role(role_arn)
            context = {"aws:sourceaccount": parts_of_arn(role_arn).account}
            return role is not None and self._trusts(role, role_arn, service, context, region)

        handing.check(roles, region, trusts)

    def pass_role(self, caller: Caller, role_arn: str, service: str) -> None:
        """See `ports.ControlPlane.pass_role`."""
        self._check_trust(role_arn, service, {"aws:sourceaccount": caller.account_id}, caller.region)

    def require_service_role(self, role_arn: str, service: str, action: str, resource: str, source_arn: str) -> None:
        """Raise `ApiError` unless `service` may assume the role for `source_arn` and may then do `action`."""
        account, region = parts_of_arn(role_arn).account, _region_of(source_arn)
        self._check_trust(role_arn, service, {"aws:sourceaccount": account, "aws:sourcearn": source_arn}, region)
        actor = self.actors.of_role(role_arn, service.partition(".")[0])
        if actor is None:
            raise ApiError("ValidationException", f"There is no role {role_arn}")
        self.require(actor, action, resource, region)

    def assume_for_service(  # noqa: PLR0917 - the port's
        self,
        role_arn: str,
        service: str,
        session_name: str,
        duration_seconds: int,
        source_arn: str,
        interfaces: Interfaces | None = None,
    ) -> Credentials:
        """See `ports.ControlPlane.assume_for_service`. The session is a row like any other, so it is durable."""
        account, region = parts_of_arn(role_arn).account, _region_of(source_arn)
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
        if interfaces is not None:
            session["Interfaces"] = asdict(interfaces)
        self._register(access_key_id, session)
        caller = Caller(arn, account, region, access_key_id)
        return Credentials(access_key_id, secret, token, expiration, caller)

    def _register_of_caller(self, access_key_id: str, session: dict[str, Any]) -> None:
        """A session that a job in a VPC makes for itself is used where the job is."""
        made_by = dict.get(self._sts._sessions, self._caller.get())
        if made_by is not None and "Interfaces" in made_by:
            session["Interfaces"] = made_by["Interfaces"]
        self._register(access_key_id, session)

    def end_session(self, access_key_id: str) -> None:
        """See `ports.ControlPlane.end_session`."""
        self._sts._sessions.pop(access_key_id, None)

    def _user_key(self, access_key_id: str) -> SigningKey | None:
        record = engine.row(self._iam._access_keys, ACCOUNT_ID, access_key_id)
        if record is None or record.get("Status") != "Active":
            return None
        name = str(record.get("UserName", ""))
        user = engine.row(self._iam._users, ACCOUNT_ID, name) or {}
        arn = str(user.get("Arn") or f"arn:aws:iam::{ACCOUNT_ID}:user/{name}")
        return SigningKey(record["SecretAccessKey"], Caller(arn, ACCOUNT_ID, "", access_key_id))

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
        role: dict[str, Any] | None = engine.row(self._iam._roles, parts[4], parts[5].rsplit("/", 1)[-1])
        return role if role is not None and role.get("Arn") == role_arn else None

    def _trusts(
        self, role: Mapping[str, Any], role_arn: str, service: str, context: Mapping[str, str], region: str
    ) -> bool:
        document = _decidable(role.get("AssumeRolePolicyDocument"), context)
        return service_allowed(service, "sts:AssumeRole", role_arn, document, region, context)

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
        evaluator_seam.install()
        self._install_enforcement()
        self._install_lambda_credentials()
        iam_actions.install()
        iam_resources.install()

    def _install_enforcement(self) -> None:
        """Every request that ministack serves is decided here; a refusal is answered in ministack's protocols."""
        actions, evaluator = engine.module("core.iam_actions"), self._evaluator
        stock_response, stock_context = actions.access_denied_response, actions.request_tag_context
        refusal: contextvars.ContextVar[ApiError | None] = contextvars.ContextVar("refusal", default=None)

        def enforce(  # noqa: PLR0917 - ministack's own signature
            access_key: str,
            action: str,
            service: str,
            region: str,
            resource_arn: str = "*",
            service_context: Mapping[str, Any] | None = None,
        ) -> Any:
            if action in _FREE:
                return None
            actor = self.actors.of_key(access_key, self._responses.get_account_id())
            if actor is None:
                return evaluator.AuthError("UnrecognizedClientException", "The security token is invalid.")
            given = {key.lower(): value for key, value in (service_context or {}).items() if value is not None}
            self._caller.set(access_key)
            try:
                self._checked(actor, action, resource_arn, region, given)
            except ApiError as error:
                refusal.set(error)
                return evaluator.EvalResult("Deny", actor.principal.arn)
            return None

        def access_denied_response(
            service: str, action: str, principal_arn: str, request_id: str, **keywords: Any
        ) -> Any:
            error = refusal.get()
            if error is None or keywords.get("error_code"):
                return stock_response(service, action, principal_arn, request_id, **keywords)
            refusal.set(None)
            denied = error.code in _DENIALS
            code = "" if denied and service not in _NAMED_DENIALS else error.code
            # What a request said may be in the message, and stock puts it into XML as it is.
            message = printable(error.message)
            _, headers, body = stock_response(
                service, action, principal_arn, request_id, **{**keywords, "error_code": code, "message": message}
            )
            return 403 if denied and service not in _NAMED_DENIALS else error.status, headers, body

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
            account = parts_of_arn(str(config["FunctionArn"])).account
            role_arn = str(config.get("Role", ""))
            seed = f"{config['FunctionArn']}:{role_arn}"
            part = {
                name: hmac.new(secret, f"{name}:{seed}".encode(), hashlib.sha256).hexdigest()
                for name in ("key", "secret", "token")
            }
            access_key_id = f"ASIA{part['key'][:16].upper()}"
            role_name, session = role_arn.rsplit("/", 1)[-1], str(config.get("FunctionName", "function"))[:64]
            role = self._role(role_arn) or {}
            record = {
                "Arn": f"arn:aws:sts::{account}:assumed-role/{role_name}/{session}",
                "UserId": f"{role.get('RoleId', role_name)}:{session}",
                "SecretAccessKey": part["secret"],
                "SessionToken": part["token"],
                "PrincipalType": "AssumedRole",
            }
            self._register(access_key_id, record)
            return {
                "AWS_ACCESS_KEY_ID": access_key_id,
                "AWS_SECRET_ACCESS_KEY": part["secret"],
                "AWS_SESSION_TOKEN": part["token"],
            }

        runtime.execution_credentials = execution_credentials


def denial_message(principal_arn: str, action: str, resource: str, reason: str = "") -> str:
    """AWS's wording of a denial: principal, action, resource, and why."""
    message = f"User: {principal_arn} is not authorized to perform: {action} on resource: {resource}"
    return f"{message} {reason}" if reason else message


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


def _decidable(document: object, context: Mapping[str, str]) -> object:
    """A trust policy without its conditions on `aws:SourceArn` while nothing has an ARN yet.

    A role is passed before what will use it exists. When the service assumes the role the ARN is known, and the
    condition holds or the role is not available.
    """
    if "aws:sourcearn" in context:
        return document
    try:
        parsed = json.loads(document) if isinstance(document, str) else document
    except ValueError:
        return None
    if not isinstance(parsed, Mapping):
        return None
    return {**parsed, "Statement": [_without_source(each) for each in _listed(parsed.get("Statement"))]}


def _without_source(statement: Any) -> Any:
    if not isinstance(statement, Mapping) or not isinstance(statement.get("Condition"), Mapping):
        return statement
    conditions = {
        operator: {key: value for key, value in keys.items() if key.lower() != "aws:sourcearn"}
        for operator, keys in statement["Condition"].items()
        if isinstance(keys, Mapping)
    }
    return {**statement, "Condition": conditions}


def _region_of(arn: str) -> str:
    parts = arn.split(":")
    return parts[3] if len(parts) > 3 and parts[3] else DEFAULT_REGION


def _listed(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]

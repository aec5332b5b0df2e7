"""Google Cloud: what an environment needs, as Terraform for the google provider.

Both ends of the provider's range accept everything here. Buckets are versioned, private and reached by IAM only;
functions have an account of their own and answer calls from inside only. Roles are the narrowest ones that Google has
predefined for reading and calling, and one of our own for writing, for which there is none. What costs money or needs
another account's resources is an option of our config classes, and the policy check that asks for it is declined in the
block.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from glacier.infrastructure import Backend, Draft, Statement
from glacier.infrastructure.requirements import requirements_of
from glacier.infrastructure.variables import environment_of
from glacier.schedules import Cron
from glacier.terraform import Block, Call, Labels, Ref, Text, data, nested, output, resource, variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from glacier.infrastructure import Blueprint, BucketNeed, FunctionNeed, Grant, Needs, Package, Schedule, Use
    from glacier.providers.gcp.config import CloudFunctionConfig, GcpConfig, GCSConfig, GCSLifecycleRule
    from glacier.schedules import Rate
    from glacier.terraform import Value

__all__ = ["blueprint"]

REQUIREMENTS = {"google": {"source": "hashicorp/google", "version": ">= 6.50, < 9.0"}}

RUNTIME = "3.12"
"""The Python of functions that name none."""

BACKEND_ADVICE = (
    "The bucket must be there already: versioned, private, and not one of this module's.",
    "terraform init -backend-config=backends/ENV.gcs.tfbackend",
)

PROJECT, REGION = Ref("var", "gcp_project"), Ref("var", "gcp_region")


def blueprint(config: GcpConfig, needs: Needs) -> Blueprint:
    """Return what an environment needs of Google Cloud."""
    module = _Module(config, needs)
    module.providers()
    _Storage(module).draw()
    _Functions(module).draw()
    _Access(module).draw()
    _Schedules(module).draw()
    settings = {"bucket": None, "prefix": f"glacier/{needs.module}"}
    return module.draft.finish(REQUIREMENTS, Backend("gcs", settings, BACKEND_ADVICE))


class _Module:
    """What the files of one environment share."""

    def __init__(self, config: GcpConfig, needs: Needs) -> None:
        self.config = config
        self.needs = needs
        self.draft = Draft()
        self.access = Labels()

    # --- providers.tf, variables.tf, locals.tf --------------------------------------------------------------------

    def providers(self) -> None:
        """Draw the provider."""
        project = variable("gcp_project", "string", "Id of the Google Cloud project.")
        region = variable("gcp_region", "string", "Region of buckets, functions and schedules.")
        self.draft.variable(project, self.config.project_id)
        self.draft.variable(region, self.config.region)
        self.draft.add("providers.tf", Block("provider", ("google",), {"project": PROJECT, "region": REGION}))

    @cached_property
    def mark(self) -> Ref:
        """A few letters that tell the modules of one project apart; drawn when something asks for them."""
        name = Text(Ref("var", "environment"), f"/{self.needs.only}") if self.needs.only else Ref("var", "environment")
        mark = Call("substr", Call("sha256", name), 0, 6)
        self.draft.add("locals.tf", Block("locals", (), {"gcp_mark": mark}))
        return Ref("local", "gcp_mark")

    def labels(self, config: Any) -> dict[str, Value]:
        """Return the labels of a resource as an argument."""
        return {"labels": {name: config.labels[name] for name in sorted(config.labels)}} if config.labels else {}

    def common_labels(self) -> dict[str, Value]:
        """Return the labels that everything has as an argument."""
        tags = self.needs.tags
        return {"labels": {name: tags[name] for name in sorted(tags)}} if tags else {}

    # --- accounts -------------------------------------------------------------------------------------------------

    def email(self, label: str) -> str | Ref:
        """Return the address of the account of a function or runner: the config's own, else the one made for it."""
        given = next((each.config.service_account for each in self.needs.functions if each.label == label), None)
        return given or Ref("google_service_account", label).email

    def member(self, label: str) -> Text:
        """Return the account of a function or runner as IAM has it."""
        return Text("serviceAccount:", self.email(label))


# storage.tf ----------------------------------------------------------------------------------------------------------


class _Storage:
    """Buckets, the keys that encrypt them, and the bucket of code."""

    def __init__(self, module: _Module) -> None:
        self.module = module
        self.draft = module.draft

    def draw(self) -> None:
        self._keys()
        for need in self.module.needs.buckets:
            if need.existing:
                self._add(data("google_storage_bucket", need.label, name=need.name), f"bucket {need.name}")
            else:
                self._bucket(need)
            if need.name in self._log_buckets:
                self._add(_log_member(need, self.module.access.of(f"{need.label} log writer")), f"bucket {need.name}")
            about = f"Name of bucket {need.label}."
            self.draft.add("outputs.tf", output(f"bucket_{need.label}", about, bucket_ref(need).name))
        if any(need.config.code_bucket is None for need in self.module.needs.functions):
            self._code()

    def _bucket(self, need: BucketNeed) -> None:
        config: GCSConfig = need.config
        made = resource(
            "google_storage_bucket",
            need.label,
            *self._settings(need, config),
            name=need.name,
            location=REGION,
            storage_class=config.storage_class or "STANDARD",
            uniform_bucket_level_access=True,
            public_access_prevention="enforced" if config.public_access_prevention else "inherited",
            **self.module.labels(config),
            **self._after(need),
        )
        self._add(replace(made, skips=_bucket_skips(config)), f"bucket {need.name}")

    def _settings(self, need: BucketNeed, config: GCSConfig) -> Iterator[Block]:
        yield nested("versioning", enabled=config.versioning is not False)
        yield nested("soft_delete_policy", retention_duration_seconds=_soft_delete(config))
        if config.autoclass:
            yield nested("autoclass", enabled=True)
        if is_keyed(need):
            yield nested("encryption", default_kms_key_name=_key(config))
        if config.access_log_bucket:
            known = self._made(config.access_log_bucket)
            log_bucket = config.access_log_bucket if known is None else bucket_ref(known).name
            yield nested("logging", log_bucket=log_bucket)
        for rule in config.lifecycle_rules:
            yield _lifecycle_rule(rule)
        yield _ABANDONED_UPLOADS

    def _made(self, name: str) -> BucketNeed | None:
        """Return the bucket of a name among those that the module makes."""
        return next((need for need in self.module.needs.buckets if need.name == name and not need.existing), None)

    @cached_property
    def _log_buckets(self) -> set[str]:
        """The buckets of this module that get access logs of others."""
        named = {need.config.access_log_bucket for need in self.module.needs.buckets if not need.existing}
        return {name for name in named if name and self._made(name)}

    def _code(self) -> None:
        made = resource(
            "google_storage_bucket",
            code_label(self.module),
            nested("versioning", enabled=True),
            _OLD_CODE,
            _ABANDONED_UPLOADS,
            name=Text(PROJECT, "-code-", self.module.mark),
            location=REGION,
            storage_class="STANDARD",
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            **self.module.common_labels(),
        )
        own = "the bucket of code: CloudFunctionConfig(code_bucket=...) takes another"
        self._add(replace(made, skips=(("CKV_GCP_62", own), ("GCP-0066", own))), "code of functions")

    # --- keys -----------------------------------------------------------------------------------------------------

    def _keys(self) -> None:
        """Draw a key where one is asked for and none is named, and let Cloud Storage use the keys of buckets."""
        keyed = [need for need in self.module.needs.buckets if is_keyed(need)]
        if any(need.config.kms_key is None for need in keyed):
            self._own_key()
        if keyed:
            self._add(data("google_storage_project_service_account", "main"))
        for label, need in {self._key_label(need): need for need in keyed}.items():
            self._add(_key_member(label, _key(need.config)), f"key of bucket {need.name}")

    def _own_key(self) -> None:
        name = Text(Call("substr", Text("glacier-", Ref("var", "environment")), 0, 56), "-", self.module.mark)
        ring = self._add(resource("google_kms_key_ring", "buckets", name=name, location=REGION))
        self._add(
            resource(
                "google_kms_crypto_key",
                "buckets",
                nested("lifecycle", prevent_destroy=True),
                name="buckets",
                key_ring=ring.ref.id,
                rotation_period="7776000s",
                **self.module.common_labels(),
            )
        )

    def _key_label(self, need: BucketNeed) -> str:
        key: str | None = need.config.kms_key
        return "buckets" if key is None else self.module.access.of(f"key {key.rpartition('/')[2]} {_digest(key)}")

    def _after(self, need: BucketNeed) -> dict[str, Value]:
        member = Ref("google_kms_crypto_key_iam_member", self._key_label(need)) if is_keyed(need) else None
        return {} if member is None else {"depends_on": [member]}

    def _add(self, block: Block, about: str = "") -> Block:
        return self.draft.add("storage.tf", block, about)


def code_label(module: _Module) -> str:
    """Return the label of the bucket of code, which is none of the user's buckets'."""
    return module.needs.labels.of("code of functions")


def bucket_ref(need: BucketNeed) -> Ref:
    """Return the reference to a bucket, whether the module makes it or finds it."""
    return Ref(*(("data",) if need.existing else ()), "google_storage_bucket", need.label)


def is_keyed(need: BucketNeed) -> bool:
    """Whether a key of the customer encrypts a bucket that the module makes."""
    return not need.existing and bool(need.config.kms_key or need.config.encryption == "customer-managed")


def _key(config: GCSConfig) -> Value:
    return config.kms_key or Ref("google_kms_crypto_key", "buckets").id


def _key_member(label: str, key: Value) -> Block:
    agent = Ref("data", "google_storage_project_service_account", "main")
    return resource(
        "google_kms_crypto_key_iam_member",
        label,
        crypto_key_id=key,
        role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
        member=Text("serviceAccount:", agent.email_address),
    )


def _log_member(need: BucketNeed, label: str) -> Block:
    """Return the permission by which Cloud Storage writes access logs: https://cloud.google.com/storage/docs/access-logs."""
    return resource(
        "google_storage_bucket_iam_member",
        label,
        bucket=bucket_ref(need).name,
        role="roles/storage.objectCreator",
        member="group:cloud-storage-analytics@google.com",
    )


def _soft_delete(config: GCSConfig) -> int:
    days = 7 if config.soft_delete_days is None else config.soft_delete_days
    return days * 24 * 60 * 60


_ABANDONED_UPLOADS = nested(
    "lifecycle_rule", nested("action", type="AbortIncompleteMultipartUpload"), nested("condition", age=7)
)
_OLD_CODE = nested(
    "lifecycle_rule", nested("action", type="Delete"), nested("condition", num_newer_versions=3, with_state="ARCHIVED")
)


def _lifecycle_rule(rule: GCSLifecycleRule) -> Block:
    effect = {"type": "SetStorageClass", "storage_class": rule.transition} if rule.transition else {"type": "Delete"}
    # Without send_age_if_zero, the provider takes an age of 0 for none.
    at_once = {"send_age_if_zero": True} if rule.days == 0 else {}
    where = {"matches_prefix": [rule.prefix]} if rule.prefix else {}
    return nested("lifecycle_rule", nested("action", **effect), nested("condition", age=rule.days, **at_once, **where))


def _bucket_skips(config: GCSConfig) -> tuple[tuple[str, str], ...]:
    """Name the checks that a bucket declines, each with the option that would satisfy it."""
    plain, unkeyed = config.versioning is False, config.kms_key is None and config.encryption != "customer-managed"
    unlogged = None if config.access_log_bucket else "no access log: GCSConfig(access_log_bucket=...)"
    declined = {
        "CKV_GCP_62": unlogged,
        "CKV_GCP_78": "versioning=False was asked for" if plain else None,
        "CKV_GCP_114": None if config.public_access_prevention else "public_access_prevention=False was asked for",
        "GCP-0066": "Google's own key: GCSConfig(encryption='customer-managed')" if unkeyed else None,
        "GCP-0077": unlogged,
        "GCP-0078": "versioning=False was asked for" if plain else None,
    }
    return tuple((check, reason) for check, reason in declined.items() if reason is not None)


# functions.tf --------------------------------------------------------------------------------------------------------


class _Functions:
    """Functions with their code and alarms."""

    def __init__(self, module: _Module) -> None:
        self.module = module
        self.draft = module.draft

    def draw(self) -> None:
        for need in self.module.needs.functions:
            self._function(need)

    def _function(self, need: FunctionNeed) -> None:
        about = need.origin or f"function {need.name}"
        self._add(self._code(need), about)
        made = self._add(self._cloud_function(need), about)
        if need.monitored:
            self.draft.add("monitoring.tf", _alarm(self.module, need), about)
        self.draft.add(
            "outputs.tf", output(f"function_{need.label}", f"Address of function {need.name}.", made.ref.url)
        )

    def _code(self, need: FunctionNeed) -> Block:
        """Return the object that holds a function's zip; its name changes with the code."""
        bucket = need.config.code_bucket or Ref("google_storage_bucket", code_label(self.module)).name
        path = self._zip(need)
        name = Text(f"{need.name}-", Call("filesha256", path), ".zip")
        return resource("google_storage_bucket_object", need.label, bucket=bucket, name=name, source=path)

    def _zip(self, need: FunctionNeed) -> Value:
        if need.package is None:
            about = f"Path of the zip with the code of function {need.name}; its handler is {need.handler}."
            return self.draft.variable(variable(f"{need.label}_package", "string", about))
        self.draft.assets[f"packages/{need.name}.zip"] = self._completed(need, need.package).zip
        return Text(Ref("path", "module"), f"/packages/{need.name}.zip")

    def _completed(self, need: FunctionNeed, package: Package) -> Package:
        """Add what Cloud Run functions need besides: how a request reaches the handler, and what to install."""
        needed = requirements_of(package.imports, "functions-framework==3.*")
        if needed.unknown:
            self.draft.warn(
                f"function {need.name}: which distributions have {', '.join(needed.unknown)} is not known here, so its "
                "requirements.txt leaves them out; install them and generate again"
            )
        return package.adding({f"{ENTRY}.py": _entry(need.handler), "requirements.txt": needed.file})

    def _cloud_function(self, need: FunctionNeed) -> Block:
        return resource(
            "google_cloudfunctions2_function",
            need.label,
            _build(need),
            self._service(need, need.config),
            name=need.name,
            location=REGION,
            description=f"Glacier: {need.origin or need.name}"[:256],
            **self.module.labels(need.config),
        )

    def _service(self, need: FunctionNeed, config: CloudFunctionConfig) -> Block:
        environment = environment_of(need)
        for block in environment.variables:
            self.draft.variable(block)
        values = {key: environment.values[key] for key in sorted(environment.values)}
        network = {"vpc_connector": config.vpc_connector, "vpc_connector_egress_settings": "PRIVATE_RANGES_ONLY"}
        return nested(
            "service_config",
            **self._sizes(need, config),
            ingress_settings=config.ingress or "ALLOW_INTERNAL_ONLY",
            service_account_email=self.module.email(need.label),
            **(network if config.vpc_connector else {}),
            **({"environment_variables": values} if values else {}),
        )

    def _sizes(self, need: FunctionNeed, config: CloudFunctionConfig) -> dict[str, Value]:
        sizes: dict[str, Value] = {
            "available_memory": f"{config.memory or 256}M",
            "available_cpu": _cpu(config),
            "timeout_seconds": self._timeout(need),
            "min_instance_count": config.min_instances,
            "max_instance_count": config.max_instances,
            "max_instance_request_concurrency": config.concurrency,
        }
        return {name: value for name, value in sizes.items() if value is not None}

    def _timeout(self, need: FunctionNeed) -> int | None:
        """Return the timeout; https://cloud.google.com/functions/quotas."""
        if need.timeout is not None and need.timeout > 3600:
            self.draft.warn(
                f"function {need.name}: its tasks may take {need.timeout} s, Cloud Run ends it after 3600 s"
            )
        return None if need.timeout is None else min(need.timeout, 3600)

    def _add(self, block: Block, about: str) -> Block:
        return self.draft.add("functions.tf", block, about)


ENTRY = "glacier_request"

_ENTRY = '''\
"""Hands the JSON of a request to {handler} and answers with its result as JSON."""

import json

from {module} import {function} as handler


def {entry}(request):
    payload = request.get_json(silent=True)
    return json.dumps(handler(payload, None)), 200, {{"Content-Type": "application/json"}}
'''


def _entry(handler: str) -> bytes:
    module, _, function = handler.rpartition(".")
    return _ENTRY.format(handler=handler, module=module or "main", function=function, entry=ENTRY).encode()


def _build(need: FunctionNeed) -> Block:
    """Return how a function is built: our own entry with our own zip, the user's with the user's.

    https://cloud.google.com/docs/buildpacks/service-specific-configs
    """
    code = Ref("google_storage_bucket_object", need.label)
    module, _, function = need.handler.rpartition(".")
    file, entry = (module or "main", function) if need.package is None else (ENTRY, ENTRY)
    return nested(
        "build_config",
        nested("source", nested("storage_source", bucket=code.bucket, object=code.name)),
        runtime=f"python{(need.runtime or RUNTIME).replace('.', '')}",
        entry_point=entry,
        environment_variables={"GOOGLE_FUNCTION_SOURCE": f"{file.replace('.', '/')}.py"},
    )


def _cpu(config: CloudFunctionConfig) -> str | None:
    """Return the processors of a function that answers several requests at a time, which needs a whole one.

    From 2 GB of memory on it has one by itself: https://cloud.google.com/run/docs/configuring/services/memory-limits
    """
    return "1" if (config.concurrency or 1) > 1 and (config.memory or 256) < 2048 else None


def _alarm(module: _Module, need: FunctionNeed) -> Block:
    """Return an alarm that rises when a call fails within five minutes."""
    about = "Names of the Cloud Monitoring channels that alarms notify."
    kind = Call("list", Ref("string"))
    channels = module.draft.variable(variable("gcp_alarm_channels", kind, about, default=[]))
    labels = module.labels(need.config)
    return resource(
        "google_monitoring_alert_policy",
        need.label,
        _failures(need.name),
        display_name=f"{need.name} failed calls",
        combiner="OR",
        notification_channels=channels,
        **({"user_labels": labels["labels"]} if labels else {}),
    )


def _failures(name: str) -> Block:
    wanted = (
        'resource.type = "cloud_run_revision"',
        f'resource.labels.service_name = "{name}"',
        'metric.type = "run.googleapis.com/request_count"',
        'metric.labels.response_code_class = "5xx"',
    )
    window = nested("aggregations", alignment_period="300s", per_series_aligner="ALIGN_DELTA")
    above = {"comparison": "COMPARISON_GT", "threshold_value": 0, "duration": "0s"}
    threshold = nested("condition_threshold", window, filter=" AND ".join(wanted), **above)
    return nested("conditions", threshold, display_name="Answers of class 5xx")


# iam.tf --------------------------------------------------------------------------------------------------------------

READER = "roles/storage.objectViewer"
INVOKER = "roles/run.invoker"

# A write or a deletion looks first whether its path is a folder (get, list); replacing an object deletes the old one.
# The predefined roles that may write may also change metadata or access:
# https://cloud.google.com/storage/docs/access-control/iam-roles
# What each request needs: https://cloud.google.com/storage/docs/access-control/iam-xml
OWN_ROLES: dict[str, tuple[str, ...]] = {
    "object_writer": (
        "storage.multipartUploads.abort",
        "storage.multipartUploads.create",
        "storage.objects.create",
        "storage.objects.delete",
        "storage.objects.get",
        "storage.objects.list",
    ),
    "object_deleter": ("storage.objects.delete", "storage.objects.get", "storage.objects.list"),
}

AT_ONCE = 4
"""Paths in one condition, which may have 12 logical operators: https://cloud.google.com/iam/quotas."""


class _Access:
    """An account for each function and for whoever runs a pipeline, and what the traced graph says that each may do."""

    def __init__(self, module: _Module) -> None:
        self.module = module
        self.draft = module.draft

    def draw(self) -> None:
        for runner in self.module.needs.runners:
            self._runner(runner.label, runner.pipeline)
        for need in self.module.needs.functions:
            if need.config.service_account is None:
                self._account(need.label, f"function {need.name}", need.origin or f"function {need.name}")
        for role in sorted({role for grant in self.module.needs.grants if (role := _role_of(grant))}):
            self.draft.add("iam.tf", _own_role(role, self.module.mark))
        for principal in self.module.needs.principals():
            self._permissions(principal)

    def _runner(self, label: str, pipeline: str) -> None:
        made = self._account(label, f"runs pipeline {pipeline}", f"runner of pipeline {pipeline}")
        about = f"Account that runs pipeline {pipeline}."
        self.draft.add("outputs.tf", output(f"account_{label}", about, made.ref.email))

    def _account(self, label: str, said: str, about: str) -> Block:
        made = resource(
            "google_service_account",
            label,
            account_id=Text(f"glacier-{_short(label)}-", self.module.mark),
            display_name=f"Glacier: {said}"[:100],
        )
        return self.draft.add("iam.tf", made, about)

    # --- statements ---------------------------------------------------------------------------------------------

    def _permissions(self, label: str) -> None:
        grants = self.module.needs.of(label)
        buckets = {grant.bucket.name: grant.bucket for grant in grants if grant.bucket is not None}
        for need in buckets.values():
            mine = [grant for grant in grants if grant.bucket is need]
            for role in (None, "object_writer", "object_deleter"):
                self._on_bucket(label, need, role, [grant for grant in mine if _role_of(grant) == role])
        for grant in grants:
            if grant.function is not None and grant.does("call"):
                made = caller(self.module, label, grant.function)
                self._state(made, label, (INVOKER,), (grant.function.name,), grant.by("call"))

    def _on_bucket(self, label: str, need: BucketNeed, role: str | None, grants: Sequence[Grant]) -> None:
        verb = {None: "reads", "object_writer": "writes", "object_deleter": "deletes"}[role]
        for place in range(0, len(grants), AT_ONCE):
            some = grants[place : place + AT_ONCE]
            made = resource(
                "google_storage_bucket_iam_member",
                self.module.access.of(f"{label} {verb} {need.label} {place or ''}"),
                *_condition(need, [grant.path for grant in some]),
                bucket=bucket_ref(need).name,
                role=READER if role is None else Ref("google_project_iam_custom_role", role).id,
                member=self.module.member(label),
            )
            where = tuple(f"{need.name}/{grant.path}" for grant in some)
            uses = tuple(dict.fromkeys(use for grant in some for use in grant.by()))
            self._state(made, label, (READER,) if role is None else OWN_ROLES[role], where, uses)

    def _state(
        self, block: Block, principal: str, actions: Sequence[str], where: tuple[str, ...], uses: tuple[Use, ...]
    ) -> None:
        self.draft.add("iam.tf", block, f"permission of {principal}")
        self.draft.statements.append(Statement(block.address, principal, tuple(actions), where, uses))


def caller(module: _Module, principal: str, need: FunctionNeed) -> Block:
    """Return the permission to call a function; behind it is a service of Cloud Run, which is what is called."""
    return resource(
        "google_cloud_run_v2_service_iam_member",
        module.access.of(f"{principal} calls {need.label}"),
        name=Ref("google_cloudfunctions2_function", need.label).name,
        location=REGION,
        role=INVOKER,
        member=module.member(principal),
    )


def _role_of(grant: Grant) -> str | None:
    """Return which of our own roles a grant of a bucket needs, None where Google's suffices."""
    if grant.does("write"):
        return "object_writer"
    return "object_deleter" if grant.does("delete") else None


def _own_role(label: str, mark: Ref) -> Block:
    does = label.rpartition("_")[2].removesuffix("r")
    return resource(
        "google_project_iam_custom_role",
        label,
        role_id=Text(f"glacier{label.title().replace('_', '')}", mark),
        title=f"Glacier: {does} objects",
        description=f"Look for and {does} objects, without their metadata or access.",
        permissions=list(OWN_ROLES[label]),
    )


def _short(label: str) -> str:
    """Return the part of an account's id that is ours: all of it has 6 to 30 characters.

    https://cloud.google.com/iam/docs/service-accounts-create
    """
    name = label.strip("_").replace("_", "-")
    return name if len(name) <= 15 else f"{name[:10].rstrip('-')}-{_digest(name)[:4]}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]


def _condition(need: BucketNeed, paths: Iterable[str]) -> list[Block]:
    """Narrow a binding to paths in a bucket; none where a pattern may match any object.

    Listing asks for the bucket itself, and shows names only.
    """
    tests = [test for path in paths for test in _tests(path)]
    if not all(path for _, path, _ in tests):
        return []
    objects = ("projects/_/buckets/", bucket_ref(need).name, "/objects/")
    parts = [part for before, path, after in tests for part in (" || ", before, '"', *objects, _cel(path), '"', after)]
    expression = Text('resource.type == "storage.googleapis.com/Bucket"', *parts)
    return [nested("condition", title="Paths that the pipelines use", expression=expression)]


def _tests(path: str) -> list[tuple[str, str, str]]:
    """Return tests in CEL of an object's name: what stands before its path, the path, and what stands behind it."""
    start = re.split(r"[*?]", path)[0]
    if start != path:
        return [("resource.name.startsWith(", start, ")")]
    return [("resource.name == ", path, ""), ("resource.name.startsWith(", f"{path}/", ")")]


def _cel(text: str) -> str:
    """Return the inside of a string of the Common Expression Language; names of objects have no control characters.

    https://github.com/google/cel-spec/blob/master/doc/langdef.md#string-and-bytes-values
    """
    return text.replace("\\", "\\\\").replace('"', '\\"')


# schedules.tf --------------------------------------------------------------------------------------------------------


class _Schedules:
    """Pipelines that run by themselves."""

    def __init__(self, module: _Module) -> None:
        self.module = module
        self.draft = module.draft

    def draw(self) -> None:
        for each in self.module.needs.schedules:
            self._schedule(each)

    def _schedule(self, schedule: Schedule) -> None:
        need, about = schedule.function, f"schedule of pipeline {schedule.pipeline}"
        label = self.module.access.of(f"{need.label} starts by schedule")
        account = resource(
            "google_service_account",
            label,
            account_id=Text(f"glacier-{_short(label)}-", self.module.mark),
            display_name=f"Glacier: starts pipeline {schedule.pipeline}"[:100],
        )
        self.draft.add("iam.tf", account, about)
        called = self.draft.add("iam.tf", caller(self.module, label, need), about)
        self.draft.statements.append(Statement(called.address, label, (INVOKER,), (need.name,), (schedule.use,)))
        self.draft.add("schedules.tf", _job(schedule, account), about)


def _job(schedule: Schedule, account: Block) -> Block:
    need = schedule.function
    function = Ref("google_cloudfunctions2_function", need.label)
    token = nested("oidc_token", service_account_email=account.ref.email, audience=function.url)
    return resource(
        "google_cloud_scheduler_job",
        need.label,
        nested("http_target", token, uri=function.url, http_method="POST"),
        nested("retry_config", retry_count=2),
        name=need.name,
        region=REGION,
        description=f"Starts pipeline {schedule.pipeline}.",
        schedule=expression_of(schedule.when),
        time_zone="Etc/UTC",
        attempt_deadline=_deadline(need),
    )


def expression_of(when: Rate | Cron) -> str:
    """Return a schedule as Cloud Scheduler has it: crontab, or words for a period that crontab cannot say.

    Source: https://cloud.google.com/scheduler/docs/configuring/cron-job-schedules
    """
    if isinstance(when, Cron):
        return f"{when.minute} {when.hour} {when.day} {when.month} {when.weekday}"
    every = when.every * 24 if when.unit == "day" else when.every
    return f"every {every} {'minutes' if when.unit == 'minute' else 'hours'}"


def _deadline(need: FunctionNeed) -> str:
    """Return how long a call by schedule may take: 15 seconds to 30 minutes.

    Source: https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs
    """
    return f"{min(max(need.timeout or 60, 15), 1800)}s"

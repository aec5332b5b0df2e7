"""Google Cloud: what an environment needs, as Terraform for the google provider.

Both ends of the provider's range accept everything here. Roles are the narrowest ones that Google has predefined for
reading and calling, and one of our own for writing, for which there is none.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from glacier.infrastructure import Backend, Blueprint, Statement
from glacier.infrastructure.requirements import requirements_of
from glacier.infrastructure.variables import environment_of
from glacier.schedules import Cron
from glacier.terraform import Block, Call, Document, Labels, Ref, Text, data, nested, output, resource, variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from glacier.infrastructure import BucketNeed, FunctionNeed, Grant, Needs, Package, Schedule
    from glacier.providers.gcp.config import CloudFunctionConfig, GcpConfig, GCSConfig, GCSLifecycleRule
    from glacier.schedules import Rate
    from glacier.terraform import Value

__all__ = ["blueprint"]

REQUIREMENTS = {"google": {"source": "hashicorp/google", "version": ">= 6.50, < 9.0"}}

RUNTIME = "3.12"
"""The Python of functions that name none."""

PROJECT, REGION = Ref("var", "gcp_project"), Ref("var", "gcp_region")
CHANNELS = Ref("var", "gcp_notification_channels")

# Reading before writing tells an object from a folder, so a writer reads too. The predefined roles that may write may
# change metadata or access as well: https://cloud.google.com/storage/docs/access-control/iam-roles
WRITER = (
    "storage.multipartUploads.abort",
    "storage.multipartUploads.create",
    "storage.multipartUploads.listParts",
    "storage.objects.create",
    "storage.objects.delete",
    "storage.objects.get",
    "storage.objects.list",
)
READER = "roles/storage.objectViewer"
INVOKER = "roles/run.invoker"


def blueprint(config: GcpConfig, needs: Needs) -> Blueprint:
    """Return what an environment needs of Google Cloud."""
    return _Module(config, needs).blueprint()


class _Module:
    """The blocks of one environment, file by file."""

    def __init__(self, config: GcpConfig, needs: Needs) -> None:
        self.config = config
        self.needs = needs
        self.access = Labels()
        self.statements: list[Statement] = []
        self.resources: dict[str, str] = {}
        self.assets: dict[str, bytes] = {}
        self.warnings: list[str] = []
        self.variables: list[Block] = []

    def blueprint(self) -> Blueprint:
        files = {
            "providers.tf": self.providers(),
            "storage.tf": self.storage(),
            "functions.tf": self.functions(),
            "iam.tf": self.iam(),
            "schedules.tf": self.schedules(),
            "outputs.tf": self.outputs(),
        }
        files["variables.tf"] = self.all_variables()
        return Blueprint(
            document=Document({name: tuple(blocks) for name, blocks in files.items() if blocks}),
            requirements=REQUIREMENTS,
            backend=Backend("gcs", {"bucket": None, "prefix": f"glacier/{self.needs.environment}"}, BACKEND_ADVICE),
            values={"gcp_project": self.config.project_id, "gcp_region": self.config.region},
            assets=self.assets,
            statements=tuple(self.statements),
            resources=self.resources,
            warnings=tuple(self.warnings),
        )

    def _for(self, what: str, *blocks: Block) -> tuple[Block, ...]:
        """Note the Glacier resource that blocks are for."""
        self.resources.update({block.address: what for block in blocks})
        return blocks

    # --- providers.tf, variables.tf -----------------------------------------------------------------------------

    def providers(self) -> list[Block]:
        return [_provider()]

    def all_variables(self) -> list[Block]:
        return [
            variable("gcp_project", "string", "Id of the Google Cloud project."),
            variable("gcp_region", "string", "Region of buckets, functions and schedules."),
            *self.variables,
        ]

    # --- storage.tf ---------------------------------------------------------------------------------------------

    def storage(self) -> list[Block]:
        buckets = [block for need in self.needs.buckets for block in self._bucket(need)]
        return [*self._keys(), *buckets, *self._code_bucket()]

    def _bucket(self, need: BucketNeed) -> tuple[Block, ...]:
        if need.existing:
            return self._for(f"bucket {need.name}", data("google_storage_bucket", need.label, name=need.name))
        config: GCSConfig = need.config
        key = self._key_of(need)
        blocks = [
            nested("versioning", enabled=config.versioning is not False),
            nested("soft_delete_policy", retention_duration_seconds=_soft_delete(config)),
            *([nested("autoclass", enabled=True)] if config.autoclass else ()),
            *([] if key is None else [nested("encryption", default_kms_key_name=key)]),
            *([nested("logging", log_bucket=config.access_log_bucket)] if config.access_log_bucket else ()),
            *(_lifecycle_rule(rule) for rule in config.lifecycle_rules),
            _ABANDONED_UPLOADS,
        ]
        made = resource(
            "google_storage_bucket",
            need.label,
            *blocks,
            name=need.name,
            location=REGION,
            storage_class=config.storage_class or "STANDARD",
            uniform_bucket_level_access=True,
            public_access_prevention="enforced" if config.public_access_prevention else "inherited",
            **_given(labels=config.labels or None),
            **_depends_on(*self._key_member(need)),
        )
        return self._for(f"bucket {need.name}", _skipping(made, *_bucket_skips(config)))

    def _bucket_ref(self, need: BucketNeed) -> Ref:
        kind = ("data", "google_storage_bucket") if need.existing else ("google_storage_bucket",)
        return Ref(*kind, need.label)

    # --- keys -----------------------------------------------------------------------------------------------------

    def _keyed(self) -> list[BucketNeed]:
        wanted = [need for need in self.needs.buckets if not need.existing]
        return [need for need in wanted if need.config.kms_key or need.config.encryption == "customer-managed"]

    def _own_key(self, need: BucketNeed) -> bool:
        return need.config.encryption == "customer-managed" and not need.config.kms_key

    def _key_of(self, need: BucketNeed) -> Value:
        """Return the key of a bucket: the customer's, one of ours where only "customer-managed" is said, or None."""
        if self._own_key(need):
            return Ref("google_kms_crypto_key", "buckets").id
        return need.config.kms_key

    def _key_label(self, need: BucketNeed) -> str:
        return "buckets" if self._own_key(need) else self.needs.labels.of(f"key {need.config.kms_key}")

    def _key_member(self, need: BucketNeed) -> list[Ref]:
        return [Ref("google_kms_crypto_key_iam_member", self._key_label(need))] if need in self._keyed() else []

    def _keys(self) -> list[Block]:
        keys = {self._key_label(need): self._key_of(need) for need in self._keyed()}
        if not keys:
            return []
        made = self._made_key() if any(self._own_key(need) for need in self._keyed()) else []
        agent = data("google_storage_project_service_account", "main")
        return [*made, agent, *(_key_member(label, key, agent.ref) for label, key in keys.items())]

    def _made_key(self) -> list[Block]:
        ring = resource("google_kms_key_ring", "buckets", name=f"glacier-{self.needs.environment}", location=REGION)
        key = resource(
            "google_kms_crypto_key",
            "buckets",
            nested("lifecycle", prevent_destroy=True),
            name="buckets",
            key_ring=ring.ref.id,
            rotation_period="7776000s",
            **_given(labels=dict(self.needs.tags) or None),
        )
        return [ring, key]

    # --- code of functions ----------------------------------------------------------------------------------------

    @cached_property
    def _code(self) -> Ref:
        return Ref("google_storage_bucket", self.needs.labels.of("code of functions"))

    def _code_bucket(self) -> tuple[Block, ...]:
        if not self.needs.functions:
            return ()
        made = resource(
            "google_storage_bucket",
            str(self._code.parts[-1]),
            nested("versioning", enabled=True),
            nested("soft_delete_policy", retention_duration_seconds=0),
            _OLD_CODE,
            _ABANDONED_UPLOADS,
            name=Text(PROJECT, f"-code-{_digest(self.needs.environment)}"),
            location=REGION,
            storage_class="STANDARD",
            uniform_bucket_level_access=True,
            public_access_prevention="enforced",
            **_given(labels=dict(self.needs.tags) or None),
        )
        return self._for("code of functions", _skipping(made, ACCESS_LOG))

    # --- functions.tf ---------------------------------------------------------------------------------------------

    def functions(self) -> list[Block]:
        blocks = [block for need in self.needs.functions for block in self._function(need)]
        return [*blocks, *(block for need in self.needs.functions if need.monitored for block in self._alarm(need))]

    def _function(self, need: FunctionNeed) -> tuple[Block, ...]:
        code, made = self._code_object(need), self._made_function(need)
        return self._for(f"function {need.name}", code, made)

    def _code_object(self, need: FunctionNeed) -> Block:
        name, source = self._packaged(need)
        return resource("google_storage_bucket_object", need.label, bucket=self._code.name, name=name, source=source)

    def _packaged(self, need: FunctionNeed) -> tuple[Value, Value]:
        """Return a name that changes with the code, and the path of its zip."""
        if need.package is None:
            given = variable(f"{need.label}_package", "string", f"Path of the zip with the code of {need.origin}.")
            self.variables.append(given)
            return Text(f"{need.name}-", Call("filesha256", given.ref), ".zip"), given.ref
        package = self._completed(need, need.package)
        path = f"packages/{need.label}.zip"
        self.assets[path] = package.zip
        name = f"{need.name}-{hashlib.sha256(package.zip).hexdigest()[:16]}.zip"
        return name, Text(Ref("path", "module"), f"/{path}")

    def _completed(self, need: FunctionNeed, package: Package) -> Package:
        """Add what Cloud Run functions need besides: how a request reaches the handler, and what to install."""
        needed = requirements_of(package.imports, "functions-framework==3.*")
        if needed.unknown:
            self.warnings.append(
                f"function {need.name}: {', '.join(needed.unknown)} is not installed here, so its package does not "
                "ask for it; install it and generate again"
            )
        return package.adding({f"{ENTRY}.py": _entry(need.handler), "requirements.txt": needed.file})

    def _made_function(self, need: FunctionNeed) -> Block:
        config: CloudFunctionConfig = need.config
        environment = environment_of(need)
        self.variables += environment.variables
        return resource(
            "google_cloudfunctions2_function",
            need.label,
            self._build(need),
            nested(
                "service_config",
                available_memory=f"{config.memory or 256}M",
                **_given(available_cpu=_cpu(config), timeout_seconds=need.timeout),
                **_given(min_instance_count=config.min_instances, max_instance_count=config.max_instances),
                **_given(max_instance_request_concurrency=config.concurrency),
                ingress_settings=config.ingress or "ALLOW_INTERNAL_ONLY",
                service_account_email=self._email(need.label),
                **_given(**_connector(config)),
                **_given(environment_variables=environment.values or None),
            ),
            name=need.name,
            location=REGION,
            description=f"Glacier: {need.origin}",
            **_given(labels=config.labels or None),
        )

    def _build(self, need: FunctionNeed) -> Block:
        source = nested("storage_source", bucket=self._code.name, object=_of("google_storage_bucket_object", need).name)
        module, _, function = need.handler.rpartition(".")
        own = need.package is not None
        file = f"{ENTRY}.py" if own else f"{(module or 'main').replace('.', '/')}.py"
        return nested(
            "build_config",
            nested("source", source),
            runtime=f"python{(need.runtime or RUNTIME).replace('.', '')}",
            entry_point=ENTRY if own else function,
            environment_variables={"GOOGLE_FUNCTION_SOURCE": file},
        )

    def _alarm(self, need: FunctionNeed) -> tuple[Block, ...]:
        known = any(block.labels == ("gcp_notification_channels",) for block in self.variables)
        if not known:
            kind, said = Call("list", Ref("string")), "Names of the Cloud Monitoring channels that alarms go to."
            self.variables.append(variable("gcp_notification_channels", kind, said, default=[]))
        made = resource(
            "google_monitoring_alert_policy",
            need.label,
            _failures(need.name),
            display_name=f"Failed calls of {need.name}",
            combiner="OR",
            notification_channels=CHANNELS,
            **_given(user_labels=need.config.labels or None),
        )
        return self._for(f"function {need.name}", made)

    # --- iam.tf ---------------------------------------------------------------------------------------------------

    def iam(self) -> list[Block]:
        accounts = [self._account(label, said) for label, said in self._principals()]
        writer = [self._writer_role()] if any(grant.writes for grant in self.needs.grants) else []
        return [*accounts, *writer, *self._bucket_members(), *self._callers()]

    def _principals(self) -> list[tuple[str, str]]:
        runners = [(each.label, f"runs pipeline {each.pipeline}") for each in self.needs.runners]
        functions = [each for each in self.needs.functions if not each.config.service_account]
        schedulers = [(SCHEDULER, "calls functions by schedule")] if self.needs.schedules else []
        return [*runners, *((each.label, f"function {each.name}") for each in functions), *schedulers]

    def _account(self, label: str, said: str) -> Block:
        made = resource(
            "google_service_account",
            label,
            account_id=_account_id(self.needs.environment, label),
            display_name=f"Glacier {self.needs.environment}: {said}"[:100],
        )
        return self._for(f"account that {said}", made)[0]

    def _email(self, label: str) -> str | Ref:
        given = next((each.config.service_account for each in self.needs.functions if each.label == label), None)
        return given or Ref("google_service_account", label).email

    def _member(self, label: str) -> Text:
        return Text("serviceAccount:", self._email(label))

    def _writer_role(self) -> Block:
        return resource(
            "google_project_iam_custom_role",
            "object_writer",
            role_id=f"glacierObjectWriter{_digest(self.needs.environment)}",
            title=f"Glacier {self.needs.environment}: write objects"[:100],
            description="Read, write and delete objects, without their metadata or access.",
            permissions=list(WRITER),
        )

    def _bucket_members(self) -> list[Block]:
        groups: dict[tuple[str, str, bool], list[Grant]] = {}
        for grant in self.needs.grants:
            if grant.bucket is not None:
                groups.setdefault((grant.principal, grant.bucket.label, grant.writes), []).append(grant)
        chunks = [
            (key, place // AT_ONCE, grants[place : place + AT_ONCE])
            for key, grants in groups.items()
            for place in range(0, len(grants), AT_ONCE)
        ]
        return [self._bucket_member(*key, number, grants) for key, number, grants in chunks]

    def _bucket_member(self, principal: str, bucket: str, writes: bool, number: int, grants: list[Grant]) -> Block:
        need = next(each for each in self.needs.buckets if each.label == bucket)
        role: Value = Ref("google_project_iam_custom_role", "object_writer").id if writes else READER
        label = self.access.of(f"{principal} {'writes' if writes else 'reads'} {bucket} {number + 1 if number else ''}")
        made = resource(
            "google_storage_bucket_iam_member",
            label,
            *_condition(need.name, [grant.path for grant in grants]),
            bucket=self._bucket_ref(need).name,
            role=role,
            member=self._member(principal),
        )
        self._state(made, principal, WRITER if writes else (READER,), grants)
        return made

    def _callers(self) -> list[Block]:
        calls = [grant for grant in self.needs.grants if grant.function is not None]
        scheduled = {each.function.label: each.function for each in self.needs.schedules}
        made = [self._caller(grant.principal, grant.function, [grant]) for grant in calls if grant.function is not None]
        return [*made, *(self._caller(SCHEDULER, function, []) for function in scheduled.values())]

    def _caller(self, principal: str, function: FunctionNeed, grants: list[Grant]) -> Block:
        made = resource(
            "google_cloud_run_v2_service_iam_member",
            self.access.of(f"{principal} calls {function.label}"),
            name=_of("google_cloudfunctions2_function", function).name,
            location=REGION,
            role=INVOKER,
            member=self._member(principal),
        )
        self._state(made, principal, (INVOKER,), grants)
        return made

    def _state(self, block: Block, principal: str, actions: Sequence[str], grants: Sequence[Grant]) -> None:
        uses = tuple(dict.fromkeys(use for grant in grants for use in grant.uses))
        where = tuple(self._where(grant) for grant in grants) or (block.address,)
        self.statements.append(Statement(block.address, principal, tuple(actions), where, uses))

    def _where(self, grant: Grant) -> str:
        if grant.bucket is not None:
            return f"{grant.bucket.name}/{grant.path}"
        return grant.function.name if grant.function is not None else ""

    # --- schedules.tf ---------------------------------------------------------------------------------------------

    def schedules(self) -> list[Block]:
        return [block for each in self.needs.schedules for block in self._schedule(each)]

    def _schedule(self, schedule: Schedule) -> tuple[Block, ...]:
        function = _of("google_cloudfunctions2_function", schedule.function)
        account = Ref("google_service_account", SCHEDULER).email
        token = nested("oidc_token", service_account_email=account, audience=function.url)
        made = resource(
            "google_cloud_scheduler_job",
            schedule.function.label,
            nested("http_target", token, uri=function.url, http_method="POST"),
            name=schedule.function.name,
            region=REGION,
            description=f"Runs pipeline {schedule.pipeline}",
            schedule=_crontab(schedule.when),
            time_zone="Etc/UTC",
            attempt_deadline=_deadline(schedule.function),
        )
        return self._for(f"schedule of {schedule.pipeline}", made)

    # --- outputs.tf -----------------------------------------------------------------------------------------------

    def outputs(self) -> list[Block]:
        buckets = {need.name: self._bucket_ref(need).name for need in self.needs.buckets}
        functions = {need.name: _of("google_cloudfunctions2_function", need).url for need in self.needs.functions}
        runners = {each.pipeline: self._email(each.label) for each in self.needs.runners}
        every = [
            ("gcp_buckets", "Names of the buckets.", buckets),
            ("gcp_functions", "Addresses of the functions.", functions),
            ("gcp_runners", "Accounts that run the pipelines.", runners),
        ]
        return [output(name, said, values) for name, said, values in every if values]


# Providers -----------------------------------------------------------------------------------------------------------

BACKEND_ADVICE = ("A bucket for the state, with versioning, that exists already.",)


def _provider() -> Block:
    return Block("provider", ("google",), {"project": PROJECT, "region": REGION})


# Buckets -------------------------------------------------------------------------------------------------------------

ACCESS_LOG = ("CKV_GCP_62", "access logs go where GCSConfig(access_log_bucket=...) says")

_ABANDONED_UPLOADS = nested(
    "lifecycle_rule", nested("action", type="AbortIncompleteMultipartUpload"), nested("condition", age=7)
)
_OLD_CODE = nested(
    "lifecycle_rule", nested("action", type="Delete"), nested("condition", num_newer_versions=3, with_state="ARCHIVED")
)


def _bucket_skips(config: GCSConfig) -> list[tuple[str, str]]:
    versions = ("CKV_GCP_78", "GCSConfig(versioning=False) keeps no old versions")
    private = ("CKV_GCP_114", "GCSConfig(public_access_prevention=False) allows public access")
    declined = [
        (not config.access_log_bucket, ACCESS_LOG),
        (config.versioning is False, versions),
        (not config.public_access_prevention, private),
    ]
    return [skip for is_declined, skip in declined if is_declined]


def _soft_delete(config: GCSConfig) -> int:
    days = 7 if config.soft_delete_days is None else config.soft_delete_days
    return days * 24 * 60 * 60


def _lifecycle_rule(rule: GCSLifecycleRule) -> Block:
    effect = {"type": "SetStorageClass", "storage_class": rule.transition} if rule.transition else {"type": "Delete"}
    # Without send_age_if_zero, the provider takes an age of 0 for none.
    at_once = {"send_age_if_zero": True} if rule.days == 0 else {}
    where = {"matches_prefix": [rule.prefix]} if rule.prefix else {}
    return nested("lifecycle_rule", nested("action", **effect), nested("condition", age=rule.days, **at_once, **where))


def _key_member(label: str, key: Value, agent: Ref) -> Block:
    return resource(
        "google_kms_crypto_key_iam_member",
        label,
        crypto_key_id=key,
        role="roles/cloudkms.cryptoKeyEncrypterDecrypter",
        member=Text("serviceAccount:", agent.email_address),
    )


# Functions -----------------------------------------------------------------------------------------------------------

ENTRY = "glacier_request"

_ENTRY = '''\
"""Hands the JSON of a request to {handler} and answers with its result as JSON."""

import json

import functions_framework
from {module} import {function} as handler


@functions_framework.http
def {entry}(request):
    payload = request.get_json(silent=True)
    return json.dumps(handler(payload, None)), 200, {{"Content-Type": "application/json"}}
'''


def _entry(handler: str) -> bytes:
    module, _, function = handler.rpartition(".")
    return _ENTRY.format(handler=handler, module=module or "main", function=function, entry=ENTRY).encode()


def _cpu(config: CloudFunctionConfig) -> str | None:
    """Return the processors of a function that answers several requests at a time, which needs a whole one.

    From 2 GB of memory on it has one by itself: https://cloud.google.com/run/docs/configuring/services/memory-limits
    """
    return "1" if (config.concurrency or 1) > 1 and (config.memory or 256) < 2048 else None


def _connector(config: CloudFunctionConfig) -> dict[str, Value]:
    if config.vpc_connector is None:
        return {}
    return {"vpc_connector": config.vpc_connector, "vpc_connector_egress_settings": "PRIVATE_RANGES_ONLY"}


def _failures(name: str) -> Block:
    filter_ = " AND ".join(
        (
            'resource.type = "cloud_run_revision"',
            f'resource.labels.service_name = "{name}"',
            'metric.type = "run.googleapis.com/request_count"',
            'metric.labels.response_code_class = "5xx"',
        )
    )
    window = nested("aggregations", alignment_period="300s", per_series_aligner="ALIGN_DELTA")
    threshold = nested(
        "condition_threshold", window, filter=filter_, comparison="COMPARISON_GT", threshold_value=0, duration="0s"
    )
    return nested("conditions", threshold, display_name="Answers of class 5xx")


# Access --------------------------------------------------------------------------------------------------------------

SCHEDULER = "scheduler"

AT_ONCE = 4
"""Paths in one condition, which may have 12 logical operators: https://cloud.google.com/iam/quotas."""


def _account_id(environment: str, label: str) -> str:
    """Return the id of an account: 6-30 lower-case letters, digits and '-', unique in the project.

    https://cloud.google.com/iam/docs/service-accounts-create
    """
    near = re.sub(r"[^a-z0-9]+", "-", label)[:15].strip("-")
    return f"glacier-{near}-{_digest(f'{environment}/{label}')[:6]}"


def _condition(bucket: str, paths: Iterable[str]) -> list[Block]:
    """Narrow a binding to paths in a bucket; none where a pattern may match any object.

    Listing asks for the bucket itself, and shows names only.
    """
    tests = [test for path in paths for test in _tests(f"projects/_/buckets/{bucket}/objects/", path)]
    if not all(tests):
        return []
    expression = " || ".join(['resource.type == "storage.googleapis.com/Bucket"', *tests])
    return [nested("condition", title="Paths that the pipelines use", expression=expression)]


def _tests(base: str, path: str) -> list[str]:
    """Return tests in CEL of an object's name; an empty one where every object passes."""
    start = re.split(r"[*?]", path)[0]
    if start != path:
        return [f"resource.name.startsWith({_cel(base + start)})" if start else ""]
    return [f"resource.name == {_cel(base + path)}", f"resource.name.startsWith({_cel(f'{base}{path}/')})"]


def _cel(text: str) -> str:
    """Return a string of the Common Expression Language; names of objects have no control characters.

    https://github.com/google/cel-spec/blob/master/doc/langdef.md#string-and-bytes-values
    """
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


# Schedules -----------------------------------------------------------------------------------------------------------


def _crontab(when: Rate | Cron) -> str:
    """Return a schedule in crontab(5), or in App Engine's words where crontab knows no such period.

    https://cloud.google.com/scheduler/docs/configuring/cron-job-schedules
    """
    if isinstance(when, Cron):
        return f"{when.minute} {when.hour} {when.day} {when.month} {when.weekday}"
    every = when.every * 24 if when.unit == "day" else when.every
    return f"every {every} {'minutes' if when.unit == 'minute' else 'hours'}"


def _deadline(function: FunctionNeed) -> str:
    """Return how long a call by schedule may take: 15 seconds to 30 minutes.

    https://cloud.google.com/scheduler/docs/reference/rest/v1/projects.locations.jobs
    """
    return f"{min(max(function.timeout or 60, 15), 1800)}s"


# Small things --------------------------------------------------------------------------------------------------------


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _of(kind: str, need: FunctionNeed) -> Ref:
    return Ref(kind, need.label)


def _given(**arguments: Any) -> Mapping[str, Any]:
    return {name: value for name, value in arguments.items() if value is not None}


def _depends_on(*refs: Ref) -> dict[str, Value]:
    return {"depends_on": list(refs)} if refs else {}


def _skipping(block: Block, *skips: tuple[str, str]) -> Block:
    return replace(block, skips=(*block.skips, *skips))

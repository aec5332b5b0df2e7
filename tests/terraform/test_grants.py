"""On Google Cloud and Azure: each permission that a role gives on a bucket or a function is needed by a traced use.

What a deed needs is what the cloud documents for the requests that it makes; no test contacts a cloud, so that this
holds grants to the documentation, not to a cloud.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from glacier.infrastructure import Blueprint, Grant, Needs
from glacier.infrastructure.collect import Recorded, collect
from glacier.tasks import Pipeline
from glacier.terraform import Block, Ref
from terraform.examples import CLOUDS, EXAMPLES

pytestmark = pytest.mark.filterwarnings("ignore::glacier.errors.GlacierWarning")

BLOBS = "Microsoft.Storage/storageAccounts/blobServices/containers/blobs"
BLOB = {verb: f"{BLOBS}/{verb}" for verb in ("read", "write", "delete")}

NEEDED: dict[str, dict[str, dict[str, str]]] = {
    # https://cloud.google.com/storage/docs/access-control/iam-xml and https://cloud.google.com/run/docs/reference/iam/roles
    "gcp": {
        "look": {"storage.objects.get": "HEAD object", "storage.objects.list": "GET bucket"},
        "read": {"storage.objects.get": "GET object", "storage.objects.list": "GET bucket"},
        "write": {
            "storage.objects.get": "HEAD object: is there one",
            "storage.objects.list": "GET bucket: or a folder",
            "storage.objects.create": "PUT object, POST object?uploads, PUT object?uploadId, POST object?uploadId",
            "storage.objects.delete": "PUT object and POST object?uploadId, where they replace one",
            "storage.multipartUploads.create": "POST object?uploads, PUT object?uploadId, POST object?uploadId",
            "storage.multipartUploads.abort": "DELETE object?uploadId",
        },
        "delete": {
            "storage.objects.get": "HEAD object: is there one",
            "storage.objects.list": "GET bucket: or a folder",
            "storage.objects.delete": "DELETE object",
        },
        "call": {"run.routes.invoke": "POST to the service's address"},
    },
    # https://learn.microsoft.com/rest/api/storageservices/authorize-with-azure-active-directory
    "azure": {
        "look": {BLOB["read"]: "Get Blob Properties, List Blobs"},
        "read": {BLOB["read"]: "Get Blob, List Blobs"},
        "write": {
            BLOB["read"]: "Get Blob Properties, List Blobs",
            BLOB["write"]: "Put Blob, Put Block, Put Block List",
        },
        "delete": {BLOB["read"]: "Get Blob Properties, List Blobs", BLOB["delete"]: "Delete Blob"},
        "call": {"Microsoft.Web/sites/functions/listkeys/action": "List Function Keys"},
    },
}
"""For each cloud what a deed needs, and the request that needs it."""

PREDEFINED: dict[str, tuple[set[str], set[str]]] = {
    # https://cloud.google.com/storage/docs/access-control/iam-roles
    "roles/storage.objectViewer": (
        {"storage.objects.get", "storage.objects.list"},
        {
            *("storage.folders.get", "storage.folders.list"),
            *("storage.managedFolders.get", "storage.managedFolders.list"),
            *("resourcemanager.projects.get", "resourcemanager.projects.list"),
        },
    ),
    # https://cloud.google.com/run/docs/reference/iam/roles
    "roles/run.invoker": ({"run.routes.invoke"}, {"run.jobs.run"}),
    # https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/storage
    "Storage Blob Data Reader": (
        {BLOB["read"]},
        {
            "Microsoft.Storage/storageAccounts/blobServices/containers/read",
            "Microsoft.Storage/storageAccounts/blobServices/generateUserDelegationKey/action",
        },
    ),
}
"""Of the clouds' own roles that are given: what is needed of them, and what comes with them.

What comes with them shows names and settings of the same bucket or app, or has no effect at this scope (projects; keys
for signing, which are a matter of the whole account).
"""

OF_SERVICES = {"Storage Blob Data Owner", "Storage Blob Data Contributor"}
"""Roles by which an app reaches its own code and locks, a cloud's service its key: no traced use is behind these."""


def drawn(cloud: str, example: str) -> tuple[Needs, Blueprint]:
    """Return what an example needs of a cloud, and what is generated for it."""
    pipeline: Pipeline = EXAMPLES[example](CLOUDS[cloud])
    recorded = Recorded(pipeline, pipeline.run(mode="analyze").trace)
    parts = collect(pipeline.env, [recorded]).parts
    ((provider, needs),) = [each for each in parts if each[0].get_provider_type() == cloud]
    return needs, provider.terraform(needs)


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("cloud", NEEDED)
def test_every_permission_of_every_grant_is_needed_by_a_traced_use(cloud: str, example: str) -> None:
    needs, made = drawn(cloud, example)
    stated = {each.address: each for each in made.statements}
    covered: set[int] = set()
    for block in _grants(made):
        statement = stated[block.address]
        if block.arguments.get("role_definition_name") in OF_SERVICES or statement.uses[0].task == "schedule":
            continue
        permissions, needed = _permissions(made, block)
        grants = [each for each in needs.of(statement.principal) if set(_places(each)) & set(statement.resources)]
        assert grants, block.address
        wanted = {name for grant in grants for name in _wanted(cloud, grant)}
        assert needed <= wanted, f"{block.address} gives {sorted(needed - wanted)}"
        assert permissions >= needed
        assert set(statement.uses) <= {use for grant in grants for use in grant.by()}
        covered |= {id(grant) for grant in grants}
    assert {id(each) for each in needs.grants if _wanted(cloud, each)} == covered


@pytest.mark.parametrize("example", EXAMPLES)
@pytest.mark.parametrize("cloud", NEEDED)
def test_no_traced_use_lacks_a_permission(cloud: str, example: str) -> None:
    needs, made = drawn(cloud, example)
    stated = {each.address: each for each in made.statements}
    for grant in needs.grants:
        given: set[str] = set()
        for block in _grants(made):
            statement = stated[block.address]
            if statement.principal == grant.principal and set(_places(grant)) & set(statement.resources):
                given |= _permissions(made, block)[0]
        assert set(_wanted(cloud, grant)) <= given, grant


def _wanted(cloud: str, grant: Grant) -> dict[str, str]:
    """Return what a grant's deeds need; of functions this version only calls those of AWS, and looks at no other's."""
    deeds = [deed for deed in grant.uses if grant.function is None or deed == "call"]
    return {name: why for deed in deeds for name, why in NEEDED[cloud][deed].items()}


def _places(grant: Grant) -> Iterator[str]:
    if grant.bucket is not None:
        yield f"{grant.bucket.name}/{grant.path}"
    if grant.function is not None:
        yield grant.function.name


def _grants(made: Blueprint) -> list[Block]:
    """Return the blocks that give a role to one of our principals."""
    kinds = {"google_storage_bucket_iam_member", "google_cloud_run_v2_service_iam_member", "azurerm_role_assignment"}
    stated = {each.address for each in made.statements}
    found = [each for each in made.document if each.kind == "resource" and each.labels[0] in kinds]
    ours = [each for each in found if each.address in stated]
    assert {each.address for each in found} - stated <= {each.address for each in found if _of_a_service(each)}
    return ours


def _of_a_service(block: Block) -> bool:
    """Whether a role goes to the cloud's own service, which encrypts with a customer's key."""
    return "key" in block.labels[1]


def _permissions(made: Blueprint, block: Block) -> tuple[set[str], set[str]]:
    """Return all that a role's holder may, and what of it is there for a use."""
    role: Any = block.arguments.get("role") or block.arguments.get("role_definition_name")
    if isinstance(role, str):
        needed, more = PREDEFINED[role]
        return needed | more, needed
    reference: Ref = role or block.arguments["role_definition_id"]
    (own,) = (each for each in made.document if each.labels == reference.parts[:2])
    listed = own.arguments.get("permissions") or next(
        value for inner in own.blocks for value in inner.arguments.values()
    )
    return set(_texts(listed)), set(_texts(listed))


def _texts(value: Any) -> Iterable[str]:
    assert isinstance(value, list)
    return value


def test_the_clouds_own_roles_are_given_for_reading_and_calling_only() -> None:
    given = {
        str(block.arguments.get("role") or block.arguments.get("role_definition_name"))
        for cloud in NEEDED
        for example in EXAMPLES
        for block in _grants(drawn(cloud, example)[1])
        if isinstance(block.arguments.get("role") or block.arguments.get("role_definition_name"), str)
    }
    assert given == {*PREDEFINED, "Storage Blob Data Owner"}

"""The real provider of AWS, where this machine has one, against Moto."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from terraform.terraform_cli import MISSING, Terraform

__all__ = ["MIRROR", "SOURCE", "WHY_NOT", "AwsTerraform"]

SOURCE = Path("registry.terraform.io") / "hashicorp" / "aws"
_SERVICES = ("cloudwatch", "events", "iam", "kms", "lambda", "logs", "s3", "scheduler", "sqs", "sts")


def _mirrors() -> Iterator[Path]:
    """Yield where a filesystem mirror may be: the variables first, then the usual folders."""
    yield from (Path(os.environ[name]) for name in ("TF_MIRROR", "TF_PLUGIN_DIR") if os.environ.get(name))
    yield from sorted(path.parent for path in Path("/opt").glob("*/registry.terraform.io"))
    yield from (Path.home() / ".terraform.d" / "plugins", Path("/usr/local/share/terraform/plugins"))
    yield Path("/usr/share/terraform/plugins")


MIRROR = next((path for path in _mirrors() if (path / SOURCE).is_dir()), None)
WHY_NOT = MISSING or (None if MIRROR else "no mirror with the provider hashicorp/aws: set TF_MIRROR to one")


@dataclass
class AwsTerraform(Terraform):
    """Terraform with the real provider, whose every call goes to one endpoint; `values` are the module's variables."""

    folder: Path
    mirror: Path = MIRROR or Path()
    endpoint: str = ""
    values: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        (path,) = self.folder.glob("providers.tf*")
        aliases = ["", *re.findall(r'^ +"?alias"? *[=:] *(".*?")', path.read_text("utf-8"), re.MULTILINE)]
        override = "".join(self._provider(alias) for alias in aliases)
        (self.folder / "aws_override.tf").write_text(override, "utf-8")

    def _provider(self, alias: str) -> str:
        endpoints = "".join(f'    {name} = "{self.endpoint}"\n' for name in _SERVICES)
        named = f"  alias = {alias}\n" if alias else ""
        kept = "  max_retries = 2\n  s3_use_path_style = true\n"
        keys = '  access_key = "test"\n  secret_key = "test"\n  profile = null\n'
        return f'provider "aws" {{\n{named}{kept}{keys}  endpoints {{\n{endpoints}  }}\n}}\n'

    def _environment(self) -> dict[str, str]:
        own = {f"TF_VAR_{name}": value for name, value in self.values.items()}
        return {**super()._environment(), **own}

"""Terraform as data: a document of blocks, written as HCL or JSON, in files that know who wrote them."""

from __future__ import annotations

from glacier.terraform.document import (
    Block,
    Call,
    Choice,
    Document,
    Labels,
    Ref,
    Text,
    Value,
    data,
    identifier,
    nested,
    output,
    resource,
    variable,
)
from glacier.terraform.files import Written, write_files
from glacier.terraform.hcl import hcl
from glacier.terraform.json_form import json_form

__all__ = [
    "Block",
    "Call",
    "Choice",
    "Document",
    "Labels",
    "Ref",
    "Text",
    "Value",
    "Written",
    "data",
    "hcl",
    "identifier",
    "json_form",
    "nested",
    "output",
    "resource",
    "variable",
    "write_files",
]

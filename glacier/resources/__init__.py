"""Buckets and functions: what a pipeline reads, writes and calls, the same on every cloud."""

from __future__ import annotations

from glacier.resources.bucket import Bucket
from glacier.resources.listing import ObjectInfo
from glacier.resources.preview import Preview
from glacier.resources.protocols import Functions, ResourceProvider, Storage
from glacier.resources.serverless import Serverless

__all__ = ["Bucket", "Functions", "ObjectInfo", "Preview", "ResourceProvider", "Serverless", "Storage"]

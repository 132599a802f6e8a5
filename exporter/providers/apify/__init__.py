"""Apify: Actors are the pipelines, their runs and builds the jobs."""

from exporter.providers.apify._provider import Apify

__all__ = ["Apify"]

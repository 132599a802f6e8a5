"""Apify: Actors, their builds and runs, and their logs."""

from exporter.simulator.apify.faults import APIFY_FAULTS, APIFY_REFUSALS
from exporter.simulator.apify.job import Job
from exporter.simulator.apify.life import ActorLife, lively_apify
from exporter.simulator.apify.world import Actor, ApifyWorld

__all__ = [
    "APIFY_FAULTS",
    "APIFY_REFUSALS",
    "Actor",
    "ActorLife",
    "ApifyWorld",
    "Job",
    "lively_apify",
]

"""The vendors' APIs, faithful to their contracts, for the demo, the tests and the benchmarks."""

from exporter.simulator.apify import APIFY_FAULTS, APIFY_REFUSALS, ApifyWorld, lively_apify
from exporter.simulator.faults import FAULTS, LOG_FAULTS, Fault, Faults
from exporter.simulator.log_follower import End
from exporter.simulator.log_shapes import SHAPES, log_lines, log_records
from exporter.simulator.pipeline import ImpossibleError, Pipeline
from exporter.simulator.random_life import lively_world
from exporter.simulator.running import SimulatorOptions, run_simulator
from exporter.simulator.scenario import ScenarioError, load_scenario, plan_scenario
from exporter.simulator.server import SimulatorServer, serve
from exporter.simulator.world import World, quiet

__all__ = [
    "APIFY_FAULTS",
    "APIFY_REFUSALS",
    "FAULTS",
    "LOG_FAULTS",
    "SHAPES",
    "ApifyWorld",
    "End",
    "Fault",
    "Faults",
    "ImpossibleError",
    "Pipeline",
    "ScenarioError",
    "SimulatorOptions",
    "SimulatorServer",
    "World",
    "lively_apify",
    "lively_world",
    "load_scenario",
    "log_lines",
    "log_records",
    "plan_scenario",
    "quiet",
    "run_simulator",
    "serve",
]

"""GoldRush: pipelines from a list in pages, what each does from requests of its own, logs as moving tails.

    list ─▶ status of each ─▶ metrics and destination health, in turns where the budget is short

Every look is paced at two thirds of the budget: the rest is for the logs. One that would last far longer than an
interval reads a part of the statuses, those that are oldest. What the vendor's pages leave open is read
either way (`pipeline_id` or `id`, pagination beside the items or in an object of its own).
"""

from exporter.providers.goldrush._provider import VOCABULARY, GoldRush

__all__ = ["VOCABULARY", "GoldRush"]

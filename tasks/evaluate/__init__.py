"""Evaluation: a generator on held-out people, beside what needs no training and other generators, with intervals.

Same-person pairs: for two photos of one person the right answer is known, the source with the target's expression is
the target photo. Cross-person pairs: what the generator is for; there is no right answer, but there is what was asked.

pairs ──asked, methods──▶ pictures ──measuring──▶ measures ──summary──▶ record ──tables, sheets, page──▶ readers
"""

from mien.tasks.evaluate.evaluate import evaluate
from mien.tasks.evaluate.results import Evaluation, EvaluationSettings
from mien.tasks.evaluate.tables import as_brief, as_json, as_table

__all__ = ["Evaluation", "EvaluationSettings", "as_brief", "as_json", "as_table", "evaluate"]

"""Applying contracts: from what they say to topics, registry schemas, namespaces and tables.

Always a plan first: the state of each service is read and compared, and every difference becomes
a step. A plan that would break a reader or lose data holds a refusal, and then nothing at all is
applied. Nothing here drops, narrows or renames; what a contract no longer mentions stays.
"""

from millrace.apply.plan import Action, Plan, Step, draw_up, execute

__all__ = ["Action", "Plan", "Step", "draw_up", "execute"]

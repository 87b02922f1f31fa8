"""Settings of the budget: what all accounts of the installation may spend on models."""

from typing import Annotated, ClassVar

from msgspec import Meta

from schemas.settings.quotas import Amount, Period
from schemas.settings.section import Section

MICROS = 1_000_000  # of the currency

Money = Annotated[float, Meta(ge=0, le=1_000_000_000)]


class BudgetSettings(Section, frozen=True, kw_only=True):
    """What all accounts together may spend on models in a day and in a calendar month (UTC); 0 = no budget.

    Everything that is recorded as usage counts: answers, failed ones, and what models write beside them (titles, condensed questions,
    summaries). Once a budget is spent further questions get 503 budget_spent until it resets; the answers in progress then are finished.
    """

    prefix: ClassVar[str] = "CLAW_BUDGET_"

    tokens_per_day: Annotated[Amount, Meta(description="Model tokens a day, prompts included.")] = 0
    tokens_per_month: Annotated[Amount, Meta(description="Model tokens a month.")] = 0
    cost_per_day: Annotated[Money, Meta(description="Cost a day, in the currency of the prices (CLAW_MODEL_PRICE_*).")] = 0.0
    cost_per_month: Annotated[Money, Meta(description="Cost a month.")] = 0.0
    warning_percent: Annotated[
        int, Meta(ge=1, le=100, description="Part of a budget from which `claw_budget_warning` is 1 and the log warns, once a period.")
    ] = 80

    def limits(self) -> dict[tuple[str, Period], int]:
        """The budgets that are set, by measure (``tokens``, ``cost_micros``) and period."""
        found: dict[tuple[str, Period], int] = {
            ("tokens", "day"): self.tokens_per_day,
            ("tokens", "month"): self.tokens_per_month,
            ("cost_micros", "day"): round(self.cost_per_day * MICROS),
            ("cost_micros", "month"): round(self.cost_per_month * MICROS),
        }
        return {each: limit for each, limit in found.items() if limit}

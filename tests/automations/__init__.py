"""Automations that users write: triggers, conditions, blueprints, and what is said of them."""

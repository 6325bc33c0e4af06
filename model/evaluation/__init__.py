"""How good a generator is: metrics, intervals by bootstrap, the rule of promotion."""

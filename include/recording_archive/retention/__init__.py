"""Retention of recordings: rules, the policy in force, and a forecast of its effect.

`rules` judges one recording without any I/O; `matching` compares it with a rule; `condition` does so in a search.
`policy_document` (with `strict_yaml`) reads a policy, `policy_in_force` puts one to use. `forecast` (with
`forecast_counting`, `forecast_parties` and `forecast_figures`) counts what expires when.
"""

"""Programs of a deployment with several machines: prepare databases, buckets and roles; restart what hangs.

`set_up` runs once as a job. `watch` starts a component and kills it when its health check fails.
"""

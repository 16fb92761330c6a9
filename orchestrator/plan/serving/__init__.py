"""Serving a model: vLLM's command line, the plan, its supervisors' state, and why it failed. For `plan` and `cli`."""

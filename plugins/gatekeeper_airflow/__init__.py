"""What DAGs use of Gatekeeper: the hook on the registry, the operators, and the weekly run of a task's context."""

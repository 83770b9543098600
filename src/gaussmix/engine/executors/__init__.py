"""Where the work of a pass is done: threads of this process, or the workers of a cluster."""

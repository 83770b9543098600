"""Where rows come from: re-readable sources of chunks, with no Gaussian in sight."""

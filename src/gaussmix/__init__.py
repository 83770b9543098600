"""Gaussian mixture models: soft clustering, density estimation and model selection."""

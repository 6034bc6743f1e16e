"""What the speed claims rest on: `python -m benchmarks` runs all, each printing ratios measured in one run."""

"""
A million rows, and something wrong with a few
==============================================

Six readings of a machine, a million times; three ways of running it. In sixty rows a sensor was off. None of them
is out of its range, so no threshold on a single reading finds them: what is wrong is how the readings go together.
"""

# %%
# Make the readings. In each mode of running they depend on each other; in the faulty rows one reading is replaced by
# that of another row.

import time

import numpy as np
from matplotlib import pyplot
from scipy import stats

import gaussmix as gm
from gaussmix import plots

rng = np.random.default_rng(7)
count, names = 1_000_000, ["pressure", "flow", "speed", "torque", "heat", "noise"]
mode = rng.choice(3, size=count, p=[0.5, 0.35, 0.15])
roots = rng.normal(size=(3, 6, 6)) * 0.35 + np.eye(6) * 0.15
rows = np.einsum("nij,nj->ni", roots[mode], rng.normal(size=(count, 6))) + (4.0 * rng.normal(size=(3, 6)))[mode]
faulty = rng.choice(count, size=60, replace=False)
sensor = rng.integers(0, 6, size=60)
rows[faulty, sensor] = rows[rng.choice(count, size=60), sensor]

# %%
# Fit a mixture, knowing nothing of the faults. Starts are raced on a sample, and only the best go on to all rows.

began = time.perf_counter()
selection = gm.select(rows, [2, 3, 4], ["VVV"])
print(selection.best)
print(f"{time.perf_counter() - began:.1f} s, {selection.best.passes} passes over {count:,} rows")

# %%
# How far is each row from the component nearest to it? Two reads, of any number of rows, count how rare distances are
# and keep the hundred farthest rows.

portrait = plots.portrait(selection, rows)
rarities = np.arange(1.0, 12.01, 0.25)
figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
axes.loglog(10.0**rarities, np.maximum(portrait.beyond, 0.1), "o-", color=plots.PALETTE[0], label="rows")
axes.loglog(10.0**rarities, np.maximum(count * 10.0**-rarities, 0.1), "--", color="grey", label="by chance")
axes.set(xlabel="rarer than one in", ylabel="rows")
axes.legend(frameon=False)

# %%
# Beyond one in ten million hardly any row is to be expected, and there they are.

limit = stats.chi2.isf(1e-7, df=6)
found = portrait.outliers.positions[portrait.outliers.squares > limit]
print(f"{len(found)} rows found, {np.isin(found, faulty).sum()} of them faulty, of {len(faulty)}")

# %%
# The others had a reading put in its place that was a plausible one. Was a threshold on single readings not enough?

low, high = np.quantile(np.delete(rows, faulty, axis=0), [1e-6, 1 - 1e-6], axis=0)
outside = ((rows[faulty] < low) | (rows[faulty] > high)).any(axis=1)
print(f"{outside.sum()} of the faulty rows have a reading that is out of range by itself")

# %%
# Where the two fit, the points of a pair are a sample; the histograms count all million.

plots.PairsDisplay.from_estimator(selection, rows[::50], features=[0, 1, 2])

# %%
# The report names, for every outlier, the readings that make it one.

gm.report(selection, "readings.html", data=rows, title="A million readings")

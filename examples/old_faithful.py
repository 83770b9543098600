"""
Old Faithful: kinds of eruptions
================================

A geyser, 272 eruptions, two numbers for each: how long it lasted, and how long the wait for the next one was, in
minutes. How many kinds of eruptions are there, and what does one say about the next wait?
"""

# %%
# Look at the candidates first. Each line is a covariance structure; lower is better.

from pathlib import Path

from matplotlib import pyplot

import gaussmix as gm
from gaussmix import plots

here = Path(__file__).parent if "__file__" in globals() else Path.cwd()
data = next(path for path in (here / "faithful.csv", here / "examples" / "faithful.csv") if path.exists())

selection = gm.select(data, range(1, 6), ["EEI", "VVI", "EEE", "VVE", "VVV"])
plots.SelectionDisplay.from_estimator(selection)
print(selection.best)

# %%
# The least BIC has three components of one shape. The long eruptions are two of them, which overlap a good deal: one
# cluster that is not quite Gaussian, or two kinds that are hard to tell apart. ICL, which asks for clusters that are
# well apart, says two.

figure, axes = pyplot.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
plots.DensityDisplay.from_estimator(selection, ax=axes[0])
plots.OverlapDisplay.from_estimator(selection, ax=axes[1])
by_icl = min(selection.table, key=lambda row: row.icl)
print("by ICL:", by_icl.structure, by_icl.n_components)

# %%
# Rows, coloured by component and paler where they are unsure, with 95 % ellipses.

plots.PairsDisplay.from_estimator(selection, data)

# %%
# What does an eruption of so many minutes say about the wait? The conditional distribution is a mixture again.

for minutes in (2.0, 3.0, 4.5):
    wait = selection.best.mixture.condition({"eruptions": minutes})
    mean = float(wait.weights @ wait.means[:, 0])
    print(f"after {minutes} minutes: {mean:.0f} minutes, from {len(wait.weights)} components")

# %%
# And everything on one page, for somebody who was not there.

gm.report(selection, "faithful.html", data=data, title="Old Faithful")

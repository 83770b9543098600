"""
Iris, beside mclust
===================

Fisher's 150 flowers of three species, and what R's mclust 6.0.0 found in them with ``Mclust(iris[, 1:4], G,
modelNames)``. The same model can be compared to the last digit: does gaussmix find the same optimum, or a better
one?
"""

# %%
# These are mclust's log-likelihoods, as R printed them.

from pathlib import Path

import numpy as np

import gaussmix as gm
from gaussmix import plots

here = Path(__file__).parent if "__file__" in globals() else Path.cwd()
data = next(path for path in (here / "iris.csv", here / "examples" / "iris.csv") if path.exists())

mclust = {
    ("VII", 4): -348.680073,
    ("EEE", 3): -256.354743,
    ("VVE", 3): -238.042769,
    ("EEV", 3): -232.199074,
    ("VEV", 2): -215.725972,
    ("VEV", 3): -186.074048,
    ("VVV", 2): -214.354704,
    ("VVV", 3): -180.185839,
}

# %%
# Fit the same models. Of a log-likelihood more is better.

print(f"{'':8}{'mclust':>12}{'gaussmix':>12}{'more by':>10}")
for (structure, count), theirs in mclust.items():
    result = gm.fit(data, count, structure)
    print(f"{structure} {count:2}  {theirs:12.3f}{result.log_likelihood:12.3f}{result.log_likelihood - theirs:10.3f}")

# %%
# Where gaussmix has more, mclust's single hierarchical start led to a lesser optimum, or its stopping rule ended the
# climb before the top. Which model has the least BIC? mclust shows its negative.

selection = gm.select(data, range(1, 6), sorted({structure for structure, _ in mclust}))
plots.SelectionDisplay.from_estimator(selection)
print(selection.best)

# %%
# Two components by BIC, with three close behind: Setosa is far from the others, which are hard to tell apart. With
# three, how do they compare with the species, of which nothing was said?

three = selection["VEV", 3]
labels = gm.predict(three, data).labels
species = np.repeat([0, 1, 2], 50)
for kind, name in enumerate(("setosa", "versicolor", "virginica")):
    print(f"{name:12}", np.bincount(labels[species == kind], minlength=3))

# %%
# The five flowers that go astray lie where versicolor and virginica meet.

plots.PairsDisplay.from_estimator(three, data)
plots.UncertaintyDisplay.from_estimator(three, data)

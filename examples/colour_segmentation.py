"""
The colours of a picture
========================

A picture is a table of colours, one row for each pixel. A mixture finds which colours there are, and how sure it is of
every pixel.
"""

# %%
# Paint a landscape: a sky, a sun, hills, a field, and the noise of a camera. So we know what should be found.

import numpy as np
from matplotlib import pyplot

import gaussmix as gm
from gaussmix import plots

rng = np.random.default_rng(3)
height, width = 150, 230
y, x = np.mgrid[0:height, 0:width]
things = np.zeros((height, width), dtype=int)
things[(x - 178) ** 2 + (y - 38) ** 2 < 22**2] = 1
things[y > 87 + 18 * np.sin(x / 31.0) + 7 * np.sin(x / 11.0)] = 2
things[y > 121 - 0.06 * x] = 3
colours = np.array([[0.45, 0.67, 0.90], [0.98, 0.84, 0.36], [0.30, 0.42, 0.34], [0.76, 0.66, 0.35]])
light = 1.0 + 0.10 * (y / height - 0.5)[:, :, None]
picture = colours[things] * light + rng.normal(scale=0.055, size=(height, width, 3))
picture = np.clip(picture, 0.0, 1.0)

# %%
# One row for each pixel, and a search for the number of colours. Colours of a thing vary together as light changes,
# so covariances are free to.

pixels = picture.reshape(-1, 3)
selection = gm.select(pixels, range(2, 6), ["VVV"], criterion="icl")
print(selection.best)

# %%
# Four, and nobody said so. Each pixel gets the mean colour of its component; where it is unsure is shown at the
# right: field and sun are the colours nearest to each other.

answer = gm.predict(selection, pixels)
segmented = selection.best.mixture.means[answer.labels].reshape(picture.shape)
figure, axes = pyplot.subplots(1, 3, figsize=(12, 3), layout="constrained")
for ax, image, title in zip(
    axes,
    (picture, np.clip(segmented, 0, 1), answer.uncertainty.reshape(height, width)),
    ("picture", "components", "uncertainty"),
    strict=True,
):
    ax.imshow(image, cmap="magma")
    ax.set_title(title)
    ax.set_axis_off()

# %%
# How well do components and things agree? Each thing's pixels, by component:

for thing, name in enumerate(("sky", "sun", "hills", "field")):
    counts = np.bincount(
        answer.labels.reshape(height, width)[things == thing], minlength=selection.best.mixture.n_components
    )
    print(f"{name:6}", counts)

# %%
# And the colours in their own space.

named = gm.fit(pixels, selection.best.mixture.n_components, "VVV", start=selection.best.mixture)
plots.PairsDisplay.from_estimator(named, pixels)

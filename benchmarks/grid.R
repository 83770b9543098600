# mclust's part of the grid: Rscript grid.R data.bin N D K ROWS OUT
# Numbers come as little-endian float64; the answer is JSON. Above ROWS rows the hierarchy is of so many drawn by lot.
suppressMessages(library(mclust))
given <- commandArgs(trailingOnly = TRUE)
n <- as.integer(given[2]); d <- as.integer(given[3]); k <- as.integer(given[4]); most <- as.integer(given[5])
x <- matrix(readBin(given[1], "double", n * d), n, d, byrow = TRUE)
set.seed(1)
numbers <- function(values) paste0("[", paste(sprintf("%.17g", values), collapse = ", "), "]")
gc(verbose = FALSE)
initialization <- if (n > most) list(subset = sample(n, most)) else NULL
seconds <- system.time(
  fitted <- Mclust(x, G = k, modelNames = "VVV", initialization = initialization, verbose = FALSE)
)[["elapsed"]]
if (is.null(fitted)) {
  answer <- sprintf('{"seconds": %.17g, "fits": []', seconds)
} else {
  p <- fitted$parameters
  answer <- sprintf('{"seconds": %.17g, "fits": [{"weights": %s, "means": %s, "covariances": %s}]',
    seconds, numbers(p$pro), numbers(p$mean), numbers(p$variance$sigma))
}
versions <- sprintf('{"mclust": "%s", "R": "%s"}', packageVersion("mclust"), getRversion())
cat(sprintf('%s, "versions": %s}\n', answer, versions), file = given[6])

# mclust's worker: Rscript mclust.R TASK data.bin N D start.bin K STRUCTURE LOW HIGH REPEATS BUDGET OUT
# Numbers come and go as little-endian float64; the answer is JSON.
started <- proc.time()[["elapsed"]]
suppressMessages(library(mclust))
imported <- proc.time()[["elapsed"]] - started
given <- commandArgs(trailingOnly = TRUE)
task <- given[1]
n <- as.integer(given[3]); d <- as.integer(given[4]); k <- as.integer(given[6])
structure <- given[7]; low <- as.integer(given[8]); high <- as.integer(given[9])
repeats <- as.integer(given[10]); budget <- as.numeric(given[11])

x <- matrix(readBin(given[2], "double", n * d), n, d, byrow = TRUE)
seconds <- function(expression) {
  gc(verbose = FALSE)
  system.time(expression)[["elapsed"]]
}
peak <- function() { # bytes
  line <- grep("^VmHWM", readLines("/proc/self/status"), value = TRUE)
  1024 * as.numeric(gsub("[^0-9]", "", line))
}
numbers <- function(values) paste0("[", paste(sprintf("%.17g", values), collapse = ", "), "]")

parameters <- function() {
  values <- readBin(given[5], "double", k * (1 + d + d * d))
  mean <- matrix(values[k + seq_len(k * d)], d, k)
  sigma <- array(values[k + k * d + seq_len(k * d * d)], c(d, d, k))
  variance <- list(d = d, G = k)
  if (structure == "full") {
    variance$modelName <- "VVV"
    variance$cholsigma <- array(apply(sigma, 3, chol), c(d, d, k))
  } else if (structure == "tied") {
    variance$modelName <- "EEE"
    variance$Sigma <- sigma[, , 1]
    variance$cholSigma <- chol(sigma[, , 1])
  } else {
    variance$modelName <- "VVI"
    variances <- matrix(apply(sigma, 3, diag), d, k)
    variance$scale <- exp(colMeans(log(variances)))
    variance$shape <- sweep(variances, 2, variance$scale, "/")
  }
  list(pro = values[seq_len(k)], mean = mean, variance = variance)
}

if (task == "passes") {
  start <- parameters()
  run <- function(passes) {
    em(x, start$variance$modelName, start, control = emControl(eps = 0, tol = c(0, 0), itmax = c(passes, passes)))
  }
  before <- peak()
  first <- seconds(run(low))
  lows <- c(); highs <- c(); began <- proc.time()[["elapsed"]]
  for (i in seq_len(repeats)) {
    lows <- c(lows, if (i == 1 && first > budget) first else seconds(run(low)))
    highs <- c(highs, seconds(fitted <- run(high)))
    if (proc.time()[["elapsed"]] - began > budget) break
  }
  p <- fitted$parameters
  sigma <- p$variance$sigma
  answer <- sprintf(
    '{"first": %.17g, "low": %s, "high": %s, "memory": %.0f, "weights": %s, "means": %s, "covariances": %s',
    first, numbers(lows), numbers(highs), peak() - before, numbers(p$pro), numbers(p$mean), numbers(sigma))
} else {
  before <- peak()
  first <- seconds(mclustBIC(x, G = 1:9, verbose = FALSE))
  times <- c(); began <- proc.time()[["elapsed"]]
  for (i in seq_len(repeats)) {
    times <- c(times, seconds(table <- mclustBIC(x, G = 1:9, verbose = FALSE)))
    if (proc.time()[["elapsed"]] - began > budget) break
  }
  cells <- c()
  for (name in colnames(table)) for (size in rownames(table)) {
    value <- table[size, name] # twice the log-likelihood minus the penalty
    if (!is.na(value)) {
      likelihood <- (value + nMclustParams(name, d, as.integer(size)) * log(n)) / 2
      cells <- c(cells, sprintf('"%s,%s": %.17g', name, size, likelihood))
    }
  }
  best <- strsplit(names(summary(table))[1], ",")[[1]]
  answer <- sprintf(
    '{"first": %.17g, "times": %s, "memory": %.0f, "best": "%s,%s", "bic": %.17g, "degenerate": 0, "cells": {%s}',
    first, numbers(times), peak() - before, best[1], best[2], -max(table, na.rm = TRUE), paste(cells, collapse = ", "))
}
versions <- sprintf('{"mclust": "%s", "R": "%s"}', packageVersion("mclust"), getRversion())
cat(sprintf('%s, "imported": %.17g, "versions": %s}\n', answer, imported, versions), file = given[12])

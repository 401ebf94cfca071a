# Lockgate from R: source() this file. Needs the program `lockgate` and the package jsonlite, no Python in R.
#
#   source(system2("lockgate", "r-script", stdout = TRUE))
#   lockgate$status(); lockgate$run(); lockgate$runs(); lockgate$why("figure.png"); lockgate$compare("A", "B")
#
# A mistake is an error of class `lockgate_error` with the fields message, hint and code.

lockgate <- local({
  program <- function() {
    python <- Sys.getenv("LOCKGATE_PYTHON")
    if (nzchar(python)) list(python, c("-m", "lockgate")) else list("lockgate", character())
  }

  # R puts folders of its own in front of where libraries are looked for (its file etc/ldpaths), and a kernel
  # may have a PYTHONPATH: both would lead the program's Python to libraries of another one.
  without_astray <- function(call) {
    before <- Sys.getenv(c("LD_LIBRARY_PATH", "PYTHONPATH"), NA, names = TRUE)
    before <- before[!is.na(before)]
    on.exit(if (length(before)) do.call(Sys.setenv, as.list(before)))
    Sys.unsetenv(names(before))
    call
  }

  ask <- function(words) {
    if (!requireNamespace("jsonlite", quietly = TRUE)) {
      stop("the R package jsonlite is missing: install.packages(\"jsonlite\")", call. = FALSE)
    }
    start <- program()
    said <- tempfile()
    on.exit(unlink(said))
    out <- without_astray(suppressWarnings(
      system2(start[[1]], shQuote(c(start[[2]], words, "--json")), stdout = TRUE, stderr = said)
    ))
    text <- paste(enc2utf8(out), collapse = "\n")
    answer <- tryCatch(
      jsonlite::fromJSON(text, simplifyVector = TRUE, simplifyMatrix = FALSE),
      error = function(e) NULL
    )
    if (is.null(answer)) {
      last <- utils::tail(readLines(said, warn = FALSE), 1)
      refuse(paste("lockgate", words[[1]], "failed:", if (length(last)) last else "it said nothing"),
             paste("See what it takes: lockgate", words[[1]], "--help"), "program-failed")
    }
    if (is.list(answer) && identical(names(answer), "error")) {
      refuse(answer$error$message, answer$error$hint, answer$error$code)
    }
    answer
  }

  refuse <- function(message, hint, code) {
    condition <- structure(
      class = c("lockgate_error", "error", "condition"),
      list(message = paste0(message, "\n  ", hint, " [", code, "]"), call = NULL, hint = hint, code = code)
    )
    stop(condition)
  }

  named <- function(option, values) {
    as.character(unlist(lapply(values, function(value) c(option, value))))
  }

  parameters <- function(params) {
    named("--param", if (length(params)) paste0(names(params), "=", unlist(params)))
  }

  list(
    # Run the work tree as it is, all stages or those named, and wait for the end.
    run = function(..., params = list(), force = character(), on = NULL, cpus = NULL, memory = NULL,
                   walltime = NULL, dry_run = FALSE, detach = FALSE) {
      ask(c("run", ..., parameters(params), named("--force", force), named("--on", on),
            named("--cpus", cpus), named("--memory", memory), named("--walltime", walltime),
            if (dry_run) "--dry-run", if (detach) "--detach"))
    },
    # Which stages a run would execute, and why: a data frame.
    status = function(params = list()) {
      stages <- ask(c("status", parameters(params)))$stages
      known <- if (is.null(stages$reused)) rep(FALSE, length(stages$name)) else
        !is.na(if (is.data.frame(stages$reused)) stages$reused$stage else stages$reused)
      data.frame(stage = stages$name, would_run = !known, why = stages$reason)
    },
    # The newest runs: a data frame.
    runs = function(limit = 20) {
      lines <- ask(c("runs", "-n", as.character(limit)))
      if (!length(lines)) {
        lines <- data.frame(id = character(), state = character(), seconds = numeric(),
                            created_at = numeric(), where = character(), commit = character(),
                            member = character(), cause = character())
      }
      data.frame(run = substring(lines$id, nchar(lines$id) - 7), state = lines$state,
                 seconds = lines$seconds,
                 queued_at = as.POSIXct(lines$created_at, origin = "1970-01-01", tz = "UTC"),
                 of = lines$where, commit = substring(lines$commit, 1, 10), member = lines$member,
                 cause = lines$cause)
    },
    show = function(run = "latest") ask(c("show", run)),
    # What a file was made from, up to the sources.
    why = function(file) ask(c("why", file)),
    # What differs between two runs.
    compare = function(left, right = "latest") ask(c("compare", left, right)),
    # Any other command: lockgate$call("data", "list").
    call = function(...) ask(c(...))
  )
})

# Reads the output of `cargo test`; fails if a suite ran no test, or if there was none at all.
/^ +(Running|Doc-tests) / { suite = $0; sub(/^ +/, "", suite) }
/^running [0-9]+ tests?$/ {
    suites++
    tests += $2
    if ($2 == 0) { print "ran no test: " suite; empty++ }
}
END {
    printf "%d tests in %d suites\n", tests, suites
    exit (empty > 0 || tests == 0)
}

//! Compile time: each message of the attribute and rustc's own errors in annotated functions, at
//! the token to change; and what has to compile.
//!
//! To refresh the `.stderr` files: `TRYBUILD=overwrite cargo test -p ui-tests --test ui`; then read
//! them. A bad line ends in `//~ ERROR text`, and `//~| ERROR text` below it announces another error
//! of that line; the second test holds the two together.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// A line of a case, and the start of the message that is expected there.
type Expected = BTreeSet<(usize, String)>;

// guarantee A9
#[test]
fn cases_fail_and_pass_as_written() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("fail/*/*.rs");
    cases.pass("pass/*.rs");
}

// guarantee A9
#[test]
fn every_error_is_at_the_line_that_is_marked_and_there_is_no_other() {
    let mut cases = 0;
    let mut wrong = Vec::new();
    for stage in fs::read_dir(directory()).expect("the stages can be listed") {
        let stage = stage.expect("is readable").path();
        for case in fs::read_dir(stage).expect("the cases can be listed") {
            let case = case.expect("is readable").path();
            if case.extension().is_some_and(|extension| extension == "rs") {
                let (reported, marked) = (reported(&case), marked(&case));
                if reported != marked || marked.is_empty() {
                    wrong.push((case, reported, marked));
                }
                cases += 1;
            }
        }
    }
    assert!(wrong.is_empty(), "case, reported, marked: {wrong:#?}");
    assert!(cases > 60, "only {cases} cases");
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fail")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What the comments in the source announce; `//~|` belongs to the line of the mark before it.
fn marked(case: &Path) -> Expected {
    let source = read(case);
    let mut marks = Expected::new();
    let mut last = 0;
    for (line, number) in source.lines().zip(1..) {
        if let Some((_, text)) = line.split_once("//~ ERROR ") {
            last = number;
            marks.insert((number, text.to_owned()));
        } else if let Some((_, text)) = line.split_once("//~| ERROR ") {
            marks.insert((last, text.to_owned()));
        }
    }
    marks
}

/// What the compiler said: the text of each error and the line that it points at first.
fn reported(case: &Path) -> Expected {
    let output = read(&case.with_extension("stderr"));
    let mut errors = Expected::new();
    let mut message = None;
    for line in output.lines() {
        if let Some(text) = line.strip_prefix("error") {
            // `error: text` or `error[E0308]: text`
            message = text.split_once(": ").map(|(_, text)| text.to_owned());
        } else if let Some(place) = line.trim_start().strip_prefix("--> ")
            && let Some(text) = message.take()
        {
            let number = place
                .split(':')
                .nth(1)
                .and_then(|number| number.parse().ok());
            errors.insert((number.expect("a place has a line"), text));
        }
    }
    errors
}

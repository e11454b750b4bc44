//! Which files are read.

use super::support::{Ran, Tree};

const FUNCTION: &str = "async fn f() { a().await }";

/// The files that awaits were found in.
fn files(ran: &Ran) -> Vec<String> {
    let report = ran.json();
    let sites = report["sites"].as_array().expect("there is a list");
    let file = |site: &serde_json::Value| site["file"].as_str().unwrap_or_default().to_owned();
    sites.iter().map(file).collect()
}

#[test]
fn hidden_ignored_and_built_files_are_not_read() {
    let tree = Tree::new(&[
        ("Cargo.toml", ""),
        ("build.rs", FUNCTION),
        ("src/lib.rs", FUNCTION),
        ("src/target/mod.rs", FUNCTION),
        ("target/out.rs", FUNCTION),
        ("other/target/CACHEDIR.TAG", ""),
        ("other/target/out.rs", FUNCTION),
        (".hidden/lib.rs", FUNCTION),
        (".gitignore", "generated/\n"),
        ("generated/lib.rs", FUNCTION),
        ("notes.txt", FUNCTION),
    ]);
    let ran = tree.run(&["--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(files(&ran), ["build.rs", "src/lib.rs", "src/target/mod.rs"]);
}

#[test]
fn files_given_by_name_are_read_once() {
    let tree = Tree::new(&[
        ("a/lib.rs", FUNCTION),
        ("b/script", FUNCTION),
        (".gitignore", "b\n"),
    ]);
    let ran = tree.run(&["--json", "b/script", "a", "a/lib.rs", "a/../a"]);
    assert_eq!(files(&ran), ["b/script", "a/lib.rs"]);
}

#[test]
fn a_path_that_does_not_exist_is_named_and_the_others_go_on() {
    let tree = Tree::of(FUNCTION);
    let ran = tree.run(&["--json", "nowhere", "lib.rs"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.starts_with("error: nowhere: "), "{ran:?}");
    assert_eq!(files(&ran), ["lib.rs"]);
    assert_eq!(ran.json()["unread"][0]["line"], serde_json::Value::Null);
}

#[test]
fn a_folder_without_rust_files_is_no_failure() {
    let tree = Tree::new(&[("readme.md", "")]);
    let ran = tree.run(&["--deny", "not-annotated"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stderr, "warning: there are no Rust files here\n");
    assert!(ran.stdout.starts_with("0 awaits"), "{ran:?}");
    let ran = tree.run(&["annotate"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.stdout, "0 functions in 0 files annotated\n");
}

#[cfg(unix)]
#[test]
fn symbolic_links_are_not_followed() {
    use std::os::unix::fs::symlink;

    let tree = Tree::new(&[("a/lib.rs", FUNCTION)]);
    symlink(tree.path("a"), tree.path("a/again")).expect("links can be made");
    symlink(tree.path("loop"), tree.path("loop")).expect("links can be made");
    symlink(tree.path("a/lib.rs"), tree.path("a/link.rs")).expect("links can be made");
    let ran = tree.run(&["--json"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(files(&ran), ["a/lib.rs"]);
    let ran = tree.run(&["loop"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
}

#[test]
fn deeply_nested_code_is_read() {
    let depth = 1_000;
    let nested = format!(
        "async fn f() {{ {}a().await{} }}",
        "{".repeat(depth),
        "}".repeat(depth)
    );
    let tree = Tree::of(&nested);
    let ran = tree.run(&["--json"]);
    assert_eq!(ran.code, Some(0));
    assert_eq!(files(&ran), ["lib.rs"]);
}

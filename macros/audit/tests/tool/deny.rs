//! Exit codes, and what is denied.

use super::support::Tree;

/// One of each.
const EVERYTHING: &str = "
    #[cancellable(implicit)]
    async fn f() {
        unknown!(a().await => b);
        tokio::spawn(async { c().await });
        std::thread::sleep(d);
    }
    async fn g() { e().await }
    static ROOT: Context = Context::todo();
";

#[test]
fn each_kind_can_be_denied() {
    let tree = Tree::of(EVERYTHING);
    for (kinds, message) in [
        ("opaque", "denied: 1 opaque\n"),
        ("detached", "denied: 1 detached\n"),
        ("not-annotated", "denied: 1 not annotated\n"),
        ("findings", "denied: 1 findings\n"),
        ("todo", "denied: 1 todo\n"),
        ("opaque,todo", "denied: 1 opaque, 1 todo\n"),
    ] {
        let ran = tree.run(&["cancellable", "--deny", kinds]);
        assert_eq!(ran.code, Some(3), "{kinds}: {ran:?}");
        assert_eq!(ran.stderr, message);
        assert!(
            ran.stdout.contains("thread_sleep"),
            "the table is printed all the same"
        );
    }
}

#[test]
fn what_is_detached_on_purpose_is_not_denied() {
    let tree = Tree::of(
        "
        #[cancellable(implicit)]
        async fn f() {
            #[cancellable(allow(detached))]
            tokio::spawn(async { a().await });
            #[cancellable(allow(detached))]
            let task = tokio::spawn(async { b().await });
        }
        #[cancellable(implicit, allow(detached))]
        async fn g() { tokio::spawn(async { c().await }); }
        ",
    );
    let ran = tree.run(&["--deny", "detached"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        ran.stdout.matches("detached, allowed").count(),
        3,
        "{ran:?}"
    );
}

#[test]
fn what_is_not_there_can_be_denied() {
    let tree = Tree::of("#[cancellable(implicit)]\nasync fn f() { a().await }");
    let all = "opaque,detached,not-annotated,findings,todo";
    let ran = tree.run(&["--deny", all]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stderr.is_empty(), "{ran:?}");
}

#[test]
fn a_file_that_does_not_parse_is_named_and_the_others_go_on() {
    let tree = Tree::new(&[
        ("a.rs", "async fn f() { a().await }"),
        ("b.rs", "fn g() {\n    let x = ;\n}\n"),
        ("c.rs", "fn h() { ("),
        ("d.rs", "fn i(x: u8,\n"),
        ("e.rs", "async fn j() { b().await }"),
    ]);
    tree.write("f.rs", b"// \n// ab\xff\n");
    let ran = tree.run(&[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for start in [
        "error: b.rs:2:13: ",
        "error: c.rs:1:10: ",
        "error: d.rs:",
        "error: f.rs:2:6: not UTF-8",
    ] {
        assert!(
            ran.stderr.lines().any(|line| line.starts_with(start)),
            "{start}: {ran:?}"
        );
    }
    assert!(ran.stdout.contains("a.rs:1:20"), "{ran:?}");
    assert!(ran.stdout.contains("e.rs:1:20"), "{ran:?}");
    assert!(ran.stdout.ends_with("2 files, 4 not read\n"), "{ran:?}");
}

#[test]
fn what_cannot_be_read_wins_over_what_is_denied() {
    let tree = Tree::new(&[("a.rs", EVERYTHING), ("b.rs", "fn")]);
    let ran = tree.run(&["--deny", "todo"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("error: b.rs:1:3: "), "{ran:?}");
    assert!(ran.stderr.contains("denied: 1 todo"), "{ran:?}");
}

#[test]
fn wrong_usage_has_a_code_of_its_own() {
    let tree = Tree::of("async fn f() {}");
    for arguments in [
        &["--deny", "nothing"][..],
        &["--unknown"],
        &["annotate", "--options", "timout = 3"],
        &["annotate", "--options", "implicit, ctx = a"],
        &["annotate", "--options", "inherit_spawns"],
        &["annotate", "--options", "skip"],
        &["annotate", "--options", ")"],
        &["annotate", "--attribute", "tokio::main"],
        &["annotate", "--attribute", "not a path"],
    ] {
        let ran = tree.run(arguments);
        assert_eq!(ran.code, Some(2), "{arguments:?}: {ran:?}");
        assert!(ran.stderr.starts_with("error: "), "{ran:?}");
        assert!(ran.stdout.is_empty(), "{ran:?}");
    }
    assert_eq!(tree.read("lib.rs"), "async fn f() {}");
    let ran = tree.run(&["annotate", "--options", "timout = 3"]);
    assert!(
        ran.stderr
            .contains("unknown option `timout`; expected one of `ctx`"),
        "{ran:?}"
    );
}

#[test]
fn help_says_what_the_codes_mean() {
    let tree = Tree::new(&[]);
    let ran = tree.run(&["cancellable", "--help"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("Exit codes:"), "{ran:?}");
    assert!(ran.stdout.contains("Usage: cargo cancellable"), "{ran:?}");
    let ran = tree.run(&["cancellable", "annotate", "--help"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("cargo add cancel-context"), "{ran:?}");
    assert_eq!(tree.run(&["--version"]).code, Some(0));
}

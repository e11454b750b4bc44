//! `--json`: the schema that the head of the crate describes.

use serde_json::json;

use super::support::Tree;

const FILES: [(&str, &str); 3] = [
    (
        "a.rs",
        "#[cancellable(implicit)]\nasync fn f() {\n    g(h()).await;\n    thread::sleep(d);\n    tokio::join!(i());\n}\n",
    ),
    ("b.rs", "fn broken( {\n"),
    (
        "c.rs",
        "make! { async fn out() {} }\nconst C: Context = Context::todo();\n",
    ),
];

#[test]
fn the_schema_is_as_described() {
    let tree = Tree::new(&FILES);
    let ran = tree.run(&["cancellable", "--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let mut report = ran.json();
    let message = report["findings"][0]["message"].take();
    assert!(
        message
            .as_str()
            .is_some_and(|text| text.starts_with("`thread::sleep`"))
    );
    let message = report["unread"][0]["message"].take();
    assert!(message.is_string(), "{message:?}");
    let expected = json!({
        "version": 1,
        "sites": [
            {
                "file": "a.rs", "line": 3, "column": 12, "function": "f", "kind": "checked",
                "expression": "g(h())", "macro": false, "allowed": false,
            },
            {
                "file": "a.rs", "line": 5, "column": 5, "function": "f", "kind": "checked",
                "expression": "tokio::join!(…)", "macro": true, "allowed": false,
            },
        ],
        "functions": [{
            "file": "a.rs", "line": 2, "column": 10, "name": "f", "async": true,
            "annotation": "implicit", "block": null,
        }],
        "findings": [{
            "file": "a.rs", "line": 4, "column": 5, "function": "f", "name": "thread_sleep",
            "message": null,
        }],
        "todos": [{ "file": "c.rs", "line": 2, "column": 20, "function": "C" }],
        "left_out": [{
            "file": "c.rs", "line": 1, "column": 18, "function": "make!::out",
            "reason": "it is in the tokens of `make!`",
        }],
        "unread": [{ "file": "b.rs", "line": 1, "column": 12, "message": null }],
        "summary": {
            "files": 2, "functions": 1, "annotated": 1,
            "sites": { "checked": 2, "shielded": 0, "opaque": 0, "detached": 0, "not-annotated": 0 },
            "awaits": 1, "macros": 1, "findings": 1, "todos": 1, "left_out": 1, "unread": 1,
        },
    });
    assert_eq!(report, expected, "{report:#}");
}

//! `annotate`: only attributes are put in, and only where they go.

use super::support::Tree;

const ATTRIBUTE: &str = "#[::cancel_context::cancellable(implicit)] ";

/// Annotates `source`, in which `@` stands where attributes are expected.
fn assert_annotated(source: &str) {
    let tree = Tree::of(&source.replace('@', ""));
    assert_eq!(tree.annotated(), source.replace('@', ATTRIBUTE));
    let ran = tree.run(&["annotate"]);
    assert_eq!(ran.stdout, "0 functions in 0 files annotated\n", "{ran:?}");
    assert_eq!(
        tree.annotated(),
        source.replace('@', ATTRIBUTE),
        "twice changes nothing"
    );
    let ran = tree.run(&["--deny", "not-annotated"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
}

#[test]
fn every_shape_of_function_is_annotated() {
    assert_annotated(
        "
@async fn free() {}
@pub async fn public() {}
@pub(crate) async unsafe fn with_everything<'a, T: ?Sized>(x: &'a T) -> impl Future + use<'a, T>
where
    T: Send,
{
    @async fn nested() { { @async fn deeper() {} } }
}
fn sync() {
    let x = || { @async fn in_closure() {} };
    const C: () = { @async fn in_const() {} };
}
mod a {
    impl Server {
        @pub async fn method(&self) {}
        @default async fn specialised(&self) {}
    }
    trait Handler {
        async fn declared(&self);
        @async fn provided(&self) {}
    }
    #[async_trait]
    impl Handler for Server {
        @async fn declared(&self) {}
    }
}
@#[tokio::main]
async fn main() {}
@#[tokio::test]
#[ignore]
async fn test() {}
",
    );
}

#[test]
fn documentation_stays_on_top_and_other_attributes_below() {
    assert_annotated(
        "
/// Says what it does.
///
/// - and more
@#[tracing::instrument(skip(x))]
// A comment.
#[inline]
pub async fn f(x: u8) {}

/** In another style. */ @pub async fn g() {}

#[doc = \"As an attribute.\"]
@#[cfg(feature = \"never\")]
/// Below.
async fn h() {}

@#[inline] async /* between */ fn i() {
    #![allow(unused)]
}
",
    );
}

#[test]
fn text_that_looks_like_a_function_is_left_alone() {
    assert_annotated(
        "
// async fn in_comment() {}
/* async fn in_block() {} /* async fn in_nested() {} */ */
const RAW: &str = r#\"async fn in_raw() {}\"#;
const PLAIN: &str = \"async fn in_plain() {} \\\" async fn\";
const BYTES: &[u8] = br##\"async fn \"# in_bytes() {}\"##;
type Pointer = fn(u8);
@async fn real<'a>(c: char) { let x = 'a'; let y = \"größe\"; } @async fn same_line() {}
fn r#async() { let block = async {}; let closure = async || {}; }
",
    );
}

#[test]
fn what_is_annotated_already_stays() {
    let source = "
        #[cancellable]
        async fn a() {}
        #[my::cancellable(on_cancel = ())]
        #[inline]
        async fn b() {}
        #[cfg_attr(feature = \"x\", cancellable(implicit))]
        async fn c() {}
        #[cancellable(skip)]
        async fn d() {}
        #[cancellable(implicit)]
        impl S { async fn e() {} #[cancellable(skip)] async fn f() {} }
        #[cancellable(implicit)]
        mod m { trait T { async fn g() {} } mod n { async fn h() {} } }
        ";
    let tree = Tree::of(source);
    assert_eq!(tree.annotated(), source);
}

#[test]
fn line_ends_and_marks_stay() {
    assert_annotated(
        "\u{feff}/// Docs.\r\n@async fn f() {\r\n    a();\r\n}\r\n\r\n@async fn g() {}",
    );
    assert_annotated("\u{feff}#!/usr/bin/env run\n#![allow(unused)]\n@async fn f() {}\n");
    assert_annotated("#!/usr/bin/env größe\r\n@async fn f() {}");
}

#[test]
fn the_options_and_the_path_can_be_given() {
    for (arguments, attribute) in [
        (&["--options", ""][..], "#[::cancel_context::cancellable]"),
        (
            &["--options", " implicit, inherit_spawns "],
            "#[::cancel_context::cancellable(implicit, inherit_spawns)]",
        ),
        (&["--attribute", "cancellable"], "#[cancellable(implicit)]"),
        (
            &[
                "--attribute",
                "crate::rt::cancellable",
                "--options",
                "crate = crate::rt, implicit",
            ],
            "#[crate::rt::cancellable(crate = crate::rt, implicit)]",
        ),
    ] {
        let tree = Tree::of("async fn f() {}\n");
        let ran = tree.run(&[&["cancellable", "annotate"], arguments].concat());
        assert_eq!(ran.code, Some(0), "{ran:?}");
        assert_eq!(ran.stdout, "1 function in 1 file annotated\n");
        assert_eq!(
            tree.read("lib.rs"),
            format!("{attribute} async fn f() {{}}\n")
        );
    }
}

#[test]
fn a_dry_run_prints_a_diff_and_writes_nothing() {
    let source = "mod a;\n\nasync fn f() {\n    a().await\n}\n";
    let tree = Tree::of(source);
    let ran = tree.run(&["annotate", "--dry-run"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        ran.stdout,
        "--- a/lib.rs\n+++ b/lib.rs\n@@ -1,5 +1,5 @@\n mod a;\n \n-async fn f() {\n\
         +#[::cancel_context::cancellable(implicit)] async fn f() {\n     a().await\n }\n"
    );
    assert_eq!(ran.stderr, "1 function in 1 file to annotate\n");
    assert_eq!(tree.read("lib.rs"), source);
}

#[test]
fn generated_files_are_left_alone_and_named() {
    let generated = [
        ("a.rs", "// @generated by a program\nasync fn f() {}\n"),
        (
            "b.rs",
            "/* Code generated by another. DO NOT EDIT. */\nasync fn g() {}\nasync fn h() {}\n",
        ),
        ("c.rs", "//! Docs.\n//! @generated\n"),
    ];
    let tree = Tree::new(&generated);
    tree.write(
        "d.rs",
        "const MARK: &str = \"@generated\";\nasync fn i() {}\n",
    );
    let ran = tree.run(&["annotate"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        ran.stderr,
        "left alone: a.rs: generated, 1 function\nleft alone: b.rs: generated, 2 functions\n"
    );
    for (name, text) in generated {
        assert_eq!(tree.read(name), text);
    }
    assert!(tree.read("d.rs").contains("cancellable(implicit)"));
}

#[test]
fn functions_that_cannot_be_annotated_are_named() {
    let source = "
make! { pub async fn a() {} }
macro_rules! made { ($name:ident) => { async unsafe fn $name() {} } }
async extern \"C\" fn c() {}
fn f() { quote! { async fn d() {} }; }
";
    let tree = Tree::of(source);
    let ran = tree.run(&["annotate"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(
        ran.stderr,
        "left alone: lib.rs:2:22: `make!::a`: it is in the tokens of `make!`\n\
         left alone: lib.rs:3:53: `made!::fn`: it is in the tokens of `macro_rules!`\n\
         left alone: lib.rs:4:21: `c`: the attribute does not go on an `extern fn`\n\
         left alone: lib.rs:5:28: `f::d`: it is in the tokens of `quote!`\n"
    );
    assert_eq!(tree.read("lib.rs"), source);
}

#[test]
fn files_that_do_not_parse_stay_and_the_others_go_on() {
    let tree = Tree::new(&[("a.rs", "async fn f( {}"), ("b.rs", "async fn g() {}")]);
    let ran = tree.run(&["annotate"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.stderr.starts_with("error: a.rs:1:"), "{ran:?}");
    assert_eq!(ran.stdout, "1 function in 1 file annotated\n");
    assert_eq!(tree.read("a.rs"), "async fn f( {}");
    assert_eq!(tree.read("b.rs"), format!("{ATTRIBUTE}async fn g() {{}}"));
}

#[cfg(unix)]
#[test]
fn permissions_and_links_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};

    let tree = Tree::new(&[("a.rs", "async fn f() {}"), ("b.rs", "async fn g() {}")]);
    let mode = |name: &str| {
        let metadata = tree.path(name).metadata().expect("the file is there");
        metadata.permissions().mode() & 0o777
    };
    let set = |name: &str, mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(tree.path(name), permissions).expect("it is ours");
    };
    set("a.rs", 0o751);
    set("b.rs", 0o444);
    symlink(tree.path("a.rs"), tree.path("link")).expect("links can be made");
    let ran = tree.run(&["annotate", "link", "b.rs"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.stderr, "error: b.rs: it is read-only\n");
    assert_eq!(mode("a.rs"), 0o751);
    assert!(tree.path("link").is_symlink());
    assert!(tree.read("a.rs").starts_with(ATTRIBUTE));
    assert_eq!(tree.read("b.rs"), "async fn g() {}");
    let left = std::fs::read_dir(tree.path(""))
        .expect("the folder is there")
        .count();
    assert_eq!(left, 3, "nothing is left behind");
}

//! The table, and where awaits are found.

use super::support::{Tree, kinds, sites};

const SERVER: &str = "\
#[cancellable]
async fn checked() -> Result<(), E> {
    one().await;
    #[shield]
    two().await;
    Ok(())
}

async fn bare() {
    three().await;
    let ctx = Context::todo();
}

#[cancellable(implicit)]
async fn found() {
    std::thread::sleep(d);
}
";

#[test]
fn each_await_is_a_row() {
    let ran = Tree::new(&[("src/lib.rs", SERVER)]).run(&["cancellable"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let rows: Vec<Vec<&str>> = ran
        .stdout
        .lines()
        .map(|line| {
            line.split("  ")
                .map(str::trim)
                .filter(|cell| !cell.is_empty())
                .collect()
        })
        .collect();
    assert_eq!(rows[0], ["await", "function", "kind", "expression"]);
    assert_eq!(rows[1], ["src/lib.rs:3:11", "checked", "checked", "one()"]);
    assert_eq!(rows[2], ["src/lib.rs:5:11", "checked", "shielded", "two()"]);
    assert_eq!(
        rows[3],
        ["src/lib.rs:10:13", "bare", "not annotated", "three()"]
    );
    assert_eq!(rows[5], ["finding", "function", "name", "message"]);
    assert_eq!(rows[6][..3], ["src/lib.rs:16:5", "found", "thread_sleep"]);
    assert_eq!(rows[8], ["`Context::todo()`", "function"]);
    assert_eq!(rows[9], ["src/lib.rs:11:15", "bare"]);
    assert_eq!(
        ran.stdout.lines().last(),
        Some(
            "3 awaits, of them 0 macros: 1 checked, 1 shielded, 0 opaque, 0 detached, 1 not annotated; \
             1 finding; 1 todo; 2 of 3 async fns annotated; 0 cannot be; 1 file"
        )
    );
}

#[test]
fn functions_are_named_by_their_path() {
    let rows = sites(
        "
        mod a {
            impl<T> Server<T> {
                async fn run(&self) {
                    self.x().await;
                    async fn inner() {
                        y().await;
                    }
                }
            }
            impl Handler for &'static str {
                async fn handle(&self) { z().await }
            }
            trait Handler {
                async fn handle(&self) { w().await }
                async fn declared(&self);
            }
        }
        static TASK: Lazy = Lazy::new(|| async { v().await });
        fn sync() -> impl Future { async move { u().await } }
        const CLOSURE: F = async || t().await;
        item_macro! { async { s().await } }
        ",
    );
    let names: Vec<&str> = rows.iter().map(|row| row.2.as_str()).collect();
    assert_eq!(
        names,
        [
            "a::Server::run",
            "a::Server::run::inner",
            "a::<&'static str>::handle",
            "a::Handler::handle",
            "TASK",
            "sync",
            "CLOSURE",
            "item_macro!",
        ]
    );
}

#[test]
fn awaits_in_tokens_of_macros_are_found() {
    let found = kinds(
        "
        async fn f() {
            assert_eq!(a().await, async { b.c().await }.await);
            tokio::select! { x = d() => e(x).await, else => g[0].await }
            let (x, y) = join!(h(), i());
            unknown!(j => self.k(1).await?; $l.await);
            let text = quote! { m().await };
            macro_rules! local { () => { n().await } }
            outer!(inner!(o => p().await));
            select! { else => q() };
        }
        ",
    );
    let expressions: Vec<&str> = found
        .iter()
        .map(|(_, expression)| expression.as_str())
        .collect();
    assert_eq!(
        expressions,
        [
            "a()",
            "b.c()",
            "async { b.c().await }",
            "tokio::select!{…}",
            "e(x)",
            "g[0]",
            "join!(…)",
            "self.k(1)",
            "$l",
            "p()",
        ]
    );
    assert!(found.iter().all(|(kind, _)| kind == "not-annotated"));
}

#[test]
fn functions_that_are_annotated_in_the_tokens_of_a_macro_are_checked() {
    let source = "
        cfg_rt! {
            #[cancellable(implicit)]
            pub async fn on() { a().await }
            pub async fn off() { b().await }
        }
        ";
    let found = sites(source);
    let found: Vec<_> = found
        .iter()
        .map(|row| (row.2.as_str(), row.3.as_str()))
        .collect();
    assert_eq!(
        found,
        [("cfg_rt!", "not-annotated"), ("cfg_rt!::on", "checked")]
    );
    let report = Tree::of(source).run(&["--json"]).json();
    let left_out = report["left_out"].as_array().expect("there is a list");
    assert_eq!(left_out.len(), 1, "{left_out:?}");
    assert_eq!(left_out[0]["line"], 5);
    assert_eq!(left_out[0]["reason"], "it is in the tokens of `cfg_rt!`");
}

#[test]
fn the_attribute_is_known_by_its_last_name() {
    for attribute in [
        "#[cancellable]",
        "#[cancel_context::cancellable(on_cancel = ())]",
        "#[cfg_attr(feature = \"cancel\", ::cancel_context::cancellable(implicit))]",
        "#[cfg_attr(a, cfg_attr(b, inline, cancellable))]",
        "/// Documented.\n#[inline]\n#[cancellable]\n#[tracing::instrument]",
    ] {
        let found = kinds(&format!("{attribute}\nasync fn f() {{ x().await }}"));
        assert_eq!(
            found,
            [("checked".to_owned(), "x()".to_owned())],
            "{attribute}"
        );
    }
}

const BLOCKS: &str = "
        #[cancellable(implicit)]
        mod a {
            async fn f() { one().await }
            impl S {
                async fn g(&self) { two().await }
                #[cancellable(skip)]
                async fn h(&self) { three().await }
                fn future(&self) -> impl Future<Output = u8> { async { four().await } }
                fn spawns(&self) { let x = async { five().await }; }
            }
            #[cancellable(skip)]
            trait T {
                async fn i(&self) { six().await }
                #[cancellable(implicit)]
                async fn j(&self) { seven().await }
            }
            #[cancellable(on_cancel = ())]
            async fn k() {
                eight().await;
                async fn nested() { nine().await }
            }
            const C: () = { async fn l() { ten().await } };
            make! { async fn m() { eleven().await } }
        }
        ";

#[test]
fn blocks_annotate_what_is_in_them() {
    let report = Tree::of(BLOCKS).run(&["--json"]).json();
    let functions = report["functions"].as_array().expect("there is a list");
    let found: Vec<_> = functions
        .iter()
        .map(|function| {
            let text = |key: &str| function[key].as_str().unwrap_or_default().to_owned();
            (text("name"), text("annotation"), text("block"))
        })
        .collect();
    let expected = [
        ("a::f", "implicit", "mod a"),
        ("a::S::g", "implicit", "mod a"),
        ("a::S::h", "skipped", ""),
        ("a::S::future", "implicit", "mod a"),
        ("a::S::spawns", "implicit", "mod a"),
        ("a::T::i", "skipped", ""),
        ("a::T::j", "implicit", ""),
        ("a::k", "implicit", ""),
        ("a::k::nested", "none", ""),
        ("a::C::l", "none", ""),
        ("a::make!", "none", ""),
    ];
    let expected = expected.map(|(name, annotation, block)| {
        (name.to_owned(), annotation.to_owned(), block.to_owned())
    });
    assert_eq!(found, expected);
    let kinds: Vec<_> = kinds(BLOCKS).into_iter().map(|(kind, _)| kind).collect();
    let (on, off) = ("checked", "not-annotated");
    assert_eq!(kinds, [on, on, off, on, on, off, on, on, off, off, off]);
}

#[test]
fn columns_are_those_of_the_run_time() {
    let found =
        sites("\u{feff}#!/usr/bin/env run\nasync fn f() { g(\"größe\").await;\th().await }");
    let places: Vec<_> = found.iter().map(|row| (row.0, row.1)).collect();
    assert_eq!(places, [(2, 27), (2, 41)]);
}

#[test]
fn todos_are_found_wherever_they_are() {
    let source = "
        static ROOT: Context = cancel_context::Context::todo();
        fn sync() { run(Context::todo()); println!(\"{:?}\", Context::todo()) }
        macro_rules! make { () => { Context::todo() } }
        fn none() { todo!(); Context::background(); quote!(Context::todo()); }
        ";
    let report = Tree::of(source).run(&["--json"]).json();
    let todos = report["todos"].as_array().expect("there is a list");
    let found: Vec<_> = todos
        .iter()
        .map(|todo| (todo["line"].as_u64(), todo["function"].as_str()))
        .collect();
    assert_eq!(
        found,
        [
            (Some(2), Some("ROOT")),
            (Some(3), Some("sync")),
            (Some(3), Some("sync")),
            (Some(4), Some("make!")),
        ]
    );
}

#[test]
fn findings_are_in_the_function_they_are_in() {
    let source = "
        #[cancellable(implicit)]
        mod a {
            async fn f() { std::process::exit(1) }
            async fn g() { fn nested() { std::thread::sleep(d) } }
        }
        #[cancellable(implicit, allow(block_on))]
        async fn allowed() { block_on(x) }
        async fn bare() { std::process::exit(1) }
        ";
    let report = Tree::of(source).run(&["--json"]).json();
    let findings = report["findings"].as_array().expect("there is a list");
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0]["name"], "process_exit");
    assert_eq!(findings[0]["function"], "a::f");
    assert_eq!(findings[0]["line"], 4);
}

//! Files, read as the attribute sees them.

use cancel_context_syntax::inspect::{Annotation, AwaitKind, Place, check_options, inspect};
use cancel_context_syntax::sites;
use proc_macro2::TokenStream;

#[test]
fn the_attribute_goes_above_all_that_is_no_documentation() {
    for source in [
        "@async fn f() {}",
        "\u{feff}@pub(crate) async unsafe fn f() {}",
        "#!/bin/größe\n/// Docs.\n@#[inline]\n/// More.\nasync fn f() {}",
        "impl S { @default async fn f() {} }",
        "trait T { fn g(); @async fn f() {} }",
        "fn g() { let größe = || { @async fn f() {} }; }",
    ] {
        let found = inspect(&source.replace('@', "")).expect("it can be read");
        let places: Vec<_> = found.functions.iter().filter_map(|f| f.insert_at).collect();
        assert_eq!(
            places,
            [source.find('@').expect("it is marked")],
            "{source}"
        );
    }
}

#[test]
fn awaits_are_those_that_the_attribute_lists() {
    let function =
        "async fn f() { a(b().await).await; select! { x = c => x.d().await } m!(e().await) }";
    let found = inspect(&format!("#[cancellable(implicit)] {function}")).expect("it can be read");
    let tokens: TokenStream = function.parse().expect("it can be read");
    let implicit = "implicit".parse().expect("it can be read");
    let mut expected: Vec<_> = sites(implicit, &tokens)
        .into_iter()
        .map(|site| (AwaitKind::from(site.kind), site.expression))
        .collect();
    let awaits = found
        .functions
        .into_iter()
        .flat_map(|function| function.awaits);
    let mut listed: Vec<_> = awaits.map(|site| (site.kind, site.expression)).collect();
    expected.sort();
    listed.sort();
    assert_eq!(listed, expected);
    assert_eq!(listed.len(), 5);
}

#[test]
fn below_rstest_the_attribute_does_not_see_the_body() {
    let found = inspect("#[rstest] #[cancellable(implicit)] async fn case() { a().await }")
        .expect("it can be read");
    assert_eq!(found.functions[0].awaits[0].kind, AwaitKind::NotAnnotated);
    assert_eq!(found.findings[0].name, "below_rstest");
    let found = inspect("#[cancellable(implicit)] #[rstest] async fn case() { a().await }")
        .expect("it can be read");
    assert_eq!(found.functions[0].awaits[0].kind, AwaitKind::Checked);
    assert!(found.findings.is_empty());
}

#[test]
fn functions_say_how_they_are_annotated() {
    let source = "
        #[cancellable] async fn explicit() {}
        #[cancellable(skip)] async fn skipped() {}
        #[cancellable(implicit)] impl S { async fn inside() {} }
        async fn bare() {}
        fn sync() {}
        ";
    let found = inspect(source).expect("it can be read");
    let annotations: Vec<_> = found
        .functions
        .into_iter()
        .map(|f| (f.name, f.annotation))
        .collect();
    let annotated = |is_implicit, block: Option<&str>| Annotation::Annotated {
        is_implicit,
        block: block.map(str::to_owned),
    };
    let expected = [
        ("explicit", annotated(false, None)),
        ("skipped", Annotation::Skipped),
        ("S::inside", annotated(true, Some("impl S"))),
        ("bare", Annotation::None),
    ];
    assert_eq!(
        annotations,
        expected.map(|(name, how)| (name.to_owned(), how))
    );
}

#[test]
fn what_cannot_be_read_has_a_place() {
    let place = |source| inspect(source).expect_err("it cannot be read").place;
    assert_eq!(
        place("fn f() {\n    let = 1;\n}"),
        Place { line: 2, column: 9 }
    );
    assert_eq!(place("fn f()\n"), Place { line: 1, column: 7 });
    assert_eq!(
        place("fn f() { \"open }"),
        Place {
            line: 1,
            column: 10
        }
    );
}

#[test]
fn options_are_checked_as_the_attribute_does() {
    for options in [
        "",
        "implicit",
        "implicit, inherit_spawns",
        "on_cancel = f(cancelled)",
    ] {
        assert_eq!(check_options(options), Ok(()), "{options}");
    }
    let wrong = |options| check_options(options).expect_err("it is wrong").join("\n");
    assert!(wrong("timout").starts_with("unknown option `timout`"));
    assert!(wrong("implicit, ctx = a").contains("conflicts with `implicit`"));
    assert!(wrong("inherit_spawns").contains("needs `implicit`"));
    assert!(wrong("skip").starts_with("`skip` annotates nothing"));
    assert!(wrong("(").contains("is not a list of options"));
}

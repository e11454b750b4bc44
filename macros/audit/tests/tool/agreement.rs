//! The tool says what the attribute does: at run time, and in its output.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::path::Path;
use std::pin::Pin;
use std::rc::Rc;

use cancel_context::{Cancelled, Canceller, Context};
use proc_macro2::TokenStream;
use quote::ToTokens;
use serde_json::Value;
use syn::visit::Visit;

use super::fixture::{self, Work, Worker};
use super::support::{run_in, sites};

const FIXTURE: &str = "macros/audit/tests/tool/fixture.rs";

/// Cancels a context when it has been asked so many times.
#[derive(Clone)]
pub(crate) struct Trip {
    left: Rc<Cell<usize>>,
    canceller: Canceller,
}

impl Trip {
    fn new(left: usize) -> (Context, Self) {
        let (ctx, canceller) = Context::background().with_cancel();
        let left = Rc::new(Cell::new(left));
        (ctx, Self { left, canceller })
    }

    /// True, but pending for good when it is its turn.
    pub(crate) async fn step(&self) -> bool {
        if self.now() {
            pending::<()>().await;
        }
        true
    }

    /// Whether it has cancelled.
    pub(crate) fn now(&self) -> bool {
        let left = self.left.get();
        self.left.set(left.wrapping_sub(1));
        if left == 0 {
            self.canceller.cancel();
        }
        left == 0
    }
}

type Case = Box<dyn Fn(Context, Trip) -> Pin<Box<dyn Future<Output = Option<Cancelled>>>>>;

/// Calls a function, and gives the error that it or its scope ended with.
fn case<F>(call: impl Fn(Context, Trip) -> F + 'static) -> Case
where
    F: Future<Output = Option<Cancelled>> + 'static,
{
    Box::new(move |ctx, trip| Box::pin(call(ctx, trip)))
}

/// An error of the function, or of the scope around it.
fn error<T>(result: Result<Result<T, Cancelled>, Cancelled>) -> Option<Cancelled> {
    result.and_then(|inner| inner).err()
}

/// Each function of the fixture, by the name that the tool gives it.
fn cases() -> Vec<(&'static [&'static str], Case)> {
    vec![
        (
            &["explicit", "helper"],
            case(async |ctx: Context, trip: Trip| fixture::explicit(&ctx, &trip).await.err()),
        ),
        (
            &["tokens"],
            case(async |ctx: Context, trip: Trip| fixture::tokens(&ctx, &trip).await.err()),
        ),
        (
            &["implicit"],
            case(async |ctx: Context, trip: Trip| ctx.run(fixture::implicit(&trip)).await.err()),
        ),
        (
            &["leaves_with_an_error"],
            case(async |ctx: Context, trip: Trip| {
                error(ctx.run(fixture::leaves_with_an_error(&trip)).await)
            }),
        ),
        (
            &["Worker::provided"],
            case(async |ctx: Context, trip: Trip| error(ctx.run(Worker.provided(&trip)).await)),
        ),
        (
            &["block::inside"],
            case(async |ctx: Context, trip: Trip| {
                ctx.run(fixture::block::inside(&trip)).await.err()
            }),
        ),
        (
            &["block::future"],
            case(async |ctx: Context, trip: Trip| {
                error(ctx.run(fixture::block::future(&trip)).await)
            }),
        ),
        (
            &["explicit_future"],
            case(async |ctx: Context, trip: Trip| {
                fixture::explicit_future(&ctx, trip.clone()).await.err()
            }),
        ),
    ]
}

/// File, line, column and expression.
type Row = (String, u64, u64, String);

/// Where a function leaves, cancelled wherever it can be.
async fn left_at(case: &Case) -> BTreeSet<Row> {
    let mut rows = BTreeSet::new();
    for turn in 0.. {
        let (ctx, trip) = Trip::new(turn);
        let Some(cancelled) = case(ctx, trip).await else {
            break;
        };
        let site = cancelled.site().expect("it left at an await");
        rows.insert((
            site.file().to_owned(),
            u64::from(site.line()),
            u64::from(site.column()),
            site.expression().to_owned(),
        ));
    }
    rows
}

fn fixture_report() -> Value {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    run_in(&workspace, &["--json", FIXTURE]).json()
}

#[tokio::test(flavor = "current_thread")]
async fn functions_leave_where_the_tool_says() {
    let report = fixture_report();
    let listed = report["sites"].as_array().expect("there is a list");
    let mut seen = 0;
    for (names, case) in cases() {
        let of_case = listed.iter().filter(|site| {
            let name = site["function"].as_str().unwrap_or_default();
            site["kind"] == "checked" && names.contains(&name)
        });
        let expected: BTreeSet<Row> = of_case
            .map(|site| {
                let text = |key: &str| site[key].as_str().unwrap_or_default().to_owned();
                let number = |key: &str| site[key].as_u64().unwrap_or_default();
                (
                    text("file"),
                    number("line"),
                    number("column"),
                    text("expression"),
                )
            })
            .collect();
        assert!(!expected.is_empty(), "{names:?}");
        assert_eq!(left_at(&case).await, expected, "{names:?}");
        seen += expected.len();
    }
    // All but the ones that are never compiled, never called, or not annotated.
    let is_left =
        |site: &&Value| site["function"] == "configured_out" || site["function"] == "bare";
    let left = listed.iter().filter(is_left).count();
    assert_eq!((left, seen + left), (2, listed.len()));
    fixture::bare(Context::background(), &Trip::new(1).1).await;
}

/// Counts the sites that the attribute emits for each function it is on.
#[derive(Default)]
struct Emitted {
    sites: usize,
}

impl Emitted {
    fn item(&mut self, attributes: &[syn::Attribute], item: &impl ToTokens) {
        let ours = attributes
            .iter()
            .find(|attribute| attribute.path().is_ident("cancellable"));
        let Some(ours) = ours else { return };
        let arguments = match &ours.meta {
            syn::Meta::List(list) => list.tokens.clone(),
            _ => TokenStream::new(),
        };
        // The attribute comes first in all of these.
        let text = item.to_token_stream().to_string();
        let below = text.split_once(']').expect("it is there").1;
        let tokens = below.parse().expect("the item can be read");
        let output = cancel_context_syntax::cancellable(arguments, tokens).to_string();
        assert!(!output.contains("compile_error"), "{output}");
        self.sites += output.matches("Site :: new").count();
    }
}

impl<'ast> Visit<'ast> for Emitted {
    fn visit_item_fn(&mut self, function: &'ast syn::ItemFn) {
        self.item(&function.attrs, function);
        syn::visit::visit_item_fn(self, function);
    }

    fn visit_item_impl(&mut self, block: &'ast syn::ItemImpl) {
        self.item(&block.attrs, block);
        syn::visit::visit_item_impl(self, block);
    }

    fn visit_item_mod(&mut self, module: &'ast syn::ItemMod) {
        self.item(&module.attrs, module);
        syn::visit::visit_item_mod(self, module);
    }
}

#[test]
fn as_many_sites_are_emitted_as_the_tool_counts() {
    let nested = "
        #[cancellable(implicit)]
        async fn f() -> Option<u8> {
            async { a().await; tokio::spawn(async { b().await }) }.await;
            #[cancellable(on_cancel = ())]
            async fn nested() { ctx.sleep(d).await; join!(e(), f()); }
            let x = move || async { g().await };
            h().await
        }
        #[cancellable]
        impl Server {
            async fn run(&self) -> Result<(), E> { #[shield] self.c().await; self.i().await?.j().await }
        }
        ";
    let macros = "
        #[cancellable(implicit, macros(hands_over))]
        async fn g() {
            select! { x = a() => b(x).await, _ = c(), if d().await => {}, else => e().await }
            hands_over!(f().await, async { g().await });
            println!(\"{}\", dbg!(h().await));
            try_join!(i(), async { j().await })
        }
        ";
    for source in [nested, macros] {
        let file = syn::parse_file(source).expect("the source can be read");
        let mut emitted = Emitted::default();
        emitted.visit_file(&file);
        let guarded = ["checked", "shielded", "detached"];
        let listed = sites(source);
        let counted = listed
            .iter()
            .filter(|row| guarded.contains(&row.3.as_str()));
        assert_eq!(counted.count(), emitted.sites, "{listed:?}");
        assert_eq!(listed.len(), emitted.sites, "{listed:?}");
    }
}

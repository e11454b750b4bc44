//! Makes the gRPC service of `chain`, as it would be made from a `.proto` file.

use tonic_build::manual::{Builder, Method, Service};

fn main() {
    let total = Method::builder()
        .name("total")
        .route_name("Total")
        .input_type("crate::ledger::Query")
        .output_type("i64")
        .codec_path("tonic_prost::ProstCodec");
    let service = Service::builder()
        .package("chain")
        .name("Ledger")
        .method(total.build());
    Builder::new().compile(&[service.build()]);
    println!("cargo::rerun-if-changed=build.rs");
}

//! Copies the server of `src/server/` with other attributes, so that it can be compared with itself:
//! `plain` has none, `detached` lacks `inherit_spawns`. Nothing else differs. And makes the gRPC service of the
//! test `grpc`, as it would be made from a `.proto` file.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use tonic_build::manual::{Builder, Method, MethodBuilder, Service};

const SOURCE: &str = "src/server";

/// Every line that names the attribute is left out.
fn plain(source: &str) -> String {
    let lines = source.lines().filter(|line| !line.contains("cancellable"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn detached(source: &str) -> String {
    source.replace("(implicit, inherit_spawns)", "(implicit)")
}

/// Writes the server as the module `name`, and gives its declaration.
fn write(name: &str, change: fn(&str) -> String) -> io::Result<String> {
    let root = env::var_os("OUT_DIR").expect("cargo sets it");
    let target = PathBuf::from(root).join(name);
    fs::create_dir_all(&target)?;
    let mut is_changed = false;
    for file in fs::read_dir(SOURCE)? {
        let file = file?;
        let source = fs::read_to_string(file.path())?;
        let changed = change(&source);
        is_changed |= source != changed;
        fs::write(target.join(file.file_name()), changed)?;
    }
    assert!(is_changed, "the attributes of {SOURCE} were not found");
    Ok(format!("pub mod {name};\n"))
}

fn method(name: &str, route: &str) -> MethodBuilder {
    Method::builder()
        .name(name)
        .route_name(route)
        .input_type("String")
        .output_type("String")
        .codec_path("tonic_prost::ProstCodec")
}

fn write_service() {
    let follow = method("follow", "Follow").server_streaming();
    let service = Service::builder()
        .package("shop")
        .name("Orders")
        .method(method("total", "Total").build())
        .method(follow.build())
        .build();
    Builder::new().compile(&[service]);
}

fn main() -> io::Result<()> {
    println!("cargo::rerun-if-changed={SOURCE}");
    println!("cargo::rerun-if-changed=build.rs");
    let modules = write("plain", plain)? + &write("detached", detached)?;
    write_service();
    let root = env::var_os("OUT_DIR").expect("cargo sets it");
    fs::write(Path::new(&root).join("variants.rs"), modules)
}

//! A folder with files, and the program run in it.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The output, parsed.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).expect("the output is JSON")
    }
}

/// A folder that is removed in the end.
pub(crate) struct Tree(TempDir);

impl Tree {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let tree = Self(TempDir::new().expect("there is a folder for temporary files"));
        for (name, text) in files {
            tree.write(name, text);
        }
        tree
    }

    /// A tree of one file, `lib.rs`.
    pub(crate) fn of(text: &str) -> Self {
        Self::new(&[("lib.rs", text)])
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(name);
        let folder = path.parent().expect("it is in the folder");
        std::fs::create_dir_all(folder).expect("folders can be made");
        std::fs::write(path, contents).expect("files can be written");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("the file is there")
    }

    /// Runs `cargo-cancellable` with these arguments in the folder.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        run_in(self.0.path(), arguments)
    }

    /// What `annotate` makes of `lib.rs`.
    pub(crate) fn annotated(&self) -> String {
        let ran = self.run(&["annotate"]);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        self.read("lib.rs")
    }
}

pub(crate) fn run_in(folder: &Path, arguments: &[&str]) -> Ran {
    let output = Command::new(env!("CARGO_BIN_EXE_cargo-cancellable"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .expect("the program starts");
    let text = |bytes| String::from_utf8(bytes).expect("the output is UTF-8");
    Ran {
        code: output.status.code(),
        stdout: text(output.stdout),
        stderr: text(output.stderr),
    }
}

/// Each await of `lib.rs`: line, column, function, kind, expression.
pub(crate) fn sites(source: &str) -> Vec<(u64, u64, String, String, String)> {
    let report = Tree::of(source).run(&["--json"]).json();
    let sites = report["sites"].as_array().expect("there is a list");
    let text = |value: &Value| value.as_str().expect("a string").to_owned();
    let number = |value: &Value| value.as_u64().expect("a number");
    let row = |site: &Value| {
        (
            number(&site["line"]),
            number(&site["column"]),
            text(&site["function"]),
            text(&site["kind"]),
            text(&site["expression"]),
        )
    };
    sites.iter().map(row).collect()
}

/// The kind and the expression of each await of `lib.rs`.
pub(crate) fn kinds(source: &str) -> Vec<(String, String)> {
    let rows = sites(source).into_iter();
    rows.map(|(_, _, _, kind, expression)| (kind, expression))
        .collect()
}

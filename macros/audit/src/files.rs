//! Which files are read.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use ignore::{DirEntry, WalkBuilder};

use crate::outcome::Failure;

/// The Rust files that `paths` name, each once, in the order of their names, and what could not be read.
pub(crate) fn find(paths: &[PathBuf]) -> (Vec<PathBuf>, Vec<Failure>) {
    let mut search = Search::default();
    for path in paths {
        match path.metadata() {
            Ok(metadata) if metadata.is_dir() => search.folder(path),
            Ok(_) => search.file(path),
            Err(error) => search.failures.push(Failure::new(path, &error)),
        }
    }
    (search.files, search.failures)
}

#[derive(Default)]
struct Search {
    files: Vec<PathBuf>,
    /// Without links, so that no file is taken twice.
    seen: HashSet<PathBuf>,
    failures: Vec<Failure>,
}

impl Search {
    fn folder(&mut self, path: &Path) {
        let walk = WalkBuilder::new(path)
            .ignore(false)
            .git_global(false)
            .require_git(false)
            .sort_by_file_path(Ord::cmp)
            .filter_entry(|entry| !is_build_folder(entry))
            .build();
        for entry in walk {
            match entry {
                Ok(entry) if is_rust_file(&entry) => self.file(entry.path()),
                Ok(_) => {}
                Err(error) => self.failures.push(Failure::new(path, &error)),
            }
        }
    }

    fn file(&mut self, path: &Path) {
        let real = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if self.seen.insert(real) {
            let shown = path.strip_prefix(".").unwrap_or(path);
            self.files.push(shown.to_owned());
        }
    }
}

fn is_rust_file(entry: &DirEntry) -> bool {
    let is_file = entry.file_type().is_some_and(|kind| kind.is_file());
    is_file
        && entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "rs")
}

/// A folder that cargo builds in: called `target` beside a manifest, or marked as a cache.
fn is_build_folder(entry: &DirEntry) -> bool {
    let is_target = entry.depth() > 0 && entry.file_name() == "target";
    let path = entry.path();
    is_target && (path.join("CACHEDIR.TAG").exists() || path.with_file_name("Cargo.toml").exists())
}

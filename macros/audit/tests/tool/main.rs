//! The tool as a whole: the program, run on folders of its own.

mod agreement;
mod annotate;
mod deny;
mod fixture;
mod json;
mod kinds;
mod paths;
mod support;
mod table;

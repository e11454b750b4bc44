//! Runs the workloads in this program once more, under valgrind, and reads what its callgrind has counted.
//!
//! 1. A count is of turns alone: collecting begins and ends with `counted_turn` of `measure.rs`, and each
//!    time a profile is dumped.
//! 2. A count is per iteration: that of a turn of many, less that of a turn of few, which has the same
//!    beginning and end.
//! 3. A count is of this program's own instructions. Those of libraries, such as the allocator and the
//!    clock, depend on the machine.

use std::error::Error;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::counts::Counts;
use crate::measure::{COUNTED, COUNTED_TURN, in_float};

/// Counts all of the workloads.
pub(crate) fn count() -> Result<Counts, Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("instructions");
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&folder)?;
    let program = std::env::current_exe()?;
    let program = program
        .to_str()
        .ok_or("the path of the bench is not UTF-8")?;
    let profile = folder.join("profile");
    let profile = profile
        .to_str()
        .ok_or("the path of the target is not UTF-8")?;
    let mut counts = Counts::new(compiler()?);
    for (index, line) in work(program, profile)?.lines().enumerate() {
        let (key, who) = line.split_once(' ').ok_or("a workload has a key")?;
        // The profiles of a contestant are two, and numbered from one.
        let [few, many] = [1, 2].map(|turn| instructions(profile, 2 * index + turn, program));
        let times = COUNTED[1] - COUNTED[0];
        counts.add(key, who, in_float(many? - few?) / in_float(times));
    }
    fs::remove_dir_all(&folder)?;
    Ok(counts)
}

/// Does the work, with the profiles in `profile.1`, `profile.2` and so on; whose they are, in their order.
fn work(program: &str, profile: &str) -> Result<String, Box<dyn Error>> {
    let run = Command::new("valgrind")
        .args(["--quiet", "--tool=callgrind", "--compress-strings=no"])
        .arg(format!("--toggle-collect={COUNTED_TURN}"))
        .arg(format!("--dump-after={COUNTED_TURN}"))
        .arg(format!("--callgrind-out-file={profile}"))
        .args([program, "--work"])
        .stderr(Stdio::inherit())
        .output();
    let output = match run {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return Err("valgrind is not installed, by which the instructions are counted".into());
        }
        run => run?,
    };
    if !output.status.success() {
        return Err(format!("the workloads failed under valgrind: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// How many instructions of `program` are in the profile of this number.
fn instructions(profile: &str, number: usize, program: &str) -> Result<usize, Box<dyn Error>> {
    let path = format!("{profile}.{number}");
    let text = fs::read_to_string(&path).map_err(|error| format!("no profile {path}: {error}"))?;
    let mut is_own = false;
    let mut sum = 0;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(object) = line.strip_prefix("ob=") {
            is_own = object == program;
        } else if line.starts_with("calls=") {
            // The next line is what the function that is called has taken, which has lines of its own.
            lines.next();
        } else if is_own && line.starts_with(|first: char| "+-*0123456789".contains(first)) {
            let cost = line
                .split(' ')
                .nth(1)
                .ok_or("a line of a profile has a cost")?;
            sum += cost.parse::<usize>()?;
        }
    }
    if sum == 0 {
        return Err(format!("profile {path} has nothing of {program}").into());
    }
    Ok(sum)
}

/// By which compiler, and for which machine, the code is made.
fn compiler() -> Result<String, Box<dyn Error>> {
    let output = Command::new("rustc").arg("--version").output()?;
    let version = String::from_utf8(output.stdout)?;
    Ok(format!("{}, {}", version.trim(), std::env::consts::ARCH))
}

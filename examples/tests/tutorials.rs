//! The small programs print what happened when and why, in the right order, and end by themselves.

mod support;

use support::{finished, output_of, start};

/// A part of a program's output that a `-- title` opens.
struct Section {
    title: String,
    lines: Vec<Line>,
}

/// `[ 0.123 s] text`
struct Line {
    seconds: f64,
    text: String,
}

fn line(line: &str) -> Line {
    let (seconds, text) = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once(" s] "))
        .unwrap_or_else(|| panic!("no time in {line:?}"));
    Line {
        seconds: seconds.trim().parse().expect("a number of seconds"),
        text: text.to_owned(),
    }
}

fn sections(output: &str) -> Vec<Section> {
    let mut sections: Vec<Section> = Vec::new();
    for printed in output.lines() {
        if let Some(title) = printed.strip_prefix("-- ") {
            sections.push(Section {
                title: title.to_owned(),
                lines: Vec::new(),
            });
        } else {
            let section = sections.last_mut().expect("a title comes first");
            section.lines.push(line(printed));
        }
    }
    sections
}

impl Section {
    fn texts(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(|line| line.text.as_str())
    }

    /// The one line that begins with `start`: where it is, and its rest.
    fn find(&self, start: &str) -> (usize, &str) {
        let mut found = self
            .texts()
            .enumerate()
            .filter_map(|(index, text)| Some((index, text.strip_prefix(start)?)));
        let first = found.next().unwrap_or_else(|| panic!("no {start:?}"));
        assert!(found.next().is_none(), "{start:?} twice");
        first
    }
}

#[track_caller]
fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in {text:?}");
    }
}

/// Title, seconds until the stop, kind, cause and origin.
const WORKER: [(&str, f64, &str, &str, &str); 6] = [
    (
        "ended by hand after 2 s",
        2.0,
        CANCELED,
        CANCELED,
        "; cancelled at ",
    ),
    (
        "ended by a timeout of 3 s",
        3.0,
        EXCEEDED,
        EXCEEDED,
        "; set at ",
    ),
    (
        "ended by a deadline 5 s ahead",
        5.0,
        EXCEEDED,
        EXCEEDED,
        "; set at ",
    ),
    (
        "ended with a cause",
        1.0,
        CANCELED,
        "the disk is full",
        "; cancelled at ",
    ),
    (
        "ended by SIGINT",
        1.0,
        CANCELED,
        "SIGINT",
        "; signal SIGINT",
    ),
    (
        "ended by a user or a signal",
        1.0,
        CANCELED,
        "the user was first",
        "; cancelled at ",
    ),
];
const CANCELED: &str = "context canceled";
const EXCEEDED: &str = "context deadline exceeded";

// guarantees B2, B3, B5, C1, G1
#[tokio::test]
async fn worker_stops_six_times_and_says_why() {
    let output = output_of(env!("CARGO_BIN_EXE_worker"), &[]).await;
    let sections = sections(&output);
    assert_eq!(sections.len(), WORKER.len());
    for (section, (title, seconds, kind, cause, origin)) in sections.iter().zip(WORKER) {
        assert_eq!(section.title, title);
        let units = section
            .texts()
            .take_while(|text| text.starts_with("worked on unit "));
        let (stopped, stopped_kind) = section.find("stopped: ");
        assert_eq!(units.count(), stopped, "{title}: work, then the stop");
        assert!(stopped > 0, "{title}: it worked");
        // A deadline counts from a moment before the stopwatch was started.
        let at = section.lines[stopped].seconds;
        assert!(
            at > seconds - 0.1 && at < seconds + 1.0,
            "{title}: stopped at {at} s"
        );
        assert_eq!(stopped_kind, kind, "{title}");
        assert_eq!(section.find("cause:   ").1, cause, "{title}");
        let left = "left examples/src/bin/worker.rs:";
        assert_has(
            section.find("error:   ").1,
            &[kind, left, "`sleep(PERIOD)`", origin],
        );
    }
}

// guarantees B4, B7, D2
#[tokio::test]
async fn all_three_tasks_of_a_request_stop_when_the_user_cancels() {
    let output = output_of(env!("CARGO_BIN_EXE_request"), &[]).await;
    let request = Section {
        title: String::new(),
        lines: output.lines().map(line).collect(),
    };
    let (cancelled, _) = request.find("the user cancels");
    for (task, began, left) in [
        (
            "identity",
            "identity: asking for alice",
            "`sleep(Duration::from_secs(10))`; ",
        ),
        (
            "database",
            "database: page 1 of alice, trace 42",
            "`sleep(Duration::from_millis(150))`; ",
        ),
        ("token", "token: checking alice's", "; "),
    ] {
        assert!(request.find(began).0 < cancelled, "{task} ran");
        let (stopped, error) = request.find(&format!("{task}: stopped: "));
        assert!(stopped > cancelled, "{task} stopped after the cancel");
        assert!(
            error.ends_with(&format!("; in request 1/{task}")),
            "{error}"
        );
        assert_has(
            error,
            &["context canceled (the user pressed stop): left examples/src/bin/request.rs:"],
        );
        assert_has(error, &[left]);
    }
}

// guarantees A4, B3, B8
#[tokio::test]
async fn generator_ends_with_its_consumer_and_leaves_nothing() {
    let output = output_of(env!("CARGO_BIN_EXE_generator"), &[]).await;
    let sections = sections(&output);
    let five: Vec<String> = (1..=5).map(|number| format!("received {number}")).collect();
    let [cancelling, leaving] = &sections[..] else {
        panic!("two sections, not {}", sections.len());
    };

    assert_eq!(cancelling.texts().take(5).collect::<Vec<_>>(), five);
    let (stopped, error) = cancelling.find("producer stopped: ");
    assert_eq!(stopped, 5);
    let site = "left examples/src/bin/generator.rs:";
    assert_has(
        error,
        &[
            "context canceled (five are enough)",
            site,
            "`numbers.send(number)`",
        ],
    );

    assert_eq!(leaving.texts().take(5).collect::<Vec<_>>(), five);
    let rest: Vec<&str> = leaving.texts().skip(5).collect();
    assert_eq!(
        rest,
        [
            "producer ended: nobody receives any more",
            "live tasks: 0, as before: true",
            "live contexts: 1, as before: true",
        ],
    );
}

// guarantees A5, A11
#[tokio::test]
async fn closing_a_pipeline_lets_it_finish_and_cancelling_stops_it_at_once() {
    let output = output_of(env!("CARGO_BIN_EXE_pipeline"), &[]).await;
    let sections = sections(&output);
    let [closed, cancelled] = &sections[..] else {
        panic!("two sections, not {}", sections.len());
    };

    let (closing, _) = closed.find("producer: sent all and closed the channel");
    let last_value = closed.texts().collect::<Vec<_>>();
    let last_value = last_value
        .iter()
        .rposition(|text| text.contains(": worked on "));
    assert!(
        last_value > Some(closing),
        "values that were sent are worked on"
    );
    let mut values = worked_on(closed);
    values.sort_unstable();
    assert_eq!(values, (1..=12).collect::<Vec<u32>>());
    for consumer in ["consumer 1", "consumer 2"] {
        let (wrote, _) = closed.find(&format!("{consumer}: wrote "));
        let (gave_back, _) = closed.find(&format!("{consumer}: gave its connection back"));
        let (returned, _) = closed.find(&format!("{consumer}: returned "));
        assert!(
            wrote < gave_back && gave_back < returned,
            "{consumer}: its clean-up, then its end"
        );
    }
    assert_eq!(closed.find("left in the channel: ").1, "0");

    assert!(cancelled.texts().all(|text| !text.contains(": wrote ")));
    let end =
        "context canceled (the result is no longer wanted): left examples/src/bin/pipeline.rs:";
    for task in ["producer", "consumer 1", "consumer 2"] {
        assert_has(
            cancelled.find(&format!("{task}: stopped: ")).1,
            &[end, "; in pipeline"],
        );
    }
    for consumer in ["consumer 1", "consumer 2"] {
        let (gave_back, _) = cancelled.find(&format!("{consumer}: gave its connection back"));
        let seconds = cancelled.lines[gave_back].seconds;
        assert!(
            seconds > 0.2,
            "{consumer} ran until the cancel, not until {seconds} s"
        );
    }
    let left: usize = cancelled.find("left in the channel: ").1.parse().unwrap();
    assert_eq!(
        worked_on(cancelled).len() + left + 2,
        8,
        "two were being worked on"
    );
}

fn worked_on(section: &Section) -> Vec<u32> {
    let values = section
        .texts()
        .filter_map(|text| text.split_once(": worked on "));
    values
        .map(|(_, value)| value.parse().expect("a value"))
        .collect()
}

const LEVELS: [&str; 5] = ["parse", "validate", "authorise", "load", "fail"];

// guarantee D4
#[tokio::test]
async fn a_task_that_exits_gives_all_back_and_a_process_that_does_nothing() {
    let output = output_of(env!("CARGO_BIN_EXE_exit_depth"), &[]).await;
    let sections = sections(&output);
    let [task, process] = &sections[..] else {
        panic!("two sections, not {}", sections.len());
    };

    let held = |text: &str, verb: &str| {
        let level = text.split(": ").next()?.to_owned();
        text.contains(verb).then_some(level)
    };
    let took: Vec<_> = task
        .texts()
        .filter_map(|text| held(text, ": took "))
        .collect();
    assert_eq!(took, LEVELS);
    let gave = task.texts().filter_map(|text| held(text, ": gave "));
    let mut gave: Vec<_> = gave.collect();
    gave.reverse();
    assert_eq!(gave, LEVELS, "the innermost first");
    let (told, how) = task.find("the request: ");
    assert_eq!((told, how), (10, "the task has exited"));
    assert!(task.find("another task: goes on").0 > told);

    let child = process.texts().filter(|text| text.starts_with("child: "));
    assert_eq!(child.count(), 5, "what each level took");
    assert_has(process.find("the child: ").1, &["3"]);
    let rest = "0 of 5; other tasks that went on: 0 of 1";
    assert_eq!(process.find("given back: ").1, rest);
}

// guarantees B4, D3
#[tokio::test]
async fn all_workers_end_on_one_signal_and_on_the_panic_of_one() {
    let output = finished(start(env!("CARGO_BIN_EXE_broadcast"), &[])).await;
    assert!(output.status.success(), "{}", output.status);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(errors.matches("unit 3 is broken").count(), 1, "{errors}");
    let printed = String::from_utf8_lossy(&output.stdout);
    let sections = sections(&printed);
    let [signalled, broken] = &sections[..] else {
        panic!("two sections, not {}", sections.len());
    };

    let (signal, _) = signalled.find("the signal");
    let (ended, _) = signalled.find("all have ended; units: ");
    for worker in 1..=4 {
        let (stopped, why) = signalled.find(&format!("worker {worker}: stopped: "));
        assert!(signal < stopped && stopped < ended, "{worker}: in order");
        assert_has(why, &["context canceled (enough work)", "`sleep(UNIT)`"]);
    }

    let (reported, _) = broken.find("a panic is reported");
    let (told, error) = broken.find("who waits is told: ");
    assert_eq!(error, "a task panicked: unit 3 is broken");
    for worker in [1, 3, 4] {
        let (stopped, why) = broken.find(&format!("worker {worker}: stopped: "));
        assert!(reported < stopped && stopped < told, "{worker}: in order");
        assert_has(why, &["(a member of the group panicked)"]);
    }
    assert_eq!(broken.find("the root has ended: ").1, "false");
}

// guarantees D5, B11
#[cfg(unix)]
#[tokio::test]
async fn a_read_a_query_and_a_child_process_end_when_their_contexts_do() {
    let output = output_of(env!("CARGO_BIN_EXE_blocking"), &[]).await;
    let sections = sections(&output);
    let [socket, database, child] = &sections[..] else {
        panic!("three sections, not {}", sections.len());
    };

    let (read, _) = socket.find("read \"hello\"");
    let (query, _) = database.find("the query counts");
    let (interrupted, error) = database.find("SQLite says: ");
    assert_eq!(error, "interrupted");
    let (began, _) = child.find("the child: began to work");
    let (asked, _) = child.find("the child: asked to end, and goes on");
    let (ended, _) = child.find("the child has ended: signal: 9");
    assert!(query < interrupted && began < asked && asked < ended);
    assert_eq!(child.find("it was killed: ").1, "true");

    for (section, before, seconds, end) in [
        (
            socket,
            read,
            0.5,
            "context canceled (the user hung up): left ",
        ),
        (database, interrupted, 0.5, EXCEEDED),
        (child, ended, 1.0, EXCEEDED),
    ] {
        let (stopped, error) = section.find("error:   ");
        assert!(before < stopped, "{}", section.title);
        // A deadline counts from a moment before or after the stopwatch was started.
        let at = section.lines[stopped].seconds;
        assert!(
            at > seconds - 0.1 && at < seconds + 1.0,
            "{}: stopped at {at} s",
            section.title
        );
        assert!(error.starts_with(end), "{error}");
        assert_has(error, &["examples/src/bin/blocking.rs:"]);
        assert_eq!(section.find("of the context: ").1, "true");
    }
}

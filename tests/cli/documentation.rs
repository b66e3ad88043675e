//! `docs/cli.md` lists what the program accepts, and `examples/rust` works.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::program::{Folder, ranklet, stdout};

#[path = "../../examples/rust/main.rs"]
#[allow(dead_code, unreachable_pub, reason = "the test calls a function of the example instead of its main")]
mod example;

fn repository_file(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn help(arguments: &[&str]) -> String {
    stdout(&ranklet(&[arguments, &["--help"]].concat()))
}

/// The commands in the program's help.
fn commands() -> Vec<String> {
    let help = help(&[]);
    let list = help.split_once("Commands:\n").unwrap().1.split_once("\n\n").unwrap().0;
    let names = list.lines().filter_map(|line| line.strip_prefix("  ")?.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// The options of a command with their values, such as `--top-n N`, and their defaults.
fn options(command: &str) -> BTreeMap<String, Option<String>> {
    let help = help(&[command]);
    let mut options = BTreeMap::new();
    let mut last = None;
    for line in help.split_once("Options:\n").unwrap().1.lines() {
        if let Some(at) = line.find("--").filter(|at| line[..*at].trim().is_empty()) {
            let option = line[at..].split("  ").next().unwrap().replace(['<', '>'], "");
            options.insert(option.clone(), None);
            last = Some(option);
        }
        if let (Some((_, rest)), Some(option)) = (line.split_once("[default: "), &last) {
            let default = rest.split_once(']').unwrap().0;
            options.insert(option.clone(), Some(default.to_owned()));
        }
    }
    options
}

/// The rows of the tables in a section of `docs/cli.md`: option and default.
fn documented(section: &str) -> BTreeMap<String, String> {
    let guide = repository_file("docs/cli.md");
    let heading = format!("\n## {section}\n");
    let body = guide.split_once(&heading).unwrap_or_else(|| panic!("no section {section}")).1;
    let body = body.split_once("\n## ").map_or(body, |(body, _)| body);
    let rows = body.lines().filter_map(|line| line.strip_prefix("| `--"));
    rows.map(|row| {
        let row = row.replace("\\|", "/");
        let mut cells = row.split('|').map(|cell| cell.trim().trim_matches('`').replace('/', "|"));
        (format!("--{}", cells.next().unwrap()), cells.next().unwrap())
    })
    .collect()
}

#[test]
fn the_guide_lists_exactly_the_options_and_defaults_of_every_command() {
    let commands = commands();
    assert!(commands.len() >= 7, "{commands:?}");
    for command in &commands {
        let mut guide = documented(&format!("ranklet {command}"));
        if command != "quantize" {
            guide.extend(documented("Model options"));
        }
        let program = options(command);
        assert!(!program.is_empty(), "{command}");
        let names = |names: Vec<&String>| names.into_iter().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(guide.keys().collect()), names(program.keys().collect()), "{command}");
        for (option, default) in program {
            if let Some(default) = default {
                assert_eq!(guide[&option], default, "{command} {option}");
            }
        }
    }
}

#[test]
fn the_guide_has_a_section_for_every_command_and_no_other() {
    let guide = repository_file("docs/cli.md");
    let sections: Vec<&str> = guide.lines().filter_map(|line| line.strip_prefix("## ranklet ")).collect();
    assert_eq!(sections, commands());
}

#[test]
fn the_rust_example_ranks_the_lines_of_the_file() {
    let text = repository_file("examples/documents.txt");
    let documents: Vec<&str> = text.lines().collect();
    let best = example::best("How do I reset my password?", &documents).unwrap();
    assert_eq!(best.len(), 3);
    assert_eq!(best[0].1, "Open Settings, choose Account, then select Forgot password.");
}

/// The shell commands in a guide that run the program.
#[cfg(unix)]
fn shell_commands(guide: &str) -> Vec<String> {
    let text = repository_file(guide);
    let blocks = text.split("\n```sh\n").skip(1).map(|rest| rest.split_once("\n```").unwrap().0.to_owned());
    blocks.filter(|block| block.lines().any(|line| line.trim_start().starts_with("ranklet "))).collect()
}

/// The model of an example is a folder with the name of its Hub id.
#[cfg(unix)]
#[test]
fn the_commands_in_the_guides_run_as_they_are_written() {
    let folder = Folder::new();
    folder.write("documents.txt", repository_file("examples/documents.txt"));
    let model = folder.path("BAAI/bge-reranker-base");
    std::fs::create_dir_all(&model).unwrap();
    for entry in
        std::fs::read_dir(crate::common::fixture("families/xlm-roberta-plain-h44").directory).unwrap()
    {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), model.join(entry.file_name())).unwrap();
    }
    let program = Path::new(env!("CARGO_BIN_EXE_ranklet")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut count = 0;
    for guide in ["README.md", "docs/cli.md", "docs/models.md", "docs/rust.md", "docs/choosing-a-reranker.md"]
    {
        // The tests of `serve` start a server and stop it.
        for command in shell_commands(guide).into_iter().filter(|command| !command.contains("ranklet serve"))
        {
            let mut shell = std::process::Command::new("bash");
            let output = shell
                .args(["-c", &command])
                .current_dir(folder.0.path())
                .env("PATH", &path)
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{guide}: {command}\n{}",
                String::from_utf8_lossy(&output.stderr)
            );
            count += 1;
        }
    }
    assert!(count >= 3, "only {count} commands");
}

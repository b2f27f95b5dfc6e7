//! A page of the documentation that is run as it is written.
//!
//! Blocks of `sh` run one after the other in one shell, as a reader would run
//! them; those of `sh server` are left running, as in a terminal of their own.
//! A block of `text` right behind one of `sh` is what it prints.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

/// Of one block.
const LIMIT: Duration = Duration::from_secs(180);

/// One block of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    pub line: usize,
    pub is_server: bool,
    pub commands: String,
    pub prints: Option<String>,
}

/// The blocks of a page, in its order.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut fence: Option<(String, usize, String)> = None;
    for (line, text) in (1..).zip(page.lines()) {
        match (&mut fence, text.strip_prefix("```")) {
            (None, Some(info)) => fence = Some((info.to_owned(), line, String::new())),
            (Some((info, line, content)), Some("")) => {
                match info.as_str() {
                    "sh" | "sh server" => blocks.push(Block {
                        line: *line,
                        is_server: info == "sh server",
                        commands: std::mem::take(content),
                        prints: None,
                    }),
                    "text" => {
                        if let Some(block) = blocks.last_mut() {
                            block.prints = Some(std::mem::take(content));
                        }
                    }
                    _ => {}
                }
                fence = None;
            }
            (Some((_, _, content)), _) => {
                content.push_str(text);
                content.push('\n');
            }
            (None, None) => {}
        }
    }
    blocks
}

/// A shell in which blocks run. What it started ends with it.
pub struct Shell {
    child: Child,
    input: ChildStdin,
    output: Receiver<String>,
    folder: std::path::PathBuf,
    ran: usize,
}

impl Shell {
    /// Starts in `folder`, with these variables beside the test's own.
    pub fn start(folder: &Path, variables: &[(&str, String)]) -> Self {
        let errors = std::fs::File::create(folder.join("errors.log")).expect("a log");
        let mut child = Command::new("bash")
            .args(["--noprofile", "--norc"])
            .current_dir(folder)
            .envs(variables.iter().map(|(name, value)| (name, value)))
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()
            .expect("bash runs");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let (sender, output) = channel();
        std::thread::spawn(move || lines.map_while(Result::ok).all(|line| sender.send(line).is_ok()));
        let input = child.stdin.take().expect("its input");
        let mut shell = Self { child, input, output, folder: folder.to_owned(), ran: 0 };
        shell.send("set -euo pipefail\n");
        shell
    }

    /// Runs a block, which must end well and print what the page says.
    pub fn run(&mut self, block: &Block) {
        self.ran += 1;
        if block.is_server {
            let (commands, number) = (&block.commands, self.ran);
            let folder = self.folder.display();
            self.send(&format!("( {commands} ) > '{folder}/server-{number}.log' 2>&1 < /dev/null &\n"));
            return;
        }
        let end = format!("-- end of block {}", self.ran);
        // The commands are not to read what follows them.
        self.send(&format!("{{ {}\n}} < /dev/null\necho; echo '{end}'\n", block.commands));
        let mut printed = String::new();
        loop {
            match self.output.recv_timeout(LIMIT) {
                Ok(line) if line == end => break,
                Ok(line) => {
                    printed.push_str(&line);
                    printed.push('\n');
                }
                Err(RecvTimeoutError::Timeout) => self.fail(block, &printed, "it does not end"),
                Err(RecvTimeoutError::Disconnected) => self.fail(block, &printed, "a command failed"),
            }
        }
        // The empty line that ends what did not end with one.
        let printed = printed.strip_suffix('\n').expect("a line");
        if block.prints.as_deref().is_some_and(|expected| expected.trim_end() != printed.trim_end()) {
            self.fail(block, printed, "it prints something else");
        }
    }

    fn fail(&self, block: &Block, printed: &str, reason: &str) -> ! {
        let mut logs = String::new();
        for entry in std::fs::read_dir(&self.folder).expect("the folder").flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                let text = std::fs::read_to_string(&path).unwrap_or_default();
                let last: Vec<&str> = text.lines().rev().take(20).collect();
                let last: Vec<&str> = last.into_iter().rev().collect();
                logs.push_str(&format!("--- {}\n{}\n", path.display(), last.join("\n")));
            }
        }
        panic!("line {}: {reason}\n{}--- printed\n{printed}\n{logs}", block.line, block.commands);
    }

    fn send(&mut self, text: &str) {
        // A shell that has ended is found when its output is read.
        let _ = self.input.write_all(text.as_bytes());
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // The whole group: also what runs in the background.
        let _ = Command::new("kill").args(["-TERM", "--", &format!("-{}", self.child.id())]).status();
        let _ = self.child.wait();
    }
}

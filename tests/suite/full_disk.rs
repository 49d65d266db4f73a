//! A disk that is full at any moment of a pass: no visit is registered whose intent could not be recorded first.

use std::process::Command;

use crate::day::{end_well, set_up_small_day};
use crate::sandbox::{Run, Sandbox, Service};
use crate::support::assert_says;

/// A pass that may make no file longer than so many blocks of 512 bytes: then the system says what it says when the
/// disk is full.
pub fn sync_within(sandbox: &Sandbox, blocks: usize) -> Run {
    let pass = sandbox.command(&["sync"]);
    let mut shell = Command::new("/bin/sh");
    // The signal that comes with the limit is of no interest, only the error.
    shell
        .args(["-c", "trap '' XFSZ; ulimit -f \"$0\"; exec \"$@\""])
        .arg(blocks.to_string())
        .arg(pass.get_program())
        .args(pass.get_args())
        .current_dir(sandbox.path(""))
        .env_clear();
    Run::of(shell)
}

#[test]
fn a_disk_that_is_full_at_any_moment_loses_nothing_and_doubles_nothing_unnamed() {
    let mut worked = 0;
    let mut failed_late = 0;
    let mut named = 0;
    // A step is less than a frame of the write-ahead log, so that each frame is one that does not fit.
    for blocks in (0..400).step_by(7) {
        let sandbox = set_up_small_day();
        let run = sync_within(&sandbox, blocks);
        if run.code == 0 {
            worked += 1;
            if worked == 3 {
                break;
            }
            continue;
        }
        assert_eq!(run.code, 1, "{blocks}: {run:#?}");
        assert_says(&run.stderr, &["cache.db"]);
        let asked = sandbox.count_of(Service::PassagePoint, "createPreReg");
        failed_late += usize::from(asked > 0);
        if sandbox.expected().len() > registered(&sandbox) {
            let unkept = "was registered but could not be saved in the cache";
            assert_says(
                &run.stderr,
                &["error: booking cs_", unkept, "a second time"],
            );
            named += 1;
        }
        // What is left of the file is a cache as soon as there is room again.
        sandbox.run(&["lookup-user", "G10000001"]);
        let twice = end_well(&sandbox, vec![run], &format!("{blocks} blocks"));
        // One at a time: at the most the one whose outcome could not be written.
        assert!(twice <= 1, "{blocks} blocks: {twice}");
    }
    assert_eq!(worked, 3, "with room enough the pass works");
    assert!(
        failed_late > 0,
        "the disk was full in the midst of a pass too"
    );
    assert!(named > 0, "the disk was full before an outcome too");
}

/// How many visits the cache, or what is left of it, knows as registered.
fn registered(sandbox: &Sandbox) -> usize {
    let query = "SELECT count(*) FROM appts WHERE prereg_id IS NOT NULL";
    let counted = sandbox
        .cache()
        .query_row(query, [], |row| row.get::<_, u16>(0));
    counted.map_or(0, usize::from)
}
